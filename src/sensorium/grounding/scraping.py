"""Pairs that an encoder confuses though a reference says that they differ, out of all pairs there are.

Rows are compared one with all later ones, so that memory grows with their number alone; facts are compared only where
rows are near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from itertools import islice
from random import Random

import numpy as np

from sensorium.data.facts import Facts
from sensorium.grounding.differences import Difference, difference, differences
from sensorium.grounding.encoders import Encoder
from sensorium.grounding.material import Pair, Sample

CLOSEST = 100
"""Pairs that modes are sought in where none is confused."""
TRIES = 20
"""Random pairs drawn for one that differs."""


@dataclass(frozen=True)
class Encoded:
    """Samples and their rows (N, D).

    Args:
        about: words of which a difference must name one; empty for all pairs.
    """

    encoder: Encoder
    samples: Sequence[Sample]
    rows: np.ndarray
    about: Sequence[str] = ()

    @classmethod
    def of(cls, encoder: Encoder, samples: Sequence[Sample], about: Sequence[str] = ()) -> Encoded:
        """As `Encoder.rows`."""
        return cls(encoder, samples, encoder.rows(samples), about)

    def pair(self, one: int, other: int) -> Pair:
        distance = float(self.encoder.distances(self.rows[one], self.rows[other : other + 1])[0])
        return Pair(self.samples[one], self.samples[other], distance, self._difference(one, other))

    def _difference(self, one: int, other: int) -> Difference:
        return difference(self.samples[one].facts, self.samples[other].facts)

    def wanted(self, one: Facts, other: Facts) -> bool:
        """Whether two differ, in something that is asked about."""
        return self._asked(difference(one, other))

    def _asked(self, found: Difference) -> bool:
        return bool(found.aspects) and (not self.about or found.is_about(self.about))

    def scraped(self, near: float, most: int) -> list[Pair]:
        """The closest pairs that differ, at most ``most``; of those within ``near`` all, else the `CLOSEST`."""
        heap: list[tuple[float, int, int]] = []
        for one in range(len(self.samples) - 1):
            distances = self.encoder.distances(self.rows[one], self.rows[one + 1 :])
            worst = -heap[0][0] if len(heap) >= most else np.inf
            for index in np.flatnonzero(distances < worst):
                entry = (-float(distances[index]), one, one + 1 + int(index))
                if len(heap) >= most and entry <= heap[0]:
                    continue
                if self._asked(self._difference(one, entry[2])):
                    (heappush if len(heap) < most else heappushpop)(heap, entry)
        pairs = [self.pair(one, other) for _, one, other in sorted(heap, reverse=True)]
        return [pair for pair in pairs if pair.distance <= near] or pairs[:CLOSEST]

    def minimal(self) -> dict[str, list[Pair]]:
        """Every pair that differs in one aspect alone, by that aspect; under "" pairs that differ in none."""
        found: dict[str, list[Pair]] = {}
        for one, other in self._alike():
            known = list(islice(differences(self.samples[one].facts, self.samples[other].facts), 2))
            if len(known) < 2:
                pair = self.pair(one, other)
                if not known or self._asked(pair.difference):
                    found.setdefault(known[0][0] if known else "", []).append(pair)
        return found

    def _alike(self) -> Iterator[tuple[int, int]]:
        """Pairs that may differ in one aspect alone, told by numbers for parts of the facts: quick to compare."""
        facts = [one.facts for one in self.samples]
        settings = [aspect for aspect in facts[0].setting if all(aspect in one.setting for one in facts)]
        parts: list[list[Hashable]] = [[frozenset(one.setting[aspect]) for one in facts] for aspect in settings]
        if all("things" in one.complete and not any(thing.synonyms for thing in one.things) for one in facts):
            parts.append([frozenset(Counter(thing.name for thing in one.things).items()) for one in facts])
        known: list[dict[Hashable, int]] = [{} for _ in parts]
        numbers_NP = np.array([[seen.setdefault(part[n], len(seen)) for part, seen in zip(parts, known, strict=True)]
                               for n in range(len(facts))])  # fmt: skip
        for one in range(len(facts)):
            differing = (numbers_NP[one] != numbers_NP[one + 1 :]).sum(1)
            yield from ((one, one + 1 + int(other)) for other in np.flatnonzero(differing < 2))

    def random(self, count: int, seed: int) -> list[Pair]:
        """Pairs by chance that differ: at most ``count``, fewer where there are no more; each once."""
        random, size = Random(seed), len(self.samples)
        every = size * (size - 1) // 2
        found = []
        for number in random.sample(range(every), min(every, TRIES * count)):
            pair = self.pair(*_numbered(number, size))
            if self._asked(pair.difference):
                found.append(pair)
            if len(found) == count:
                break
        return found


def _numbered(number: int, size: int) -> tuple[int, int]:
    """The pair of a number, of all pairs of so many, in the order (0, 1), (0, 2), ..., (1, 2), ..."""
    one = int(size - 0.5 - ((size - 0.5) ** 2 - 2 * number) ** 0.5)
    one -= number < one * (2 * size - one - 1) // 2
    one += number >= (one + 1) * (2 * size - one - 2) // 2
    return one, number - one * (2 * size - one - 1) // 2 + one + 1
