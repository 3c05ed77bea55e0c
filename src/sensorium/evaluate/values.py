"""Numbers with their uncertainty: shares, means, and whether one of two is really better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from sensorium.types import InputError

MISS = 10**6
"""The rank of what was not found at all."""


class Value(Protocol):
    """What may stand in a table of results."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Share:
    """``hits`` out of ``count``, with the 95 % interval of Wilson (1927).

    Args:
        right: of each item in order "1" for a hit and "0" for none; "" where nobody kept them.
    """

    hits: int
    count: int
    right: str = field(default="", compare=False, repr=False)

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Lowest and highest share at 95 %, without a correction for continuity."""
        if not self.count:
            return 0.0, 1.0
        found = _stats().binomtest(self.hits, self.count).proportion_ci(0.95, "wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f} to {100 * high:.1f}, n = {self.count})"

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        numbers = {"share": round(self.value, 4), "low": round(low, 4), "high": round(high, 4)}
        return {"hits": self.hits, "count": self.count, **numbers} | ({"right": self.right} if self.right else {})


@dataclass(frozen=True)
class Mean:
    """The mean of ``count`` values and its 95 % interval (Student's t).

    Args:
        unit: of the values, "" for none.
    """

    value: float
    low: float
    high: float
    count: int
    unit: str = ""

    @classmethod
    def of(cls, values: Sequence[float], unit: str = "") -> Mean:
        """InputError when there are no values."""
        if not len(values):
            raise InputError("a mean needs at least one value; nothing was measured")
        mean, count = float(np.mean(values)), len(values)
        if count == 1 or np.ptp(values) == 0:
            return cls(mean, mean, mean, count, unit)
        half = float(_stats().t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
        return cls(mean, mean - half, mean + half, count, unit)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.value:.3g}{unit} ({self.low:.3g} to {self.high:.3g}, n = {self.count})"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Paired:
    """Two answers to every question compared: how often only the one was right, and only the other.

    Args:
        p_value: chance of a difference so large if both were equally good (McNemar's exact test).
    """

    only_one: int
    only_other: int
    p_value: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Gap:
    """How much larger one share is than another, of other things, from -1 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, one: Share, other: Share) -> Gap:
        """The interval is Newcombe's (1998, method 10), from Wilson's of both shares."""
        return cls.between((one.value, *one.interval), (other.value, *other.interval))

    @classmethod
    def between(cls, one: tuple[float, float, float], other: tuple[float, float, float]) -> Gap:
        """Of any two independent numbers with their intervals (value, low, high); Zou and Donner 2008."""
        (value, low, high), (others, others_low, others_high) = one, other
        below, above = np.hypot(value - low, others_high - others), np.hypot(high - value, others - others_low)
        return cls(value - others, float(value - others - below), float(value - others + above))

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def top(ranks: Sequence[float], k: int) -> Share:
    """Share of ranks (0 = best) below ``k``."""
    hits = [rank < k for rank in ranks]
    return Share(sum(hits), len(hits), "".join("01"[hit] for hit in hits))


def paired(one: Sequence[bool], other: Sequence[bool]) -> Paired:
    """Whether ``one`` is right more often than ``other``, both on the same questions in the same order."""
    ours, theirs = np.asarray(one, bool), np.asarray(other, bool)
    first, second = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    p_value = float(_stats().binomtest(first, first + second).pvalue) if first + second else 1.0
    return Paired(first, second, p_value)


def _stats() -> Any:
    try:
        from scipy import stats
    except ImportError as error:
        raise InputError("intervals need SciPy; install it with `pip install 'sensorium[eval]'`") from error
    return stats
