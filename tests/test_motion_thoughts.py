"""Thoughts about clips: the answer follows from what is written before it."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest
from recipes.motion.makers import episode
from recipes.motion.tasks import tasks
from recipes.motion.thoughts import KINDS, thought_about
from recipes.scenes.atlas import Atlas
from recipes.scenes.happenings import SAID
from recipes.scenes.scene import DIRECTIONS
from recipes.scenes.thoughts import ASK, MARK

from sensorium.evaluate import Concluded
from sensorium.families.numbers import in_words

NUMBERS = {in_words(number): number for number in (*range(65), *np.arange(0, 2, 0.25).tolist())}
SPAN = "((?:[a-z]+ty )?[a-z0-9.]+) to ((?:[a-z]+ty )?[a-z0-9.]+)"
THOUGHT = re.compile(
    f".*: across {SPAN}, then {SPAN}, [a-z]+; down {SPAN}, then {SPAN}, [a-z]+; seen {SPAN}; changes {SPAN}"
)


def doing(thought: str) -> str:
    """What a thing does, to somebody who reads the thought alone."""
    found = THOUGHT.fullmatch(thought)
    assert found, thought
    x0, x1, to_x0, to_x1, y0, y1, to_y0, to_y1, seen, until, begins, ends = (NUMBERS[one] for one in found.groups())
    told = [part.rsplit(", ", 1)[1] for part in thought.split("; ")[:2]]
    wider, higher = (to_x1 - to_x0) - (x1 - x0), (to_y1 - to_y0) - (y1 - y0)
    right, down = to_x0 + to_x1 - x0 - x1, to_y0 + to_y1 - y0 - y1
    if seen or until < 2:
        return "appears" if seen else "vanishes"
    if begins == ends:
        return "stays"
    if max(abs(right), abs(down)) > 6:
        moves = ("right" if right > 0 else "left") if abs(right) > abs(down) else ("down" if down > 0 else "up")
        assert sorted(told) == sorted([moves, "same"])
        return f"moves {moves}"
    assert ("grows" if wider > 1 and higher > 1 else "") == ("grows" if told == ["larger"] * 2 else "")
    return "grows" if wider > 1 and higher > 1 else "shrinks" if wider < -1 and higher < -1 else "turns"


def seen(thought: str) -> list[float]:
    found = re.search(f"seen {SPAN}", thought)
    assert found, thought
    return [NUMBERS[one] for one in found.groups()]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "subtitles"])
def test_the_answer_follows_from_the_thought(kind):
    right = 0
    for number in range(60):
        made = episode(kind, Random(number), "train", Atlas(), more=0)
        (talk,) = thought_about(made.talks, made.clip.facts)
        (before,) = made.talks
        assert talk.said == f"{before.said} {ASK}"
        thought, answer = talk.answer.split(f". {MARK} ")
        assert answer == before.answer
        if kind == "does":
            thought, held = thought.rsplit("; ", 1)
            found, asked = held.split(", asked ")
            assert (found == asked) == (answer == "yes") and before.said.endswith(f" {asked}?")
        does = doing(thought)
        said, (verb, *where) = before.said.removesuffix("?"), does.split()
        right += {
            "acts": before.answer in (f"It {does}.", f"It {does} as it is."),
            "direction": before.answer in DIRECTIONS and f"moves {before.answer}" == does,
            "does": (before.answer == "yes") == said.endswith(" ".join([SAID.get(verb, verb), *where])),
        }[kind]
    assert right == 60


def test_subtitles_follow_from_the_thought():
    several = 0
    for number in range(60):
        made = episode("subtitles", Random(number), "train", Atlas(), more=0)
        (before,), (talk,) = made.talks, thought_about(made.talks, made.clip.facts)
        thought, answer = talk.answer.split(f". {MARK} ")
        assert answer == before.answer
        each, _, first = thought.partition(". First ")
        told = [one.rsplit("; ", 1) for one in each.split(". ")]
        assert all(doing(followed) == does for followed, does in told)
        seen_s = [until - since for since, until in (seen(followed) for followed, _ in told)]
        assert seen_s == sorted(seen_s, reverse=True)
        does = {followed.split(":")[0]: does for followed, does in told if does != "stays"}
        order = first.split(", then ") if first else list(does)
        cues = [line.split(" ", 1)[1] for line in answer.splitlines() if line[:2] in ("A ", "An")]
        assert cues == [f"{name} {does[name]}" for name in order] and len(cues) == len(does)
        several += len(order) > 1
    assert several > 10


def test_other_questions_stay_as_they_are():
    made = episode("when", Random(0), "train", Atlas(), more=0)
    assert thought_about(made.talks, made.clip.facts) == made.talks


def test_tasks_are_judged_by_what_ends_them():
    (task,) = tasks("test", Atlas(), 3, kinds=["direction"], thinking=True)
    assert task.name == "direction, thinking" and task.scorer == Concluded(mark=MARK)
    assert all(one.messages[0].text.endswith(ASK) for one in task.conversations)
