"""Yes and no: POPE's measures (arXiv:2305.10355), and pairs and groups as NaturalBench has them (arXiv:2410.14669)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sensorium.evaluate.clustered import Rate, rate
from sensorium.evaluate.marks import Mark, rate_of


@dataclass(frozen=True)
class Pope:
    """Args:
    accuracy: over all questions; what could not be read is wrong.
    precision, recall, f1: of "yes"; 0 where nothing was said or asked so.
    yes_share: of the *answers* that are "yes", among those that say yes or no.
    """

    accuracy: Rate
    precision: float
    recall: float
    f1: float
    yes_share: float

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> Pope:
        said = [mark.said if mark.outcome == "answered" else "" for mark in marks]
        yes, read = said.count("yes"), said.count("yes") + said.count("no")
        true = sum(one == "yes" == mark.truth for one, mark in zip(said, marks, strict=True))
        asked = sum(mark.truth == "yes" for mark in marks)
        precision, recall = (true / of if of else 0.0 for of in (yes, asked))
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return cls(rate_of(marks), precision, recall, f1, yes / read if read else 0.0)

    def to_json(self) -> dict[str, Any]:
        found = {name: round(value, 4) for name, value in asdict(self).items() if name != "accuracy"}
        return {"accuracy": self.accuracy.to_json(), **found}


@dataclass(frozen=True)
class Groups:
    """Two media and two questions: chance is 50 % a question, 25 % a pair and 6.25 % (1 in 16) a group.

    Args:
        questions: share that is right.
        one_medium: share of media of which both questions are right.
        one_question: share of questions that are right of both media.
        whole: share of groups of which all four are right.
    """

    questions: Rate
    one_medium: Rate
    one_question: Rate
    whole: Rate

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> Groups:
        def all_right(key: Callable[[Mark], tuple[str, ...]]) -> Rate:
            found: dict[tuple[str, ...], list[Mark]] = {}
            for mark in marks:
                found.setdefault(key(mark), []).append(mark)
            return rate([float(all(one.right for one in own)) for own in found.values()], [key[0] for key in found])

        return cls(
            rate([mark.score for mark in marks], [mark.more["group"] for mark in marks]),
            all_right(lambda mark: (mark.more["group"], mark.medium)),
            all_right(lambda mark: (mark.more["group"], mark.more["text"])),
            all_right(lambda mark: (mark.more["group"],)),
        )

    def to_json(self) -> dict[str, Any]:
        return {name: value.to_json() for name, value in vars(self).items()}
