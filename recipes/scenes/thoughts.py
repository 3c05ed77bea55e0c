"""Thinking before answering: what one looks at is written out, from the facts, and the answer ends it.

A multimodal chain of thought (Zhang et al. 2023, arXiv:2302.00923) that names places, as in Shikra (Chen et al. 2023,
arXiv:2306.15195): who compares two things says first where they lie, in the words of numbers that the codec `things`
tells them in; who counts goes through all things. Every step is a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recipes.scenes.episodes import Episode
from recipes.scenes.questions import Turn, row_by_row
from recipes.scenes.relations import margin_px
from recipes.scenes.words import described

from sensorium.data.facts import Box, Facts, Thing
from sensorium.evaluate import Concluded, Task
from sensorium.families.numbers import in_words
from sensorium.types import Conversation, InputError

ASK = "Think first."
MARK = "Answer:"
ACROSS, DOWN = 0, 1
KINDS = ("exists", "relation", "where", "count", "total")


def thinking(turn: Turn, facts: Facts) -> Turn:
    """The same question, with the request to think, and an answer that ends in the old one.

    Args:
        turn: of one of `KINDS`.
    """
    about = [facts.things[number] for number in turn.about]
    if turn.kind in ("relation", "where"):
        thought = compared(about, _axes(turn), margin_px(facts.medium.width_px))
    else:
        thought = gone_through(facts.things, facts.which(turn.wanted))
    question = (*turn.question[:-1], f"{turn.question[-1]} {ASK}")
    return replace(turn, question=question, answer=f"{thought}. {MARK} {turn.answer}")


def thought_about(made: Episode) -> Episode:
    """With all its questions of `KINDS` thought about."""
    turns = (thinking(turn, made.facts) if turn.kind in KINDS else turn for turn in made.turns)
    return replace(made, turns=tuple(turns))


def can_be_thought_about(kinds: Sequence[str], known: Sequence[str]) -> None:
    """InputError where some kinds of questions are not among those that are thought about."""
    if others := set(kinds) - set(known):
        raise InputError(f"nothing is thought about {min(others)!r}; there are {', '.join(known)}")


def task_of(name: str, conversations: Sequence[Conversation]) -> Task:
    """Questions with the request to think first, judged by what ends an answer."""
    return Task(name=f"{name}, thinking", conversations=conversations, scorer=Concluded(mark=MARK))


def _axes(turn: Turn) -> Sequence[int]:
    """Along which two things are compared: both where it is asked where one lies."""
    if turn.kind == "where":
        return (ACROSS, DOWN)
    asked = str(turn.question[-1])
    return (ACROSS,) if " left of " in asked or " right of " in asked else (DOWN,)


def compared(things: Sequence[Thing], axes: Sequence[int], margin: float) -> str:
    """ "Across: red star eight to twenty, blue ring forty to fifty, before. Down: ..., level" """
    said = []
    for axis in axes:
        spans = [f"{named(thing)} {along(thing.box, axis)}" for thing in things]
        said.append(f"{('Across', 'Down')[axis]}: {', '.join(spans)}, {_order(things, axis, margin)}")
    return ". ".join(said)


def _order(things: Sequence[Thing], axis: int, margin: float) -> str:
    """How the first of two things lies to the other, along an axis."""
    one, other = (thing.box or (0.0, 0.0, 0.0, 0.0) for thing in things)
    if one[axis + 2] + margin <= other[axis]:
        return "before"
    return "after" if other[axis + 2] + margin <= one[axis] else "level"


def gone_through(things: Sequence[Thing], wanted: Sequence[int]) -> str:
    """ "red star: one, blue ring: no, red ring: two", as one reads; "nothing" where there is none."""
    order = sorted(range(len(things)), key=lambda number: row_by_row(things[number].box))
    met, said = 0, []
    for number in order:
        met += number in wanted
        said.append(f"{named(things[number])}: {in_words(met) if number in wanted else 'no'}")
    return ", ".join(said) or "nothing"


def named(thing: Thing) -> str:
    """ "striped red star"."""
    return described(thing, size=False).split(" ", 1)[1]


def along(box: Box | None, axis: int) -> str:
    """ "eight to twenty"."""
    assert box is not None
    return f"{in_words(round(box[axis]))} to {in_words(round(box[axis + 2]))}"
