"""Shares with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any


@dataclass(frozen=True)
class Share:
    """``hits`` out of ``count``, with the 95 % interval of Wilson (1927)."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Lowest and highest share at 95 %, without a correction for continuity."""
        if not self.count:
            return 0.0, 1.0
        z, n, p = 1.959964, self.count, self.value
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f} to {100 * high:.1f}, n = {self.count})"

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        return asdict(self) | {"share": round(self.value, 4), "low": round(low, 4), "high": round(high, 4)}


def top(ranks: Sequence[int], k: int) -> Share:
    """Share of ranks (0 = best) below ``k``."""
    return Share(sum(rank < k for rank in ranks), len(ranks))
