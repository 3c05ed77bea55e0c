"""Mixture: several data sets read in given shares, for instance one part in ten of plain text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from sensorium.data.packing import Sample
from sensorium.types import InputError


class Dataset(Protocol):
    """Samples by number. A property ``lengths`` (tokens of every sample), where it exists, saves reading them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def lengths_of(dataset: Dataset) -> np.ndarray:
    """(samples,) int64 tokens of every sample."""
    known = getattr(dataset, "lengths", None)
    if known is not None:
        return np.asarray(known, dtype=np.int64)
    return np.array([len(dataset[index].ids) for index in range(len(dataset))], dtype=np.int64)


class Mixture:
    """Data sets mixed by weight; what sample ``i`` of an epoch is depends on ``seed``, epoch and ``i`` only.

    An epoch holds every data set in exactly its share (to one sample). Within a data set, samples come in a
    shuffled order and none comes again before all have come, also across epochs.

    Args:
        parts: data sets and their weights, which need not sum to one; shares are of samples, not of tokens.
        seed: of the order.
        samples: samples of an epoch; None for as many as the data sets hold together.

    Raises:
        InputError: a data set is empty, or a weight is not positive.
    """

    def __init__(self, parts: Sequence[tuple[Dataset, float]], seed: int = 0, samples: int | None = None):
        if not parts:
            raise InputError("a mixture needs at least one data set")
        for number, (dataset, weight) in enumerate(parts):
            if len(dataset) == 0 or not weight > 0:
                what = "is empty" if len(dataset) == 0 else f"has weight {weight}, which must be more than 0"
                raise InputError(f"data set {number} of the mixture {what}; leave it out")
        self.datasets = [dataset for dataset, _ in parts]
        self.seed = seed
        total = samples if samples is not None else sum(len(dataset) for dataset in self.datasets)
        self.counts = _shares(np.array([weight for _, weight in parts], dtype=float), total)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch: the loader calls this. Data sets too large for one epoch go on where the last ended."""
        sources = np.repeat(np.arange(len(self.datasets), dtype=np.int16), self.counts)
        self._sources = np.random.default_rng([self.seed, epoch]).permutation(sources)
        self._items = np.empty(len(sources), dtype=np.int64)
        for number, count in enumerate(self.counts.tolist()):
            self._items[self._sources == number] = self._walk(number, epoch * count, count)

    def _walk(self, number: int, start: int, count: int) -> np.ndarray:
        """Items ``start`` to ``start + count`` of an endless walk, reshuffled each time round."""
        size = len(self.datasets[number])
        rounds = range(start // size, (start + count - 1) // size + 1) if count else range(0)
        walk = [np.random.default_rng([self.seed, number, turn]).permutation(size) for turn in rounds]
        skipped = start % size
        return np.concatenate([*walk, np.empty(0, dtype=np.int64)])[skipped : skipped + count]

    @property
    def lengths(self) -> np.ndarray:
        """(samples,) int64 tokens of every sample of this epoch."""
        found = np.empty(len(self), dtype=np.int64)
        for number, dataset in enumerate(self.datasets):
            here = self._sources == number
            found[here] = lengths_of(dataset)[self._items[here]]
        return found

    @property
    def fingerprint(self) -> str:
        """Changes whenever a data set, a share or the seed does."""
        made_of = [[len(d), getattr(d, "fingerprint", None)] for d in self.datasets]
        return hashlib.sha256(json.dumps([made_of, self.counts.tolist(), self.seed]).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: int) -> Sample:
        return self.datasets[self._sources[index]][int(self._items[index])]


def _shares(weights: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to ``total`` in proportion to ``weights`` (largest remainders)."""
    exact = weights / weights.sum() * total
    counts = np.floor(exact).astype(np.int64)
    missing = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return counts
