"""Thoughts about scenes: the answer follows from what is written before it, and only what ends a text is judged."""

from __future__ import annotations

import re
from random import Random
from types import SimpleNamespace

import pytest
from recipes.scenes.atlas import Atlas
from recipes.scenes.episodes import Making, episode
from recipes.scenes.evaluate import thinks
from recipes.scenes.tasks import tasks
from recipes.scenes.thoughts import ASK, KINDS, MARK, thought_about

from sensorium.evaluate import Concluded, Results
from sensorium.families.numbers import in_words
from sensorium.types import Conversation, InputError, as_message

NUMBER_OF = {in_words(number): number for number in range(65)}
ORDERS = {"left": True, "above": True, "right": False, "below": False}
SPAN = re.compile(r"([a-z ]+?) ((?:[a-z]+ty )?[a-z]+) to ((?:[a-z]+ty )?[a-z]+)$")
TIMES = 60


@pytest.fixture(scope="module")
def making() -> Making:
    return Making(side="train", side_px=64, more=0, atlas=Atlas())


def spans(said: str) -> list[tuple[int, int]]:
    """From where to where the two things of "red star eight to twenty, blue ring forty to fifty" reach."""
    found = [SPAN.fullmatch(one) for one in said.split(", ")]
    assert all(found), said
    return [(NUMBER_OF[one[2]], NUMBER_OF[one[3]]) for one in found if one]


def concluded(kind: str, question: str, thought: str) -> str:
    """What somebody answers who reads the thought alone and never saw the picture."""
    if kind in ("relation", "is it"):
        thought, asked = thought.rsplit(", asked ", 1)
        found = thought.rsplit(", " if kind == "relation" else ": ", 1)[1]
        assert f" {asked}" in question
        if kind == "is it":
            return "yes" if found == asked else "no"
    if kind in ("relation", "where"):
        gaps, orders = [], []
        for part in thought.split(". "):
            axis, said = part.split(": ")
            said, order = said.rsplit(", ", 1)
            one, other = spans(said)
            gaps += [(other[0] - one[1], axis, True), (one[0] - other[1], axis, False)]
            orders += [(axis, ORDERS[order])] if order in ORDERS else []
        gap, axis, before = max(gaps)
        assert gap > 1
        assert orders == [(axis, before)]
        assert kind == "where" or (order == asked) == (before == (" left of " in question or " above " in question))
        if kind == "where":
            return {"Across": ("right", "left"), "Down": ("below", "above")}[axis][before]
        return "yes" if before == (" left of " in question or " above " in question) else "no"
    counts = [one.rsplit(": ", 1)[1] for one in thought.split(", ")] if thought != "nothing" else []
    met = [one for one in counts if one != "no"]
    assert met == [in_words(number + 1) for number in range(len(met))]
    if kind == "exists":
        return "yes" if met else "no"
    return met[-1] if met else "none"


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_follows_from_the_thought(kind, making):
    for number in range(TIMES):
        plain = episode(kind, Random(number), making)
        turn, before = thought_about(plain).turns[0], plain.turns[0]
        question, (thought, answer) = str(turn.question[-1]), str(turn.answer).split(f". {MARK} ")
        assert question == f"{before.question[-1]} {ASK}"
        assert answer == before.answer == concluded(kind, question, thought)


def test_what_is_not_thought_about_stays_as_it_is(making):
    made = episode("colour", Random(0), making)
    assert thought_about(made) == made


def test_only_what_ends_a_text_is_judged(making):
    (task,) = tasks(making, 6, kinds=["count"], thinking=True)
    assert task.scorer == Concluded(mark=MARK)

    def saying(change):
        def chat(prompt, **how):
            right = next(one.messages[1].text for one in task.conversations if one.messages[:1] == prompt.messages)
            return SimpleNamespace(text=change(right))

        return SimpleNamespace(chat=chat)

    def right(model) -> int:
        return sum(verdict.right for verdict in task.run(model, Results(say=lambda line: None)))

    assert right(saying(lambda text: text)) == 6
    assert right(saying(lambda text: f"I do not know. Answer: none. Or rather {MARK} {text.split(MARK)[1]}")) == 6
    assert right(saying(lambda text: text.split(MARK)[1])) == 0
    assert right(saying(lambda text: f"{text} or so")) == 0


def test_no_mark_is_no_answer():
    talk = Conversation((as_message("user", "Well?"), as_message("assistant", "red: no. Answer: none")))
    model = SimpleNamespace(chat=lambda prompt, **how: SimpleNamespace(text="none"))
    assert [one.right for one in Concluded().judge(model, [talk])] == [False]
    told = Conversation((as_message("user", "Well?"), as_message("assistant", "none")))
    with pytest.raises(InputError, match="has no 'Answer:'"):
        Concluded().judge(model, [told])


def test_what_is_not_thought_about_is_not_asked(making):
    with pytest.raises(InputError, match="nothing is thought about 'colour'"):
        tasks(making, 1, kinds=["count", "colour"], thinking=True)


def test_thinking_is_held_against_answers_at_once(making):
    at_once, thought = (tasks(making, 4, kinds=["where"], thinking=first) for first in (False, True))
    right = {one.messages[0].text: one.messages[1].text for one in thought[0].conversations}
    results = Results(say=lambda line: None)
    model = SimpleNamespace(chat=lambda prompt, **how: SimpleNamespace(text=right.get(prompt.messages[0].text, "?")))
    thinks(model, at_once, thought, results)
    assert results.value("stills: where, thinking", "model").hits == 4
    assert results.value("stills: where, at once", "model").hits == 0
    assert results.notes["stills: where, thinking against at once"]["only_one"] == 4
