"""What evaluation asks: for each kind of question a `Task` of one turn, with answers to choose from or to write.

On a side other than train, every question is about a thing that does what training never shows it do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from recipes.motion import thoughts
from recipes.motion.clips import DURATION_S, done
from recipes.motion.held_out import pair_side
from recipes.motion.makers import Episode, episode
from recipes.motion.questions import conversation
from recipes.motion.subtitles import Cued
from recipes.scenes.atlas import Atlas
from recipes.scenes.happenings import STAYS, seconds
from recipes.scenes.sample import STEP_S
from recipes.scenes.scene import DIRECTIONS, MOTIONS
from recipes.scenes.thoughts import MARK, can_be_thought_about, task_of

from sensorium.data.table import Side
from sensorium.evaluate import Among, Scorer, Task
from sensorium.types import Conversation

YES_NO = ("yes", "no")
TIMES = tuple(seconds(step * STEP_S) for step in range(round(DURATION_S / STEP_S)))
DOINGS = tuple(what for what in MOTIONS if what != "moves") + tuple(f"moves {where}" for where in DIRECTIONS)
ANSWERS = {
    "acts": (*(f"It {doing}." for doing in DOINGS), STAYS),
    "direction": tuple(DIRECTIONS),
    "when": TIMES,
    "until": TIMES,
    "does": YES_NO,
}
SCORERS: Mapping[str, Scorer] = {kind: Among(said, ks=(1,)) for kind, said in ANSWERS.items()} | {"subtitles": Cued()}
THOUGHT_OVER = Cued(mark=MARK, max_tokens=400)
"""Subtitles behind a thought about every thing."""


def tasks(
    side: Side, atlas: Atlas, count: int, seed: int = 0, kinds: Sequence[str] = tuple(SCORERS), thinking: bool = False
) -> list[Task]:
    """A task of ``count`` questions for each kind, each about a clip of its own.

    Args:
        thinking: the same questions with the request to think first, for kinds of `recipes.motion.thoughts` alone.

    Raises:
        InputError: a kind is not thought about.
    """
    if thinking:
        can_be_thought_about(kinds, thoughts.KINDS)
    return [_task(kind, side, atlas, count, seed, thinking) for kind in kinds]


def _task(kind: str, side: Side, atlas: Atlas, count: int, seed: int, thinking: bool) -> Task:
    random = Random(f"{seed}:{kind}")
    found: list[Conversation] = []
    while len(found) < count:
        made = episode(kind, random, side, atlas, more=0)
        due = kind != "does" or made.talks[0].answer == YES_NO[len(found) % 2]
        if due and (side == "train" or _is_new(made, side)):
            talks = thoughts.thought_about(made.talks, made.clip.facts) if thinking else made.talks
            found.append(conversation(made.clip, talks))
    if thinking:
        task = task_of(kind, found)
        return replace(task, scorer=THOUGHT_OVER) if kind == "subtitles" else task
    return Task(name=kind, conversations=found, scorer=SCORERS[kind])


def _is_new(made: Episode, side: Side) -> bool:
    """Whether a thing that one must look at does what is of the side."""
    facts = made.clip.facts
    events = [event for event in facts.events if event.subject in made.talks[0].about]
    return any(pair_side(facts.things[event.subject].name, done(event)) == side for event in events)
