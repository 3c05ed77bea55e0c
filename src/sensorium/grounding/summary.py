"""What a model was worth under one condition, in numbers with their intervals: the body of a report, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sensorium.evaluate import Mark, Run, chance_of, compare, detectable, difference, rate, rate_of
from sensorium.grounding.asking import Asked
from sensorium.grounding.captions import CaptionScores
from sensorium.grounding.chair import ChairScores
from sensorium.grounding.localisation import Located
from sensorium.grounding.yes_no import Groups, Pope

COMPARED = ("choice", "groups", "pope")
"""Tasks on which models are tested against each other."""
CONFUSIONS = 12
"""Values of an aspect that a table of confusions shows, the most frequent first."""


def summary(asked: Asked) -> dict[str, Any]:
    """All measures of one model under one condition; tasks that were not asked are left out."""
    marks = asked.run.marks
    by_task = {task: [mark for mark in marks if mark.more["task"] == task] for task in MEASURES}
    outcomes = Counter(mark.outcome for mark in marks)
    return {
        "model": asked.spec.name,
        "condition": asked.view.condition,
        "tasks": {task: MEASURES[task](own) for task, own in by_task.items() if own},
        "outcomes": {"refused": outcomes["refused"], "unparsable": outcomes["unparsable"], "failed": asked.run.failed},
        "cost": asked.cost.to_json(),
    }


def _scored(marks: Sequence[Mark]) -> dict[str, Any]:
    """A score beside its chance, and the least distance from chance that so many questions about media could show."""
    found, chance = rate_of(marks), chance_of(marks)
    more: dict[str, Any] = {"score": found.to_json()}
    if chance is not None:
        more |= {"chance": round(chance, 4), "detectable": round(detectable(found.clusters, chance), 4)}
    return more


def _choice(marks: Sequence[Mark]) -> dict[str, Any]:
    aspects = sorted({mark.aspect for mark in marks})
    own = {aspect: [mark for mark in marks if mark.aspect == aspect] for aspect in aspects}
    tiers = sorted({mark.more["tier"] for mark in marks})
    circular = rate([mark.more["circular"] for mark in marks], [mark.medium for mark in marks])
    return _scored(marks) | {
        "ranked": all(mark.more["orders"] == 1 for mark in marks),
        "circular": circular.to_json(),
        "circular_chance": round(sum((mark.chance or 0) ** mark.more["orders"] for mark in marks) / len(marks), 4),
        "macro": round(sum(rate_of(one).value for one in own.values()) / len(own), 4),
        "aspects": {aspect: _scored(one) for aspect, one in own.items()},
        "tiers": {tier: _scored([mark for mark in marks if mark.more["tier"] == tier]) for tier in tiers},
        "confusions": {aspect: confusion(one) for aspect, one in own.items()},
    }


def confusion(marks: Sequence[Mark]) -> dict[str, Any]:
    """How often each value was said for each right one; rows and columns are the most frequent values."""
    counts = Counter((mark.truth, mark.said if mark.outcome == "answered" else f"({mark.outcome})") for mark in marks)
    truths = [value for value, _ in Counter(mark.truth for mark in marks).most_common(CONFUSIONS)]
    others = Counter(said for (truth, said), count in counts.items() for _ in range(count) if truth in truths)
    saids = [*truths, *(said for said, _ in others.most_common(CONFUSIONS) if said not in truths)][: CONFUSIONS + 2]
    return {"truth": truths, "said": saids, "counts": [[counts[truth, said] for said in saids] for truth in truths]}


def _pope(marks: Sequence[Mark]) -> dict[str, Any]:
    tiers = list(dict.fromkeys(mark.more["tier"] for mark in marks))
    own = {tier: [mark for mark in marks if mark.more["tier"] == tier] for tier in tiers}
    return (
        _scored(marks)
        | Pope.of(marks).to_json()
        | {"tiers": {tier: Pope.of(one).to_json() for tier, one in own.items()}}
    )


def _caption(marks: Sequence[Mark]) -> dict[str, Any]:
    alike = CaptionScores.of(marks)
    return _scored(marks) | ChairScores.of(marks).to_json() | (alike.to_json() if alike else {})


MEASURES: dict[str, Callable[[Sequence[Mark]], dict[str, Any]]] = {
    "choice": _choice,
    "groups": lambda marks: _scored(marks) | Groups.of(marks).to_json(),
    "pope": _pope,
    "open": _scored,
    "locate": lambda marks: _scored(marks) | Located.of(marks).to_json(),
    "caption": _caption,
}


def of_task(run: Run, task: str) -> Run:
    own = run.only(lambda mark: mark.more["task"] == task)
    return replace(own, task=task)


def comparisons(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """Every two models that were shown the media, task by task, with Holm's correction over all of it."""
    shown = [one.run for one in asked if one.view.kind == "model"]
    runs = [of_task(run, task) for task in COMPARED for run in shown]
    return [one.to_json() | {"sentence": one.sentence} for one in compare([run for run in runs if run.marks])]


def gains(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """What seeing the medium is worth: each model's score less its own under every control, on the same questions."""
    found = []
    for one in (one for one in asked if one.view.kind == "model"):
        for other in (o for o in asked if o.spec == one.spec and o.view.kind != "model"):
            for task in COMPARED:
                theirs = {mark.question: mark.score for mark in of_task(other.run, task).marks}
                marks = [mark for mark in of_task(one.run, task).marks if mark.question in theirs]
                if marks:
                    seen, not_seen = [mark.score for mark in marks], [theirs[mark.question] for mark in marks]
                    gain = difference(seen, not_seen, [mark.medium for mark in marks])
                    control = rate(not_seen, [mark.medium for mark in marks])
                    named = {"model": one.spec.name, "task": task, "condition": other.view.condition}
                    found.append(named | {"control": control.to_json(), "gain": gain.to_json()})
    return found


def verdict(row: dict[str, Any], gained: Sequence[dict[str, Any]]) -> str:
    """One sentence on a model: whether it is better than chance, and whether it needs the medium."""
    choice = row["tasks"].get("choice")
    if choice is None:
        return f"{row['model']} was asked no multiple choice."
    score, chance = choice["score"], choice["chance"]
    numbers = f"{100 * score['value']:.1f} % ({100 * score['low']:.1f} to {100 * score['high']:.1f})"
    if score["low"] <= chance <= score["high"]:
        said = f"{row['model']} is at chance: {numbers}, chance {100 * chance:.1f} %"
        said += f"; a distance below {100 * choice['detectable']:.1f} points could be missed"
    else:
        said = f"{row['model']} is {'above' if score['value'] > chance else 'below'} chance: {numbers}, "
        said += f"chance {100 * chance:.1f} %"
    blind = next(
        (g for g in gained if (g["model"], g["task"], g["condition"]) == (row["model"], "choice", "no medium")), None
    )
    if blind is None:
        return said + "."
    gain = blind["gain"]
    seen = f"{100 * gain['value']:+.1f} points ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"
    told = "the medium helps" if gain["low"] > 0 else "no use of the medium is shown"
    return f"{said}; {told}: {seen} over itself without it."
