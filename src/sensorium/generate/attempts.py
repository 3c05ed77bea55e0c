"""Several attempts at one request: how many are written, with which seeds, and which of them differ."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sensorium.engines import Turn

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What is written for one request.

    Args:
        turn: the first answer; the others are this one `again`.
        written: how many answers.
        pooled: more than are wanted, so that copies can be dropped.
        first_stays: the first answer is what one alone would be, and is kept in front whatever the others are worth.
    """

    turn: Turn
    written: int
    pooled: bool
    first_stays: bool

    @property
    def turns(self) -> list[Turn]:
        return [self.turn.again(number) for number in range(self.written)]


def plan(turn: Turn, count: int, *, best_of: int | None = None, attempt: int = 0, most: int | None = None) -> Plan:
    """What to write so that ``count`` answers can be kept.

    Args:
        best_of: write so many; by default one, or for several as many as the turn's `Attempts` say.
        attempt: which attempt at the same request this is; each draws from seeds of its own.
        most: the limit of that default.
    """
    pooled = count * turn.attempts.pool if count > 1 else 1
    written = best_of or max(count, min(pooled, most or pooled))
    spare = best_of is None and written > count
    return Plan(turn.again(attempt * written), written, pooled=spare, first_stays=spare and attempt == 0)


def different(answers: Iterable[T], spelled: Callable[[T], Hashable]) -> tuple[list[T], list[T]]:
    """Those that differ, in their order, and those that are copies of an earlier one."""
    seen: set[Hashable] = set()
    varied: list[T] = []
    copies: list[T] = []
    for answer in answers:
        key = spelled(answer)
        (copies if key in seen else varied).append(answer)
        seen.add(key)
    return varied, copies
