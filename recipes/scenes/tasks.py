"""What evaluation asks: for each kind of question a `Task` of one turn, with answers to choose from or boxes to write.

On a side other than train, every question is about a thing of which a pair of attributes is held out, so far as it is
about things that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from recipes.scenes import thoughts
from recipes.scenes.episodes import MOVING, Episode, Making, episode
from recipes.scenes.facts import look_of
from recipes.scenes.happenings import STAYS, seconds
from recipes.scenes.held_out import look_side
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS
from recipes.scenes.questions import BOXES, SEEN
from recipes.scenes.sample import MOST, STEP_S
from recipes.scenes.scene import DIRECTIONS, MOTIONS, SIZES
from recipes.scenes.words import NUMBERS

from sensorium.evaluate import Among, Measured, Task
from sensorium.evaluate.scorers import Scorer
from sensorium.modalities import modality
from sensorium.types import Conversation, Message

YES_NO = ("yes", "no")
KINDS = ("name", "colour", "material", "size", "exists", "is it", "relation", "where", "count", "total", "locate")
HAPPENINGS = ("acts", "direction", "when", "does")


def answers(kind: str, making: Making) -> Sequence[str]:
    """What there is to choose from; none for boxes."""
    acts = [f"It {what}." for what in MOTIONS if what != "moves"] + [f"It moves {where}." for where in DIRECTIONS]
    starts = [seconds(step * STEP_S) for step in range(int(making.duration_s / STEP_S))]
    numbers = NUMBERS[: MOST + 1]
    known: dict[str, Sequence[str]] = {
        "name": making.atlas.kinds, "colour": list(COLOURS), "material": MATERIALS, "size": list(SIZES),
        "where": list(SEEN.values()), "count": numbers, "total": numbers, "acts": [*acts, STAYS],
        "direction": list(DIRECTIONS), "when": starts, "locate": (),
    }  # fmt: skip
    return known.get(kind, YES_NO)


def tasks(
    making: Making, count: int, seed: int = 0, kinds: Sequence[str] = (*KINDS, *HAPPENINGS), thinking: bool = False
) -> list[Task]:
    """A task of ``count`` questions for each kind, each about a scene of its own.

    Args:
        thinking: the same questions with the request to think first, for kinds of `recipes.scenes.thoughts` alone.

    Raises:
        InputError: a kind is not thought about.
    """
    if thinking:
        thoughts.can_be_thought_about(kinds, thoughts.KINDS)
    return [_task(kind, making, count, seed, thinking) for kind in kinds]


def _task(kind: str, making: Making, count: int, seed: int, thinking: bool) -> Task:
    random, known = Random(f"{seed}:{kind}"), answers(kind, making)
    found: list[Conversation] = []
    while len(found) < count:
        made = episode(kind, random, making)
        due = known is not YES_NO or made.turns[0].answer == YES_NO[len(found) % 2]
        if due and (making.side == "train" or _is_new(made, making)):
            found.append(_alone(thoughts.thought_about(made) if thinking else made, making))
    name = f"{'clips' if kind in MOVING else 'stills'}: {kind}"
    if thinking:
        return thoughts.task_of(name, found)
    scorer: Scorer = Among(known, ks=(1,)) if known else Measured(overlap, "IoU")
    return Task(name=name, conversations=found, scorer=scorer)


def _is_new(made: Episode, making: Making) -> bool:
    """Whether one of the things to look at has a look of the side's own; or none is there, as for a right "no"."""
    about = [made.facts.things[number] for number in made.turns[0].about]
    return not about or any(look_side(look_of(thing)) == making.side for thing in about)


def _alone(made: Episode, making: Making) -> Conversation:
    """The first question only."""
    return Episode(made.scene, made.facts, made.turns[:1]).conversation(made.rendered(making.atlas))


def overlap(model: Any, question: Conversation, answer: Message) -> float:
    """Mean intersection over union of written boxes with the right ones; 0 where none are written."""
    kind = modality(BOXES)
    written = [part for part in model.chat(question, want=BOXES).parts if part.modality == BOXES]
    if not written or written[0].data is None or not np.size(kind.open(written[0].data).array):
        return 0.0
    return kind.measures(kind.open(answer.parts[0].data), kind.open(written[0].data))["mean_iou"]
