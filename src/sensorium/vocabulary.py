"""The joint vocabulary: text ids first and unchanged, then the codes of every codec.

Per codec: an opening marker, a closing marker, and one contiguous id range per codebook. All numbers are
computed from the codecs' facts. The tokens also live in the Hugging Face tokenizer (``<|image|>``,
``<|/image|>``, ``<|image:17|>``, or ``<|speech:0:17|>`` with several codebooks), so that a medium can travel
as a string.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from sensorium.codecs import Facts
from sensorium.types import TEXT, InputError


@dataclass(frozen=True)
class Span:
    """The ids of one codec.

    Args:
        facts: the codec's facts.
        open_id: the opening marker; the closing marker and the codebooks follow it.
    """

    facts: Facts
    open_id: int

    @property
    def close_id(self) -> int:
        return self.open_id + 1

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First id of each codebook."""
        sizes = (0, *self.facts.codebook_sizes[:-1])
        return tuple(int(start) for start in self.open_id + 2 + np.cumsum(sizes))

    @property
    def stop(self) -> int:
        """One past the last id."""
        return self.open_id + 2 + sum(self.facts.codebook_sizes)

    def range(self, codebook: int) -> tuple[int, int]:
        """First id of a codebook and one past its last."""
        start = self.starts[codebook]
        return start, start + self.facts.codebook_sizes[codebook]

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest medium, markers included."""
        return 2 + self.facts.max_frames * self.facts.codebooks

    def tokens(self) -> Iterable[str]:
        """Token strings in the order of their ids."""
        name, sizes = self.facts.name, self.facts.codebook_sizes
        yield f"<|{name}|>"
        yield f"<|/{name}|>"
        for book, size in enumerate(sizes):
            prefix = name if len(sizes) == 1 else f"{name}:{book}"
            yield from (f"<|{prefix}:{code}|>" for code in range(size))


@dataclass(frozen=True)
class Vocabulary:
    """Text ids ``0 .. text_size - 1``, then one `Span` per codec."""

    text_size: int
    spans: tuple[Span, ...]

    @classmethod
    def build(cls, text_size: int, facts: Sequence[Facts]) -> Vocabulary:
        """Lay out the codecs' ids after the text's, in the order given.

        Raises:
            InputError: two codecs share a name, or a modality has two codecs for the same use.
        """
        spans, next_id = [], text_size
        for fact in facts:
            spans.append(Span(fact, next_id))
            next_id = spans[-1].stop
        _check_unique(facts)
        return cls(text_size, tuple(spans))

    @property
    def size(self) -> int:
        return self.spans[-1].stop if self.spans else self.text_size

    def span(self, codec: str) -> Span:
        for span in self.spans:
            if span.facts.name == codec:
                return span
        known = ", ".join(span.facts.name for span in self.spans) or "none"
        raise InputError(f"this model has no codec named {codec!r}; its codecs: {known}")

    def reader(self, modality: str) -> Span:
        """The codec that reads a modality (media in what the user says)."""
        return self._for_use(modality, "read")

    def writer(self, modality: str) -> Span:
        """The codec that writes a modality (media in what the model says)."""
        return self._for_use(modality, "write")

    def _for_use(self, modality: str, use: str) -> Span:
        for span in self.spans:
            if span.facts.modality == modality and span.facts.use in (use, "both"):
                return span
        known = sorted({span.facts.modality for span in self.spans if span.facts.use in (use, "both")})
        raise InputError(
            f"this model cannot {use} {modality!r}; it can {use}: {', '.join(known) or 'text only'}; "
            f"to {use} more, grow it by more codecs"
        )

    def writers(self) -> tuple[Span, ...]:
        return tuple(span for span in self.spans if span.facts.use != "read")

    def ids(self, codec: str, codes: np.ndarray) -> list[int]:
        """Marker, codes frame by frame and codebook by codebook, marker.

        Args:
            codes: (frames, codebooks) integers; InputError when they are out of range.
        """
        span = self.span(codec)
        sizes = np.array(span.facts.codebook_sizes)
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != len(sizes):
            raise InputError(f"codec {codec!r} takes codes of shape (frames, {len(sizes)}), not {codes.shape}")
        if (codes < 0).any() or (codes >= sizes).any():
            raise InputError(f"codes for codec {codec!r} must lie in 0 to {(sizes - 1).tolist()}; encode it again")
        return [span.open_id, *(codes + np.array(span.starts)).ravel().tolist(), span.close_id]

    def codes(self, codec: str, ids: Sequence[int]) -> np.ndarray:
        """(frames, codebooks) codes of the ids between a codec's markers; the inverse of `ids`.

        Raises:
            InputError: the ids do not spell whole frames of this codec.
        """
        span = self.span(codec)
        books, fixed = span.facts.codebooks, span.facts.fixed_frames
        inner = np.asarray(ids, dtype=np.int64)
        frames, rest = divmod(len(inner), books)
        wrong_length = rest or not 0 < frames <= span.facts.max_frames or (fixed is not None and frames != fixed)
        codes = inner[: frames * books].reshape(frames, books) - np.array(span.starts)
        if wrong_length or (codes < 0).any() or (codes >= np.array(span.facts.codebook_sizes)).any():
            raise InputError(f"{len(inner)} ids do not spell a medium of codec {codec!r}")
        return codes

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What an id can be: text (markers included), or a code of a codec."""
        return (TEXT, *(span.facts.name for span in self.spans))

    @cached_property
    def _kind_table(self) -> np.ndarray:
        table = np.zeros(self.size, dtype=np.int64)
        for kind, span in enumerate(self.spans, start=1):
            table[span.starts[0] : span.stop] = kind
        return table

    def kind_of(self, ids: np.ndarray) -> np.ndarray:
        """Index into `kinds` of every id, same shape as ``ids``."""
        return self._kind_table[ids]

    def uniform_nats(self, kind: int) -> float:
        """Loss per token, in nats, of guessing evenly: ln(text size) or the mean ln(codebook size)."""
        if kind == 0:
            return float(np.log(self.text_size))
        return float(np.log(self.spans[kind - 1].facts.codebook_sizes).mean())

    def new_tokens(self) -> list[str]:
        return list(chain.from_iterable(span.tokens() for span in self.spans))

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
        for span in self.spans:
            for offset, token in enumerate(span.tokens()):
                if tokenizer.convert_tokens_to_ids(token) != span.open_id + offset:
                    raise InputError(
                        f"the tokenizer holds {token!r} at another id than {span.open_id + offset}; "
                        f"give codec {span.facts.name!r} another name or load the tokenizer saved with the model"
                    )

    def to_json(self) -> dict[str, Any]:
        return {"text_size": self.text_size, "codecs": [span.facts.to_json() for span in self.spans]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vocabulary:
        return cls.build(data["text_size"], [Facts.from_json(facts) for facts in data["codecs"]])


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
