"""Whether models really differ: exact tests on the questions that both were asked, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sensorium.evaluate.clustered import Rate, detectable_between, difference
from sensorium.evaluate.marks import Run
from sensorium.evaluate.values import paired
from sensorium.types import InputError

LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same questions.

    Args:
        gain: of the first over the second, with its interval over media.
        only_one, only_other: questions on which only the one did better.
        p_value: of McNemar's exact test; of scores between 0 and 1, of the sign test, which is the same.
        adjusted: corrected for all comparisons (Holm 1979).
        detectable: the least gain that so many questions show four times in five.
    """

    task: str
    one: str
    other: str
    gain: Rate
    only_one: int
    only_other: int
    p_value: float
    adjusted: float
    detectable: float

    @property
    def differ(self) -> bool:
        return self.adjusted < LEVEL

    @property
    def sentence(self) -> str:
        """In words, with the numbers that it rests on."""
        better, worse = (self.one, self.other) if self.gain.value >= 0 else (self.other, self.one)
        numbers = f"{100 * abs(self.gain.value):.1f} points, p = {self.adjusted:.2g} after Holm, n = {self.gain.count}"
        if self.differ:
            return f"{better} is better than {worse} ({numbers})"
        hidden = f"less than {100 * self.detectable:.1f} points could be missed"
        return f"{better} and {worse} cannot be told apart ({numbers}; {hidden})"

    def to_json(self) -> dict[str, Any]:
        numbers = {"p_value": self.p_value, "adjusted": self.adjusted, "detectable": self.detectable}
        named = {"task": self.task, "one": self.one, "other": self.other, "gain": self.gain.to_json()}
        counts = {"only_one": self.only_one, "only_other": self.only_other, "differ": self.differ}
        return named | counts | {name: float(f"{value:.4g}") for name, value in numbers.items()}


def compare(runs: Sequence[Run]) -> list[Comparison]:
    """Every two runs of each task against each other.

    Raises:
        InputError: two runs of a task share no question.
    """
    tasks = list(dict.fromkeys(run.task for run in runs))
    pairs = [(one, other) for task in tasks for one, other in combinations([r for r in runs if r.task == task], 2)]
    found = [_compared(one, other) for one, other in pairs]
    adjusted = holm([one["p_value"] for one in found])
    return [Comparison(**one, adjusted=p_value) for one, p_value in zip(found, adjusted, strict=True)]


def _compared(one: Run, other: Run) -> dict[str, Any]:
    theirs = {mark.question: mark for mark in other.marks}
    shared = [(mark, theirs[mark.question]) for mark in one.marks if mark.question in theirs]
    if not shared:
        raise InputError(
            f"{one.name} and {other.name} share no question of {one.task!r}; compare logs of the same questions"
        )
    first, second = [mark.score for mark, _ in shared], [mark.score for _, mark in shared]
    tested = paired(
        [a > b for a, b in zip(first, second, strict=True)], [b > a for a, b in zip(first, second, strict=True)]
    )
    return {
        "task": one.task,
        "one": one.name,
        "other": other.name,
        "gain": difference(first, second, [mark.medium for mark, _ in shared]),
        "only_one": tested.only_one,
        "only_other": tested.only_other,
        "p_value": tested.p_value,
        "detectable": detectable_between(len(shared), tested.only_one + tested.only_other),
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that a false find among all tests is as rare as one test alone says (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def table(runs: Sequence[Run], comparisons: Sequence[Comparison]) -> str:
    """Scores and comparisons as Markdown."""
    lines = [
        "| task | model | score (95 % interval) | chance | refused | unparsable | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        chance = "" if run.chance is None else f"{100 * run.chance:.1f} %"
        outcomes = [mark.outcome for mark in run.marks]
        counts = f"{outcomes.count('refused')} | {outcomes.count('unparsable')} | {run.failed}"
        lines.append(f"| {run.task} | {run.name} | {run.rate} | {chance} | {counts} |")
    lines += ["", *(f"- {one.task}: {one.sentence}" for one in comparisons)]
    return "\n".join(lines).rstrip() + "\n"
