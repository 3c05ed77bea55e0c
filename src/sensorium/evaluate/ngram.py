"""An n-gram model with interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any

DISCOUNT = 0.75
START = "<s>"
END = "</s>"


@dataclass
class _Seen:
    """What followed one context, and how often anything did."""

    counts: Counter[Any] = field(default_factory=Counter)
    total: int = 0


class NGram:
    """Of words, ids or whatever else follows one another.

    Args:
        order: symbols looked at, the one that is foretold included; 1 is a unigram.
        size: how many symbols there are, which share evenly what no count tells; if None, those seen and one more.
    """

    def __init__(self, order: int = 3, size: int | None = None):
        assert order >= 1
        self.order, self.size = order, size
        self._seen: list[defaultdict[tuple[Any, ...], _Seen]] = [defaultdict(_Seen) for _ in range(order)]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[Hashable]], order: int = 3) -> NGram:
        """Learned from whole sequences, with their beginnings and ends."""
        model = cls(order)
        for sequence in sequences:
            said = [START] * (order - 1) + list(sequence) + [END]
            for at in range(order - 1, len(said)):
                model.add(said[at - order + 1 : at], said[at])
        return model

    def add(self, context: Sequence[Hashable], symbol: Hashable) -> None:
        """Learn that ``symbol`` stood after ``order - 1`` others.

        Shorter contexts count in how many different longer ones a symbol was seen, not how often.
        """
        for length in range(self.order - 1, -1, -1):
            own = self._seen[length][tuple(context[len(context) - length :])]
            own.counts[symbol] += 1
            own.total += 1
            if own.counts[symbol] > 1:
                return

    def prob(self, context: Sequence[Hashable], symbol: Hashable) -> float:
        """Of a symbol after at most ``order - 1`` others; never 0."""
        found = 1 / (self.size or len(self._seen[0][()].counts) + 1)
        for length in range(len(context) + 1):
            own = self._seen[length].get(tuple(context[len(context) - length :]))
            if own is not None and own.total:
                rest = DISCOUNT * len(own.counts) * found
                found = (max(own.counts[symbol] - DISCOUNT, 0) + rest) / own.total
        return found

    def log_prob(self, said: Sequence[Hashable], following: Sequence[Hashable]) -> float:
        """Of what follows a beginning, and of nothing more; nats."""
        known = [START] * (self.order - 1) + list(said)
        total = 0.0
        for symbol in (*following, END):
            total += log(self.prob(known[len(known) - self.order + 1 :], symbol))
            known.append(symbol)
        return total

    def continued(self, said: Sequence[Hashable], most: int = 8) -> list[Any]:
        """The likeliest symbol each time, after a beginning, until the end is likeliest."""
        known = [START] * (self.order - 1) + list(said)
        start = len(known)
        while len(known) < start + most:
            context = known[len(known) - self.order + 1 :]
            seen = (self._seen[n].get(tuple(context[len(context) - n :])) for n in range(self.order - 1, -1, -1))
            counts = next((own.counts for own in seen if own is not None and own.total), None)
            if counts is None or (best := max(counts, key=counts.__getitem__)) == END:
                break
            known.append(best)
        return known[start:]
