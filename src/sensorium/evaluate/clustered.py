"""Mean scores with intervals that know which questions share a medium, and what a sample could show at all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sensorium.evaluate.values import Share
from sensorium.types import InputError

DRAWS = 2000
"""Of the bootstrap."""
POWER_Z = 1.960 + 0.842
"""Of a two-sided test at 5 % that finds a difference four times in five."""


@dataclass(frozen=True)
class Rate:
    """A mean score with its 95 % interval.

    Args:
        count: questions.
        clusters: media that they are about.
    """

    value: float
    low: float
    high: float
    count: int
    clusters: int

    def __str__(self) -> str:
        among = f", {self.clusters} media" if self.clusters != self.count else ""
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}, n = {self.count}{among})"

    def to_json(self) -> dict[str, Any]:
        return {name: round(value, 4) for name, value in asdict(self).items()}

    def is_at(self, chance: float) -> bool:
        """Whether it cannot be told from a known share."""
        return self.low <= chance <= self.high


def rate(scores: Sequence[float], clusters: Sequence[Hashable], seed: int = 0) -> Rate:
    """The mean of scores from 0 to 1.

    Where every question has a medium of its own and is right or wrong, the interval is Wilson's (1927); else the media
    are drawn again and again with all of their questions (cluster bootstrap, percentiles). Where all scores are alike
    the bootstrap sees no spread; then it is Wilson's for as many questions as there are media.

    Raises:
        InputError: there are no scores.
    """
    if not len(scores):
        raise InputError("nothing was marked, so there is no score")
    sums_C, counts_C = _by_cluster(scores, clusters)
    value = float(sums_C.sum() / counts_C.sum())
    binary = set(scores) <= {0, 1}
    alone = len(counts_C) == len(scores)
    if binary and (alone or value in (0.0, 1.0)):
        low, high = Share(round(value * len(counts_C)), len(counts_C)).interval
    else:
        low, high = bootstrap(sums_C, counts_C, seed)
    return Rate(value, min(low, value), max(high, value), len(scores), len(counts_C))


def difference(one: Sequence[float], other: Sequence[float], clusters: Sequence[Hashable], seed: int = 0) -> Rate:
    """How much better ``one`` is on the same questions, from -1 to 1, with the bootstrap's interval over media."""
    sums_C, counts_C = _by_cluster(np.subtract(one, other), clusters)
    low, high = bootstrap(sums_C, counts_C, seed)
    return Rate(float(sums_C.sum() / counts_C.sum()), low, high, len(one), len(counts_C))


def detectable(count: int, chance: float = 0.5) -> float:
    """The least distance from a known share that ``count`` independent questions show four times in five, at 5 %."""
    return POWER_Z * (chance * (1 - chance) / count) ** 0.5 if count else float("inf")


def detectable_between(count: int, discordant: int) -> float:
    """The same for two models on ``count`` questions of which they answer ``discordant`` differently (McNemar)."""
    return POWER_Z * max(discordant, 1) ** 0.5 / count if count else float("inf")


def _by_cluster(scores: Any, clusters: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Sum of scores and number of questions of each cluster."""
    places: dict[Hashable, int] = {}
    index_N = [places.setdefault(one, len(places)) for one in clusters]
    weights_N = np.asarray(scores, float)
    return np.bincount(index_N, weights_N), np.bincount(index_N).astype(float)


def bootstrap(sums_C: np.ndarray, counts_C: np.ndarray, seed: int) -> tuple[float, float]:
    """The 95 % interval of a quotient of sums, drawing again whole clusters, each with its sum and its count."""
    rng, count = np.random.default_rng(seed), len(sums_C)
    found = []
    for draws in np.array_split(np.arange(DRAWS), max(1, DRAWS * count // 2**22)):
        taken = rng.integers(0, count, (len(draws), count))
        found.append(sums_C[taken].sum(1) / counts_C[taken].sum(1))
    low, high = np.quantile(np.concatenate(found), (0.025, 0.975))
    return float(low), float(high)
