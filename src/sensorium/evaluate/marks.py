"""What came out of asking a model, question by question: the one form that statistics, reports and logs share.

A `Run` is one model under one condition on one task. Two runs are compared on the questions that both were asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sensorium.evaluate.clustered import Rate, rate

Outcome = Literal["answered", "refused", "unparsable"]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """On one answer.

    Args:
        question: its id, the same for every model that is asked.
        medium: what the question is about; questions that share one are not independent of each other.
        score: from 0 to 1; what was refused or cannot be read has 0.
        said, truth: what was answered, and what is right.
        aspect: what is asked for, e.g. "colour".
        chance: the score that guessing gives; None where nobody knows.
        outcome: whether there was an answer at all.
        more: whatever a scorer keeps for its own measures.
    """

    question: str
    medium: str
    score: float
    said: str = ""
    truth: str = ""
    aspect: str = ""
    chance: float | None = None
    outcome: Outcome = "answered"
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        return self.score == 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that one model was marked with.

    Args:
        failed: questions that got no answer, since the endpoint failed; they are in no score.
    """

    model: str
    task: str
    condition: str = "model"
    marks: tuple[Mark, ...] = ()
    failed: int = 0

    @property
    def name(self) -> str:
        return self.model if self.condition == "model" else f"{self.model} ({self.condition})"

    @property
    def rate(self) -> Rate:
        return rate_of(self.marks)

    @property
    def chance(self) -> float | None:
        return chance_of(self.marks)

    def only(self, wanted: Callable[[Mark], bool]) -> Run:
        return replace(self, marks=tuple(filter(wanted, self.marks)))


def rate_of(marks: Sequence[Mark]) -> Rate:
    """Mean score, with an interval that knows which questions share a medium."""
    return rate([mark.score for mark in marks], [mark.medium for mark in marks])


def chance_of(marks: Iterable[Mark]) -> float | None:
    """Mean score of guessing; None where it is not known of all questions."""
    known = [mark.chance for mark in marks]
    return None if not known or None in known else sum(one for one in known if one is not None) / len(known)
