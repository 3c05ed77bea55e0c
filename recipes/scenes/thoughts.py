"""Thinking before answering: what one looks at is written out, from the facts, and the answer ends it.

A multimodal chain of thought (Zhang et al. 2023, arXiv:2302.00923) that names places, as in Shikra (Chen et al. 2023,
arXiv:2306.15195): who compares two things says first where they lie, in the words of numbers that the codec `things`
tells them in; who counts goes through all things; who says yes or no puts what is there and what was asked for side by
side, in the same words. Every step is a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recipes.scenes.episodes import Episode
from recipes.scenes.questions import SEEN, Turn, row_by_row
from recipes.scenes.relations import AXES, margin_px
from recipes.scenes.words import described

from sensorium.data.facts import Box, Facts, Thing
from sensorium.evaluate import Concluded, Task
from sensorium.families.numbers import in_words
from sensorium.types import Conversation, InputError, Message, as_message

ASK = "Think first."
MARK = "Answer:"
ACROSS, DOWN = 0, 1
KINDS = ("exists", "is it", "relation", "where", "count", "total")


def thinking(turn: Turn, facts: Facts) -> Turn:
    """The same question, with the request to think, and an answer that ends in the old one.

    Args:
        turn: of one of `KINDS`.
    """
    about = [facts.things[number] for number in turn.about]
    if turn.kind == "where":
        thought = compared(about, (ACROSS, DOWN), margin_px(facts.medium.width_px))
    elif turn.kind == "relation":
        axis, asked = _asked(str(turn.question[-1]))
        thought = held_against(compared(about, (axis,), margin_px(facts.medium.width_px)), asked)
    elif turn.kind == "is it":
        ((aspect, value),) = turn.wanted.items()
        thought = held_against(f"{named(about[0])}: {about[0].value(aspect)}", value)
    else:
        thought = gone_through(facts.things, facts.which(turn.wanted))
    question, answer = over(str(turn.question[-1]), str(turn.answer), thought)
    return replace(turn, question=(*turn.question[:-1], question), answer=answer)


def over(question: str, answer: str, thought: str = "") -> tuple[str, str]:
    """A question with the request to think, and its answer behind a thought, or at once where there is none."""
    return f"{question} {ASK}", f"{thought}. {MARK} {answer}" if thought else f"{MARK} {answer}"


def turn_over(asked: Message, answer: Message, thought: str = "") -> tuple[Message, Message]:
    """The same of messages.

    Args:
        asked: ends in text.
        answer: is text; finished or not, it stays so.
    """
    *shown, said = asked.parts
    question, told = over(said.data, answer.text, thought)
    return as_message(asked.role, [*shown, question]), replace(answer, parts=as_message(answer.role, told).parts)


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


def asked_first(task: Task) -> Task:
    """The same task with the request to think first; what its right answers end in is judged, so they have no thought.

    Args:
        task: of one question in each conversation.
    """
    turns = (one.messages for one in task.conversations)
    return task_of(task.name, [Conversation(turn_over(question, answer)) for question, answer in turns])


def held_against(found: str, asked: str) -> str:
    """ "..., left, asked right": what there is and what was asked for, in the same words, next to each other."""
    return f"{found}, asked {asked}"


def _asked(question: str) -> tuple[int, str]:
    """The axis along which "Is it left of the star?" wants two things compared, and "left"."""
    return next((axis, SEEN[one]) for *pair, axis in AXES for one in pair if f" {one} " in question)


def compared(things: Sequence[Thing], axes: Sequence[int], margin: float) -> str:
    """ "Across: red star eight to twenty, blue ring forty to fifty, left. Down: ..., level" """
    said = []
    for axis in axes:
        spans = [f"{named(thing)} {along(thing.box, axis)}" for thing in things]
        said.append(f"{('Across', 'Down')[axis]}: {', '.join(spans)}, {_order(things, axis, margin)}")
    return ". ".join(said)


def _order(things: Sequence[Thing], axis: int, margin: float) -> str:
    """How the first of two things lies to the other, along an axis."""
    one, other = (thing.box or (0.0, 0.0, 0.0, 0.0) for thing in things)
    before, after, _ = AXES[axis]
    if one[axis + 2] + margin <= other[axis]:
        return SEEN[before]
    return SEEN[after] if other[axis + 2] + margin <= one[axis] else "level"


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
