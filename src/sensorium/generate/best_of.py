"""Best of n: write several answers, keep the one a judge likes most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def best_of(candidates: Iterable[T], scorer: Callable[[T], float]) -> list[T]:
    """The candidates, best first; equal scores keep their order.

    Args:
        candidates: answers to the same request.
        scorer: higher is better; called once per candidate. A NaN counts as the worst.
    """
    scored = [(_rank(scorer(candidate)), candidate) for candidate in candidates]
    return [candidate for _, candidate in sorted(scored, key=lambda pair: -pair[0])]


def _rank(score: float) -> float:
    return score if score == score else float("-inf")
