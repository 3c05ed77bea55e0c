"""The recipe of the pretrained model: what its base says, kept in whole sentences, and senses in one mixture."""

from __future__ import annotations

import json
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from recipes.scenes.codec import making
from recipes.scenes.tasks import tasks
from recipes.smol import curve, model, talk
from toys import tiny_base

from sensorium.evaluate.instructions import instructions, plain_prompts
from sensorium.types import Conversation, InputError, Part, as_message

SHOWN = [SimpleNamespace(label=label) for label in ("cat", "red apple")]


def test_a_text_ends_with_a_whole_sentence():
    assert talk.sentences(" It is red. It is on the") == "It is red."
    assert talk.sentences("never finished") == ""


def test_questions_follow_from_their_number_and_none_is_asked_by_the_evaluation():
    asked = list(talk.questions(SHOWN, 200))
    assert asked[:50] == list(talk.questions(SHOWN, 50))
    said = {one.question for one in asked}
    assert "Tell me about a red apple." in said and any("the cat" in one for one in said)
    assert 0.5 < sum(one.number >= 0 for one in asked) / 200 < 0.8
    evaluated = {*plain_prompts(), *(one.prompt for one in instructions())}
    assert not evaluated & {*said, *talk.APART}


def test_the_base_is_asked_and_its_answers_are_kept(tmp_path):
    talk.write(tmp_path / "said.jsonl", tiny_base(), SHOWN, count=6, tokens=24)
    kept = [talk.Said(**json.loads(line)) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert len(kept) <= 6 and all(one.answer[-1] in talk.ENDS for one in kept)


def test_a_picture_is_its_names_and_then_the_things_in_it():
    looks = model.Looks(
        codec="image-read",
        values_VND=np.zeros((1, 2, 3), np.float32),
        quantise=lambda values: np.array([[7, 8]] * len(values)),
        things=[np.array([], np.int64), np.array([1, 2, 3])],
    )
    assert looks.read(0, Random(0)).tolist() == [7, 8]
    assert looks.read(1, Random(0)).tolist() == [7, 8, 1, 2, 3]


def test_several_conversations_become_one():
    one = Conversation((as_message("user", "What?"), as_message("assistant", "That.")))
    made = [model.several(lambda random: one, 3)(Random(seed)) for seed in range(30)]
    assert {len(talk.messages) for talk in made} == {2, 4, 6}


@pytest.fixture
def said(monkeypatch):
    """Two answers of a base, one about a thing, and makers of media that need no data."""
    about = talk.Said("cat", 0, "Tell me about a cat.", "It purrs.")
    apart = talk.Said("cat", -1, "Write something.", "Once there was a sea.")
    monkeypatch.setattr(model, "_told", lambda about_things: [about] if about_things else [apart])
    shown = as_message("user", [Part("image", codes=np.array([1]), codec="image-read"), "What is this?"])
    first = Conversation((shown, as_message("assistant", "a cat")))
    for name in ("names", "scene", "clip"):
        monkeypatch.setattr(model, name, lambda random, most=1: first)


def test_what_is_said_apart_comes_after_a_medium_in_the_words_of_the_base(said):
    made = [model.apart(Random(seed)) for seed in range(20)]
    assert all(talk.messages[0].parts[0].modality == "image" for talk in made)
    answers = {message.text for talk in made for message in talk.messages[3::2]}
    assert answers == {"It purrs.", "Once there was a sea."}
    noticed = {talk.messages[0].text for talk in made}
    assert "What is this?" in noticed and noticed & {shown for shown, _ in model.NOTICED}


def test_a_point_of_the_curve_of_thinking_is_how_many_conclusions_are_right():
    known = [one for task in tasks(making("test"), 3, kinds=curve.THOUGHT, thinking=True) for one in task.conversations]

    def chat(prompt, **how):
        (right,) = (one for one in known if one.messages[:-1] == prompt.messages)
        return SimpleNamespace(text=right.messages[-1].text)

    assert curve.thought(SimpleNamespace(chat=chat), 7) == 7
    assert curve.thought(SimpleNamespace(chat=lambda prompt, **how: SimpleNamespace(text="one")), 7) == 0


def test_a_curve_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="no measure 'drawn'; there are said, thought"):
        curve.evaluate([tmp_path], measure="drawn")
