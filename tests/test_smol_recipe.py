"""The recipe of the pretrained model: what its base says, kept in whole sentences, and senses in one mixture."""

from __future__ import annotations

import json
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from recipes.scenes.codec import making
from recipes.scenes.tasks import tasks
from recipes.scenes.thoughts import ASK, MARK
from recipes.smol import curve, makers, senses, talk
from toys import tiny_base

from sensorium.evaluate.instructions import instructions, plain_prompts
from sensorium.types import Conversation, InputError, Part, as_message

SHOWN = [SimpleNamespace(label=label) for label in ("cat", "red apple")]


def test_questions_about_things_follow_from_their_number():
    asked = list(talk.about(SHOWN, 200))
    assert asked[:50] == list(talk.about(SHOWN, 50))
    assert "Tell me about a red apple." in {one.question for one in asked}
    assert {one.number for one in asked} == set(range(len(talk.ABOUT)))
    assert not {*plain_prompts(), *(one.prompt for one in instructions())} & {one.question for one in asked}


def test_the_base_is_asked_and_its_answers_are_kept(tmp_path):
    talk.write(tmp_path / "said.jsonl", tiny_base(), SHOWN, count=6, tokens=24)
    kept = [talk.Said(**json.loads(line)) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert {bool(one.label) for one in kept} == {True, False} and len(kept) <= 6
    assert not all(one.finished for one in kept), "a model of chance seldom comes to an end within 24 tokens"


def test_the_base_asks_itself_whole_questions_that_the_evaluation_does_not_ask(monkeypatch):
    known = plain_prompts()[0]
    turns = iter(
        [[("Why is it so", False), (known, True), ("", True), ("Why?", True)], [("How?", True), ("No?", True)]]
    )
    monkeypatch.setattr(talk, "written", lambda *given, **how: next(turns))
    assert [one.question for one in talk.own_questions(tiny_base(), 2)] == ["Why?", "How?"]


def test_a_prompt_ends_where_the_base_is_to_go_on():
    assert talk.opening(tiny_base()).endswith("user\n")
    asked = talk.opening(tiny_base(), "Why?")
    assert "Why?" in asked and asked.endswith("assistant\n")


def test_a_picture_is_its_names_and_then_the_things_in_it():
    looks = senses.Looks(
        codec="image-read",
        values_VND=np.zeros((1, 2, 3), np.float32),
        quantise=lambda values: np.array([[7, 8]] * len(values)),
        things=[np.array([], np.int64), np.array([1, 2, 3])],
    )
    assert looks.read(0, Random(0)).tolist() == [7, 8]
    assert looks.read(1, Random(0)).tolist() == [7, 8, 1, 2, 3]


def test_several_conversations_become_one():
    one = Conversation((as_message("user", "What?"), as_message("assistant", "That.")))
    made = [makers.several(lambda random: one, 3)(Random(seed)) for seed in range(30)]
    assert {len(talk.messages) for talk in made} == {2, 4, 6}


@pytest.fixture
def said(monkeypatch):
    """Two answers of a base, one about a thing, and makers of media that need no data."""
    about = talk.Said("cat", 0, "Tell me about a cat.", "It purrs.")
    apart = talk.Said("", talk.OWN, "Write something.", "Once there was", finished=False)
    monkeypatch.setattr(makers, "_told", lambda about_things: [about] if about_things else [apart])
    text = SimpleNamespace(pick=lambda random, side: SimpleNamespace(text="Rain falls."))
    monkeypatch.setattr(makers, "texts", lambda: text)
    shown = as_message("user", [Part("image", codes=np.array([1]), codec="image-read"), "What is this?"])
    first = Conversation((shown, as_message("assistant", "a cat")))
    for name in ("names", "scene", "clip", "watch"):
        monkeypatch.setattr(makers, name, lambda random, most=1: first)


def test_what_is_said_apart_comes_after_a_medium_and_is_not_learned_but_for_the_request_to_think(said):
    made = [makers.apart(Random(seed)) for seed in range(40)]
    assert all(talk.messages[0].parts[0].modality == "image" and talk.messages[1].learned for talk in made)
    answers = {(message.text, message.learned) for talk in made for message in talk.messages[3::2]}
    plain = {"It purrs.", "Once there was"}
    told = {text for text, learned in answers if not learned}
    assert told >= plain and all(set(text.split(". ")) <= {"Rain falls", "Rain falls."} for text in told - plain)
    assert {text for text, learned in answers if learned} == {f"{MARK} {text}" for text in plain}
    noticed = {talk.messages[0].text for talk in made}
    assert "What is this?" in noticed and noticed & {shown for shown, _ in makers.NOTICED}


def test_who_is_to_think_before_he_talks_says_what_is_shown_if_anything_is(said, monkeypatch):
    shown = SimpleNamespace(by_label={"cat": None})
    monkeypatch.setattr(makers, "concepts", lambda: shown)
    monkeypatch.setattr(makers.pictures, "any_picture", lambda concept, random: SimpleNamespace(medium=3))
    monkeypatch.setattr(makers, "seen", lambda: SimpleNamespace(fill=lambda made, random: made))
    for maker, ends in (
        (makers.about, {f"a cat. {MARK} It purrs."}),
        (makers.alone, {f"{MARK} It purrs.", f"{MARK} Once there was"}),
    ):
        made = [maker(Random(seed)).messages for seed in range(200)]
        turns = [turn for one in made for turn in zip(one[::2], one[1::2], strict=True)]
        thought = [(asked, answer) for asked, answer in turns if asked.text.endswith(ASK)]
        assert 0.15 < len(thought) / len(turns) < 0.35
        assert {answer.text for _, answer in thought} == ends
        assert all(answer.finished == ("purrs" in answer.text) for _, answer in thought)
        assert not any(MARK in answer.text for asked, answer in turns if not asked.text.endswith(ASK))


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
