"""Who foretells ids, each as bits: a model, and the baselines, which are told among which ids the next one is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from math import log
from types import MappingProxyType
from typing import Any

import numpy as np

from sensorium.evaluate.ngram import NGram
from sensorium.evaluate.spans import Books, Spans, counted, halves
from sensorium.types import InputError


class Foreteller(ABC):
    """Whatever gives ids a probability.

    Attributes:
        learned: how many ids it was trained on by kind and side, see `counted`; empty where it was on none, or nobody
            knows.
        unfinished: whether it was still getting better when its time was over.
    """

    name: str
    learned: Mapping[tuple[str, bool], int] = MappingProxyType({})
    unfinished: bool = False

    @abstractmethod
    def bits(self, stream: Spans) -> np.ndarray:
        """(T,) bits of every id after those before it; NaN where it is not counted."""


class OfModel(Foreteller):
    """A language model (an `Assistant`), without a grammar: any id could have come."""

    name = "model"

    def __init__(self, model: Any):
        self._model = model

    def bits(self, stream: Spans) -> np.ndarray:
        known = self._model.engine.known(stream.ids.tolist(), adapter=stream.media)
        return np.array([np.nan if one.logprob is None else -one.logprob / log(2) for one in known])


class Uniform(Foreteller):
    """All ids that an id is among are alike: log2 of their number."""

    name = "uniform"

    def __init__(self, books: Books):
        self._books = books

    @cached_property
    def _bits_V(self) -> np.ndarray:
        return np.append(np.log2(self._books.sizes), np.nan)[self._books.book_V]

    def bits(self, stream: Spans) -> np.ndarray:
        return self._bits_V[stream.ids]


class OfNGram(Foreteller):
    """Kneser-Ney n-grams of ids: one for each book and side of the conversation, which all look at what came before.

    Args:
        streams: to learn from.
        order: see `NGram`.
    """

    def __init__(self, streams: Sequence[Spans], books: Books, order: int):
        self.name = "unigram" if order == 1 else f"Kneser-Ney {order}-gram"
        self._books, self._order = books, order
        self._models: dict[tuple[int, bool], NGram] = {}
        for stream in streams:
            for model, context, id_, _ in self._told(stream):
                model.add(context, id_)
        self.learned = counted(streams)

    def _told(self, stream: Spans) -> Iterator[tuple[NGram, list[int], int, int]]:
        """Every id that is counted, with what foretells it from which context, and its place."""
        before = self._order - 1
        said = [-1] * before + stream.ids.tolist()
        for learned in (True, False):
            for at in stream.at(learned):
                book = int(self._books.book_V[stream.ids[at]])
                if (book, learned) not in self._models:
                    self._models[book, learned] = NGram(self._order, self._books.sizes[book])
                yield self._models[book, learned], said[at : at + before], said[at + before], at

    def bits(self, stream: Spans) -> np.ndarray:
        found = np.full(len(stream.ids), np.nan)
        for model, context, id_, at in self._told(stream):
            found[at] = -log(model.prob(context, id_)) / log(2)
        return found


class Halves(Foreteller):
    """Where there are no other streams to learn from: each half of them is foretold by who learned from the other.

    Args:
        make: from streams to who has learned from them.
    """

    def __init__(self, streams: Sequence[Spans], make: Callable[[Sequence[Spans]], Foreteller]):
        sides = halves(list(streams))
        if not all(sides):
            raise InputError("all conversations are about one medium, so nothing can be learned from others; give more")
        made = [make([streams[place] for place in side]) for side in sides]
        self._by = {id(streams[place]): made[1 - n] for n, side in enumerate(sides) for place in side}
        self.name = made[0].name
        self.unfinished = any(one.unfinished for one in made)
        self.learned = {key: max(one.learned.get(key, 0) for one in made) for one in made for key in one.learned}

    def bits(self, stream: Spans) -> np.ndarray:
        return self._by[id(stream)].bits(stream)
