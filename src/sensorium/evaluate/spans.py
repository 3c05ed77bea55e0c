"""Conversations as ids, cut into the stretches whose bits are counted: texts and codes of media.

Whoever foretells an id is told which ids it is among: those of text, or of one codebook. Markers of media and what the
chat template writes are read, but not counted: the form of a stream is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.senses import Senses
from sensorium.types import TEXT, Conversation, InputError, Part
from sensorium.vocabulary import Vocabulary


@dataclass(frozen=True)
class Span:
    """Ids ``start`` to ``stop`` of a stream.

    Args:
        kind: ``"text"``, or a codec's name.
        learned: whether models are trained to foretell it: what the assistant says.
        characters: of a text.
        said: what it holds, whatever ids a model writes it with: the text, or the codes in hexadecimal digits.
    """

    kind: str
    learned: bool
    start: int
    stop: int
    characters: int = 0
    said: str = ""


@dataclass(frozen=True)
class Spans:
    """A conversation as ids.

    Args:
        ids: (T,) int64.
        parts: the stretches that are counted.
        cluster: streams of one medium share it.
        media: whether there are any.
    """

    ids: np.ndarray
    parts: tuple[Span, ...]
    cluster: Hashable
    media: bool

    def at(self, learned: bool) -> Iterator[int]:
        """Places of the ids that are counted."""
        for one in self.parts:
            if one.learned == learned:
                yield from range(one.start, one.stop)


def spans_of(senses: Senses, conversations: Iterable[Conversation], context: int | None = None) -> list[Spans]:
    """Every conversation, its media encoded; of one that is longer than ``context`` ids the first of them.

    Raises:
        InputError: a medium cannot be opened, or the model has no codec for it.
    """
    return [_spans(senses, senses.encode(one), number, context) for number, one in enumerate(conversations)]


def within(senses: Senses, conversation: Conversation) -> bool:
    """Whether the model has a codec for every medium, to read it or to write it."""
    try:
        for message in conversation.messages:
            for part in message.parts:
                if not part.is_text:
                    senses.layout_for(part.modality, message.role)
    except InputError:
        return False
    return True


def _spans(senses: Senses, conversation: Conversation, number: int, context: int | None) -> Spans:
    rendered = senses.stream.render(conversation)
    ids = rendered.ids[:context].astype(np.int64)
    found = []
    for piece in rendered.pieces:
        part = conversation.messages[piece.message].parts[piece.part]
        learned = bool(piece.start < piece.stop and rendered.mask[piece.start])
        start, stop = (piece.start, piece.stop) if part.is_text else (piece.start + 1, piece.stop - 1)
        if part.is_text and rendered.mask[stop : stop + 1].any() and rendered.ids[stop] < senses.text_size:
            stop += 1  # that the answer ends here must be told too
        if max(start, 1) < stop <= len(ids):
            characters = len(part.data) if part.is_text else 0
            found.append(Span(part.codec or TEXT, learned, max(start, 1), stop, characters, _said(part)))
    media = [part for part in conversation.parts() if not part.is_text]
    return Spans(ids, tuple(found), _medium(media[0]) if media else number, bool(media))


def _said(part: Part) -> str:
    return part.data if part.is_text else np.asarray(part.codes, "<i8").tobytes().hex()


def _medium(part: Part) -> Hashable:
    assert part.codes is not None
    return part.codec, part.codes.tobytes()


@dataclass(frozen=True)
class Books:
    """Sets of ids that are told apart: text, and every codebook of every codec.

    Args:
        sizes: ids in each.
        book_V: (V,) the book of an id, -1 for markers of media.
        starts: the first id of each.
    """

    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Books:
        sizes, starts = [vocabulary.text_size], [0]
        for layout in vocabulary.layouts:
            sizes += layout.sizes
            starts += layout.starts
        return cls(tuple(sizes), tuple(starts), vocabulary.size)

    @cached_property
    def book_V(self) -> np.ndarray:
        table = np.full(self.size, -1)
        for book, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            table[start : start + size] = book
        return table


def counted(streams: Iterable[Spans]) -> Counter[tuple[str, bool]]:
    """How many ids there are of each kind, `Span.kind`, on each side, `Span.learned`."""
    found: Counter[tuple[str, bool]] = Counter()
    for stream in streams:
        for one in stream.parts:
            found[one.kind, one.learned] += one.stop - one.start
    return found


def halves(streams: list[Spans]) -> tuple[list[int], list[int]]:
    """Places of two halves that share no medium."""
    numbers: dict[Any, int] = {}
    sides = [numbers.setdefault(one.cluster, len(numbers)) % 2 for one in streams]
    first, second = ([place for place, side in enumerate(sides) if side == wanted] for wanted in (0, 1))
    return first, second
