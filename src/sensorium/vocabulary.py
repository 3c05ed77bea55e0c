"""The joint vocabulary: text ids first and unchanged, then the codes of every codec.

Per codec: an opening marker, a closing marker, and one contiguous id range per codebook, as its `Layout` says.
All numbers are computed from the codecs' facts. The tokens also live in the Hugging Face tokenizer (``<|image|>``,
``<|/image|>``, ``<|image:17|>``, or ``<|speech:0:17|>`` with several codebooks), so that a medium can travel
as a string.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Annotated, Any

import numpy as np

from sensorium.checked import Range, checked
from sensorium.codecs import Facts, Layout
from sensorium.types import TEXT, InputError

MOST_IDS = 2**24


@dataclass(frozen=True)
class Vocabulary:
    """Text ids ``0 .. text_size - 1``, then one `Layout` per codec."""

    text_size: int
    layouts: tuple[Layout, ...]

    @classmethod
    def build(cls, text_size: int, facts: Sequence[Facts]) -> Vocabulary:
        """Lay out the codecs' ids after the text's, in the order given.

        Raises:
            InputError: two codecs share a name, or a modality has two codecs for the same use.
        """
        layouts, next_id = [], text_size
        for fact in facts:
            layouts.append(Layout(fact, next_id))
            next_id = layouts[-1].stop
        _check_unique(facts)
        return cls(text_size, tuple(layouts))

    @property
    def size(self) -> int:
        return self.layouts[-1].stop if self.layouts else self.text_size

    def layout(self, codec: str) -> Layout:
        for layout in self.layouts:
            if layout.name == codec:
                return layout
        known = ", ".join(layout.name for layout in self.layouts) or "none"
        raise InputError(f"this model has no codec named {codec!r}; its codecs: {known}")

    def reader(self, modality: str) -> Layout:
        """The codec that reads a modality (media in what the user says)."""
        return self._for_use(modality, "read")

    def writer(self, modality: str) -> Layout:
        """The codec that writes a modality (media in what the model says)."""
        return self._for_use(modality, "write")

    def _for_use(self, modality: str, use: str) -> Layout:
        for layout in self.layouts:
            if layout.facts.modality == modality and layout.facts.use in (use, "both"):
                return layout
        known = sorted({layout.facts.modality for layout in self.layouts if layout.facts.use in (use, "both")})
        raise InputError(
            f"this model cannot {use} {modality!r}; it can {use}: {', '.join(known) or 'text only'}; "
            f"to {use} more, grow it by more codecs"
        )

    def writers(self) -> tuple[Layout, ...]:
        return tuple(layout for layout in self.layouts if layout.facts.use != "read")

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What an id can be: text (markers included), or a code of a codec."""
        return (TEXT, *(layout.name for layout in self.layouts))

    @cached_property
    def _kind_table(self) -> np.ndarray:
        table = np.zeros(self.size, dtype=np.int64)
        for kind, layout in enumerate(self.layouts, start=1):
            table[layout.starts[0] : layout.stop] = kind
        return table

    def kind_of(self, ids: np.ndarray) -> np.ndarray:
        """Index into `kinds` of every id, same shape as ``ids``."""
        return self._kind_table[ids]

    def uniform_nats(self, kind: int) -> float:
        """Loss per token, in nats, of guessing evenly: ln(text size), or the mean ln(codebook size) of the codes.

        Where a medium may have any length, that of the longest, in which the header hardly counts.
        """
        if kind == 0:
            return float(np.log(self.text_size))
        layout = self.layouts[kind - 1]
        nats, head = np.log(layout.sizes), layout.header_codes
        return float((nats[:head].sum() + nats[head:].mean() * (layout.max_codes - head)) / layout.max_codes)

    def new_tokens(self) -> list[str]:
        return list(chain.from_iterable(layout.tokens() for layout in self.layouts))

    def extend_tokenizer(self, tokenizer: Any) -> None:
        """Add every new token so that its id is the one computed here (in place; idempotent).

        A base model may have more embedding rows than its tokenizer has entries; reserved tokens fill the gap.

        Raises:
            InputError: the tokenizer already holds a token of the same name at another id.
        """
        reserved = [f"<|reserved:{index}|>" for index in range(len(tokenizer), self.text_size)]
        tokenizer.add_tokens(_special(reserved + self.new_tokens()), special_tokens=True)
        self._check_tokenizer(tokenizer)

    def _check_tokenizer(self, tokenizer: Any) -> None:
        for layout in self.layouts:
            for offset, token in enumerate(layout.tokens()):
                if tokenizer.convert_tokens_to_ids(token) != layout.open_id + offset:
                    raise InputError(
                        f"the tokenizer holds {token!r} at another id than {layout.open_id + offset}; "
                        f"give codec {layout.name!r} another name or load the tokenizer saved with the model"
                    )

    def to_json(self) -> dict[str, Any]:
        return {"text_size": self.text_size, "codecs": [layout.facts.to_json() for layout in self.layouts]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_json`.

        Raises:
            InputError: a fact or the size of the text is missing or out of range, or there are too many ids.
        """
        text_size = checked(data.get("text_size"), Annotated[int, Range(1, MOST_IDS)], "text_size")
        codecs = checked(data.get("codecs"), Annotated[list[dict[str, Any]], Range(0, 256)], "codecs")
        found = cls.build(text_size, [Facts.from_json(facts) for facts in codecs])
        if found.size > MOST_IDS:
            raise InputError(f"the codecs have {found.size} ids together, more than {MOST_IDS}")
        return found


def _special(tokens: list[str]) -> list[Any]:
    from tokenizers import AddedToken

    return [AddedToken(token, special=True, normalized=False) for token in tokens]


def _check_unique(facts: Sequence[Facts]) -> None:
    seen: set[tuple[str, str]] = set()
    for fact in facts:
        uses = ("read", "write") if fact.use == "both" else (fact.use,)
        keys = {("codec", fact.name), *((use, fact.modality) for use in uses)}
        clash = keys & seen
        if clash:
            what, name = sorted(clash)[0]
            kind = f"named {name!r}" if what == "codec" else f"that {what} {name!r}"
            raise InputError(f"two codecs {kind}; keep one of them or give it another name or use")
        seen |= keys
