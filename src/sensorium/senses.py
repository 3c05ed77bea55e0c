"""The senses of a model: its tokenizer, its codecs, the ids of their codes, and who reads and who writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.codecs import Codec, Layout
from sensorium.modalities import Wish, modality
from sensorium.stream import Stream, Thinking
from sensorium.types import Conversation, InputError, Message, Part, Role, Signal
from sensorium.vocabulary import Vocabulary

Codes = Mapping[tuple[str, int], np.ndarray]
"""Flat codes by name of the codec and identity (`id`) of the part."""


@dataclass(frozen=True)
class Senses:
    """What turns conversations into ids and back; a model, shards and loaders hold one.

    Args:
        tokenizer: a fast Hugging Face tokenizer; the codes' tokens are added to it.
        text_size: ids of text.
        codecs: by name, in the order of their ids.
        sampling: how a modality is best written, by its name, e.g. ``{"sound": {"temperature": 0.8}}``; used where
            the caller says nothing else. ``"attempts"`` in it, e.g. ``{"temperature": 1.3, "pool": 3}``, says how
            further answers to one request come to differ; see `sensorium.engines.Attempts`.
        thinking: how the model is asked to think before it answers; None where it does not.

    Raises:
        InputError: codecs that clash.
    """

    tokenizer: Any
    text_size: int
    codecs: Mapping[str, Codec]
    sampling: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    thinking: Thinking | None = None

    def __post_init__(self) -> None:
        self.vocabulary.extend_tokenizer(self.tokenizer)

    @classmethod
    def of(cls, tokenizer: Any, text_size: int, codecs: Iterable[Codec], sampling: Mapping[str, Any] = {}) -> Senses:
        """As the constructor, of codecs in a row."""
        codecs = list(codecs)
        Vocabulary.build(text_size, [codec.facts for codec in codecs])  # tells two of one name
        return cls(tokenizer, text_size, {codec.facts.name: codec for codec in codecs}, dict(sampling))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.build(self.text_size, [codec.facts for codec in self.codecs.values()])

    @cached_property
    def stream(self) -> Stream:
        return Stream(self.tokenizer, self.vocabulary)

    def with_codecs(self, codecs: Iterable[Codec]) -> Senses:
        """More codecs behind these: no id moves.

        Raises:
            InputError: a codec of the same name is there, or a modality would have two for one use.
        """
        more = Senses.of(self.tokenizer, self.text_size, [*self.codecs.values(), *codecs], self.sampling)
        return replace(more, thinking=self.thinking)

    def replaced(self, codec: Codec) -> Senses:
        """Another codec in the place of the one of its name, e.g. one that was trained on: no id moves.

        Raises:
            InputError: none has its name, or its codes are laid out in another way.
        """
        name = codec.facts.name
        if self.codec(name).facts.identity() != codec.facts.identity():
            raise InputError(
                f"another codec {name!r} cannot stand in for this model's: its codes are laid out otherwise"
            )
        return replace(self, codecs={**self.codecs, name: codec})

    def layout_for(self, modality: str, role: Role) -> Layout:
        """The codec of a medium: the assistant writes, everybody else reads.

        Raises:
            InputError: the model has none for it.
        """
        return self.vocabulary.writer(modality) if role == "assistant" else self.vocabulary.reader(modality)

    def wanting(self, conversation: Conversation) -> list[tuple[Layout, Part]]:
        """Media that must be encoded, with the codec to do it.

        Raises:
            InputError: the model has no codec for a medium, or a part has codes that do not fit theirs.
        """
        found = []
        for message in conversation.messages:
            for part in message.parts:
                if part.is_text:
                    continue
                layout = self.layout_for(part.modality, message.role)
                if part.codes is None or part.codec != layout.name:
                    found.append((layout, part))
                else:
                    layout.check(part.codes)
        return found

    def filled(self, conversation: Conversation, codes: Codes) -> Conversation:
        """The conversation with these codes in its media; what has its codes keeps them."""
        return Conversation(tuple(self._filled(message, codes) for message in conversation.messages))

    def _filled(self, message: Message, codes: Codes) -> Message:
        if all(part.is_text for part in message.parts):
            return message
        return replace(message, parts=tuple(self._filled_part(part, message.role, codes) for part in message.parts))

    def _filled_part(self, part: Part, role: Role, codes: Codes) -> Part:
        if part.is_text:
            return part
        name = self.layout_for(part.modality, role).name
        found = codes.get((name, id(part)))
        return part if found is None else part.with_codes(found, name)

    def encode(self, conversation: Conversation) -> Conversation:
        """The conversation with codes in every medium: the reading codec's, or in answers the writing one's.

        Raises:
            InputError: a medium cannot be opened, or the model has no codec for it.
        """
        wanted = self.wanting(conversation)
        codes: dict[tuple[str, int], np.ndarray] = {}
        for name in {layout.name for layout, _ in wanted}:
            parts = [part for layout, part in wanted if layout.name == name]
            found = self.codes(name, parts)
            codes |= {(name, id(part)): one for part, one in zip(parts, found, strict=True)}
        return self.filled(conversation, codes)

    def codes(self, name: str, parts: Sequence[Part]) -> list[np.ndarray]:
        """Flat codes of media by one codec."""
        codec = self.codec(name)
        signals = [self.signal(part, codec.facts.wish) for part in parts]
        return [codec.layout.check(codes) for codes in codec.encode(signals)]

    def signal(self, part: Part, wish: Wish = Wish()) -> Signal:
        """The medium of a part: opened, or decoded from the codes that it has.

        Raises:
            InputError: it cannot be opened, or has neither data nor codes of a codec that is known here.
        """
        if part.data is not None:
            return modality(part.modality).open(part.data, wish)
        if part.codes is None or part.codec is None or part.codec not in self.codecs:
            raise InputError(f"a {part.modality} part has neither a medium nor codes of a known codec")
        return modality(part.modality).open(self.codecs[part.codec].decode([part.codes])[0], wish)

    def codec(self, name: str) -> Codec:
        if name not in self.codecs:
            raise InputError(f"codec {name!r} is needed to encode media but was not given")
        return self.codecs[name]

    def decode(self, parts: Iterable[Part]) -> list[Part]:
        """The parts with a signal in every medium that holds only codes."""
        return [self._decoded(part) for part in parts]

    def _decoded(self, part: Part) -> Part:
        if part.is_text or part.data is not None or part.codes is None or part.codec is None:
            return part
        return replace(part, data=self.codec(part.codec).decode([part.codes])[0])


class HasSenses:
    """What a model, plain or in training, says of its senses."""

    senses: Senses

    @property
    def tokenizer(self) -> Any:
        return self.senses.tokenizer

    @property
    def vocabulary(self) -> Vocabulary:
        return self.senses.vocabulary

    @property
    def stream(self) -> Stream:
        return self.senses.stream

    @property
    def codecs(self) -> Mapping[str, Codec]:
        return self.senses.codecs

    @property
    def sampling(self) -> Mapping[str, Mapping[str, Any]]:
        return self.senses.sampling

    @property
    def thinking(self) -> Thinking | None:
        return self.senses.thinking
