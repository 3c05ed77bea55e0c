"""Whether a model got worse: scores that were stored against fresh ones, for the checks that run on every change.

A score falls only where it falls by more than chance would explain: on the same items by McNemar's exact test, else by
the 95 % interval of the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from sensorium.checked import told
from sensorium.evaluate.compare import LEVEL
from sensorium.evaluate.logs import read_log
from sensorium.evaluate.marks import Run
from sensorium.evaluate.values import Gap, paired
from sensorium.types import InputError

Name = tuple[str, str]
"""Measure and condition."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number with its 95 % interval.

    Args:
        count: items that it is of.
        items: of each by what tells it from the others whether it was right; empty where nobody kept them.
        unit: "%" for shares and scores from 0 to 1.
    """

    value: float
    low: float
    high: float
    count: int
    items: Mapping[str, float]
    unit: str = "%"

    def said(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "%" else f"{value:.4g} {self.unit}".strip()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One score against the stored one.

    Args:
        verdict: "fell", "missing" (it was stored and is not there now), "new", "unknown" (no interval), else "holds".
        sentence: with the numbers that it rests on.
    """

    measure: str
    condition: str
    verdict: Literal["holds", "fell", "missing", "new", "unknown"]
    sentence: str

    @property
    def fails(self) -> bool:
        return self.verdict in ("fell", "missing")


def check(stored: Path, fresh: Path, lower: Sequence[str] = ()) -> list[Checked]:
    """Every score of two files.

    Args:
        stored, fresh: JSON that `Results.save` or a report on grounding wrote, or logs as `read_log` takes them.
        lower: patterns (``*``) of measures that are better when they are lower, such as errors.

    Raises:
        InputError: a file is missing or of another form, or the files share no score.
    """
    old, new = read_scores(stored), read_scores(fresh)
    if not old.keys() & new.keys():
        first = " | ".join(next(iter(old)))
        raise InputError(
            f"{fresh} has none of the scores of {stored} (e.g. {first}); give results of the same evaluation"
        )
    return [_checked(name, old.get(name), new.get(name), lower) for name in dict.fromkeys((*old, *new))]


def _checked(name: Name, old: Score | None, new: Score | None, lower: Sequence[str]) -> Checked:
    measure, condition = name
    called = f"{measure} | {condition}"
    if old is None or new is None:
        gone = new is None
        said = "was stored and is missing now" if gone else "is new, and there is nothing to compare it with"
        return Checked(
            measure=measure, condition=condition, verdict="missing" if gone else "new", sentence=f"{called} {said}"
        )
    sign = -1 if any(fnmatchcase(measure, pattern) for pattern in lower) else 1
    verdict, why = _on_same_items(old, new, sign) or _on_others(old, new, sign)
    word = {"fell": "fell" if sign > 0 else "rose, and is better low", "unknown": "is not judged"}.get(verdict, "holds")
    numbers = f"{new.said(new.value)}, stored {old.said(old.value)}"
    return Checked(
        measure=measure, condition=condition, verdict=verdict, sentence=f"{called} {word}: {numbers} ({why})"
    )


Told = tuple[Literal["holds", "fell", "unknown"], str]


def _on_same_items(old: Score, new: Score, sign: int) -> Told | None:
    """By the exact test (McNemar's; of scores between 0 and 1 the sign test); None where the items are others."""
    if not old.items or old.items.keys() != new.items.keys():
        return None
    pairs = [(sign * value, sign * new.items[item]) for item, value in old.items.items()]
    found = paired([then > now for then, now in pairs], [now > then for then, now in pairs])
    fell = found.only_one > found.only_other and found.p_value < LEVEL
    numbers = f"{found.only_one} of the same {len(pairs)} items worse, {found.only_other} better"
    return "fell" if fell else "holds", f"{numbers}, exact test p = {found.p_value:.2g}"


def _on_others(old: Score, new: Score, sign: int) -> Told:
    """By the interval of the difference."""
    if min(old.count, new.count) < 2:
        return "unknown", "a single value has no interval"
    gap = Gap.between((new.value, new.low, new.high), (old.value, old.low, old.high))
    fell = gap.high < 0 if sign > 0 else gap.low > 0
    least, most = (100 * gap.low, 100 * gap.high) if new.unit == "%" else (gap.low, gap.high)
    unit = "points" if new.unit == "%" else new.unit
    return "fell" if fell else "holds", f"difference {least:+.3g} to {most:+.3g} {unit}".strip() + ", other items"


def read_scores(path: Path) -> dict[Name, Score]:
    """The scores of a file, by measure and condition.

    Raises:
        InputError: it is missing, of another form, has no scores, or has two of a name.
    """
    if not path.is_file():
        raise InputError(f"there are no results at {path}")
    said: Any = None
    if path.suffix == ".json":
        with told(f"{path} is no JSON", "; give evaluation.json or report.json"):
            said = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(said, dict) and isinstance(said.get("rows"), list):
        with told(f"{path} is not in the form of results", "; give evaluation.json or report.json"):
            found = [one for row in said["rows"] for one in (_of_report(row) if "tasks" in row else _of_results(row))]
    else:
        found = [_of_run(read_log(path))]
    scores = dict(found)
    if not scores:
        raise InputError(f"{path} has no scores")
    if len(scores) < len(found):
        names = [name for name, _ in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path} has two scores called {' | '.join(twice)}; give them different names")
    return scores


def _of_results(row: Mapping[str, Any]) -> Iterator[tuple[Name, Score]]:
    if not {"low", "high", "count"} <= row.keys():
        return  # numbers without an interval are no scores
    right, digest = row.get("right", ""), row.get("items", "")
    items = {f"{digest}:{n}": float(one) for n, one in enumerate(right)} if digest else {}
    share = "share" in row
    value = row["hits"] / row["count"] if share and row["count"] else row["share" if share else "value"]
    score = Score(value=value, low=row["low"], high=row["high"], count=row["count"], items=items,
                  unit="%" if share else row.get("unit", ""))  # fmt: skip
    yield (row["measure"], row["condition"]), score


def _of_report(row: Mapping[str, Any]) -> Iterator[tuple[Name, Score]]:
    """Every number with an interval of a report on grounding."""
    condition = row["model"] if row["condition"] == "model" else f"{row['model']} ({row['condition']})"
    for task, measures in row["tasks"].items():
        for name, rate in measures.items():
            if isinstance(rate, Mapping) and {"value", "low", "high", "count"} <= rate.keys():
                measure = task if name == "score" else f"{task}, {name}"
                numbers = {one: rate[one] for one in ("value", "low", "high", "count")}
                yield (measure, condition), Score(**numbers, items={})


def _of_run(run: Run) -> tuple[Name, Score]:
    rate = run.rate
    items = {mark.question: mark.score for mark in run.marks}
    score = Score(value=rate.value, low=rate.low, high=rate.high, count=rate.count, items=items)
    return (run.task, run.condition), score
