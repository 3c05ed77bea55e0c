"""From what a model said to a mark, task by task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sensorium.evaluate.marks import Mark
from sensorium.grounding import parse
from sensorium.grounding.chair import Chair
from sensorium.grounding.localisation import iou
from sensorium.grounding.question import Question

Told = tuple[parse.Said, float, dict[str, Any]]
"""What was understood, its score, and what else is kept."""


def marked(question: Question, answers: Sequence[str], rotations: Sequence[Sequence[str]], chair: Chair) -> Mark:
    """The mark of one question.

    Args:
        answers: as written, one for each rotation.
        rotations: orders in which options were shown. The score is for the first one; all of them right is kept apart.
        chair: knows all things that may be named in captions.
    """
    said, score, more = MARK[question.task](question, answers, rotations, chair)
    return Mark(
        question=question.id,
        medium=question.medium,
        score=score,
        said=said.value or answers[0][:200],
        truth=question.answer,
        aspect=question.aspect,
        chance=question.chance,
        outcome=said.outcome,
        more={"task": question.task, "tier": question.tier, "group": question.group, **more},
    )


def _choice(question: Question, answers: Sequence[str], rotations: Sequence[Sequence[str]], chair: Chair) -> Told:
    found = [parse.option(text, options) for text, options in zip(answers, rotations, strict=True)]
    right = [one.value == question.answer for one in found]
    more = {"circular": float(all(right)), "options": list(question.options), "orders": len(rotations)}
    return found[0], float(right[0]), more


def _yes_no(question: Question, answers: Sequence[str], rotations: Sequence[Sequence[str]], chair: Chair) -> Told:
    said = parse.yes_no(answers[0])
    return said, float(said.value == question.answer), {"text": question.text}


def _open(question: Question, answers: Sequence[str], rotations: Sequence[Sequence[str]], chair: Chair) -> Told:
    right = (question.answer, *question.also)
    said = parse.free(answers[0], right)
    return said, float(said.value in right), {}


def _locate(question: Question, answers: Sequence[str], rotations: Sequence[Sequence[str]], chair: Chair) -> Told:
    written = parse.places(answers[0])
    if not written:
        said = parse.Said("", "refused" if parse.refused(answers[0]) else "unparsable")
        return said, 0.0, {"places": [], "true": list(question.places), "label": question.also[0]}
    best = max(iou(written[0], true) for true in question.places)
    return parse.Said(answers[0][:200]), best, {
        "places": written[:1], "true": list(question.places), "label": question.also[0],
    }  # fmt: skip


def _caption(question: Question, answers: Sequence[str], rotations: Sequence[Sequence[str]], chair: Chair) -> Told:
    named = chair.named(answers[0])
    there = chair.known(question.also)
    made_up = [name for name in named if name not in there]
    outcome = "refused" if not named and parse.refused(answers[0]) else "answered"
    more = {
        "mentions": len(named), "made_up": made_up, "covered": len(there & set(named)), "there": len(there),
        "caption": answers[0][:2000], "references": list(question.references),
    }  # fmt: skip
    return parse.Said(answers[0][:2000], outcome), float(bool(named) and not made_up), more


Marker = Callable[[Question, Sequence[str], Sequence[Sequence[str]], Chair], Told]
MARK: Mapping[str, Marker] = {
    "choice": _choice, "groups": _yes_no, "pope": _yes_no, "open": _open, "locate": _locate, "caption": _caption,
}  # fmt: skip
