"""An assistant makes turns out of conversations, and tells which of given answers are likeliest."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from serving import Greys, tiny_assistant

from sensorium.engines import Attempts, Sampling, Scored, Turn
from sensorium.families.uniform import UniformCodec
from sensorium.generate import Assistant, different, plan
from sensorium.generate.corruption import CORRUPTED, corrupted
from sensorium.types import Conversation, InputError, Part, Signal, as_message

CODES = Greys().encode([Signal(np.zeros((16, 16, 3), np.uint8))])[0]
PICTURE = Part("image", codes=CODES, codec="image")
ANSWERS = ["yes", "no", "a red cat", "<|image|>", "no"]


@pytest.fixture
def model():
    return tiny_assistant()


def asked(*content) -> Conversation:
    return Conversation((as_message("user", list(content)),))


def test_ranking_is_sorting_the_scores(model):
    scores = model.score(["what?", PICTURE], ANSWERS)
    ranked = model.rank(["what?", PICTURE], ANSWERS, wanted=3)
    order = sorted(range(len(ANSWERS)), key=lambda index: (-scores[index], index))
    assert [one.index for one in ranked] == order[:3]
    assert [one.score for one in ranked] == pytest.approx([scores[index] for index in order[:3]], abs=1e-4)
    assert isinstance(ranked[0], Scored)


def test_contrast_of_scores_is_that_of_two_prompts(model):
    talk = model.senses.encode(asked("what?", PICTURE))
    worse = corrupted(talk, model.senses)
    plain, without = model.score(talk, ANSWERS), model.score(worse, ANSWERS)
    assert plain != without
    bar = max(plain) + np.log(0.1)
    expected = [2.5 * a - 1.5 * b if a >= bar else -np.inf for a, b in zip(plain, without, strict=True)]
    assert model.score(talk, ANSWERS, contrast=1.5) == pytest.approx(expected, abs=1e-3)
    best = model.rank(talk, ANSWERS, 1, contrast=1.5)[0]
    assert best.score == pytest.approx(max(expected), abs=1e-3)
    assert model.score("what?", ANSWERS, contrast=1.5) == model.score("what?", ANSWERS), "there is nothing to corrupt"


def test_nothing_of_a_medium_is_left_when_all_its_codes_are_drawn_anew():
    senses = tiny_assistant(codecs=[UniformCodec(1, bins=64, name="series", modality="series")]).senses
    talk = senses.encode(Conversation((as_message("user", [Part("series", np.linspace(-5, 90, 40))]),)))
    (before,), (after,) = talk.parts(), corrupted(talk, senses, 1.0).parts()
    head = senses.codec("series").layout.header_codes
    assert head and (before.codes[:head] != after.codes[:head]).any(), "what stands in the header tells of it, too"
    assert (before.codes != after.codes).mean() > 0.8
    senses.codec("series").layout.check(after.codes)


def test_contrast_reads_the_medium_with_other_codes(model):
    turn = model.turn(asked("what?", PICTURE), "text", contrast=1.0)
    assert turn.contrasted and len(turn.corrupted) == len(turn.prompt)
    changed = sum(a != b for a, b in zip(turn.prompt, turn.corrupted, strict=True))
    assert 0 < changed <= CORRUPTED * len(CODES)
    assert model.turn(asked("what?", PICTURE), "text", contrast=1.0).corrupted == turn.corrupted
    assert model.turn(asked("what?", PICTURE), "text").corrupted is None
    assert not model.turn(asked("what?"), "text", contrast=1.0).contrasted
    assert model.chat(["what?", PICTURE], "text", contrast=1.0, max_tokens=5).ids


def test_answers_are_spelled_as_they_are_learned(model):
    """A string that looks like a marker stays text, and the end of the turn belongs to the answer."""
    for answer in ANSWERS:
        whole = model.stream.render(Conversation((*asked("hm").messages, as_message("assistant", answer))))
        learned = whole.ids[whole.mask].tolist()
        assert model._spelled(answer) == learned
    marker = model.vocabulary.writer("image").open_id
    assert marker not in model._spelled("<|image|>")


def test_the_adapter_is_for_media_that_are_given_or_asked_for_by_name(model):
    heard = []
    model.engine.score = lambda prompt, answers, adapter: heard.append(adapter) or [0.0]
    model.engine.best = lambda prompt, answers, wanted, adapter: heard.append(adapter) or []
    for content, options in (("hm", {}), (["hm", PICTURE], {}), ("hm", {"adapter": True})):
        model.score(content, ["yes"], **options)
        model.rank(content, ["yes"], **options)
    assert heard == [False, False, True, True, True, True]
    turns = [
        model.turn(asked("hm")),
        model.turn(asked("hm"), "text"),
        model.turn(asked("hm"), "image"),
        model.turn(asked("hm"), ["text", "image"]),
        model.turn(asked(PICTURE), "text"),
    ]
    assert [turn.adapter for turn in turns] == [False, False, True, False, True]


def test_a_turn_keeps_to_what_it_may_take(model):
    assert model.turn(asked("hm"), max_tokens=9).rules.budget == 9
    assert model.turn(asked("hm"), most=7, max_tokens=9).sampling.max_tokens == 7
    with pytest.raises(InputError, match="a budget of 7 tokens"):
        model.turn(asked("hm"), "image", most=7)


def test_text_and_media_can_be_left_to_the_model(model):
    reply = model.chat("draw or say", want=("text", "image"), temperature=2.0, max_tokens=60, seed=1)
    assert {part.modality for part in reply.parts} <= {"text", "image"}
    with pytest.raises(InputError, match="'sound'"):
        model.chat("hm", want=("text", "sound"))


def test_several_answers_are_other_draws(model):
    replies = model.candidates("hm", "image", count=4, scorer=lambda reply: reply.ids[1])
    assert len({reply.ids for reply in replies}) > 1
    assert [reply.ids[1] for reply in replies] == sorted((reply.ids[1] for reply in replies), reverse=True)
    likeliest = model.candidates("hm", "image", count=4)
    turn = model.turn(asked("hm"), "image")
    gains = [model.information(turn, reply.ids) for reply in likeliest]
    assert gains == sorted(gains, reverse=True)


@pytest.mark.parametrize("content", ["cat.png", ["What is this?", "pictures/cat.png"]])
def test_a_file_name_said_as_words_is_told(model, content):
    with pytest.warns(UserWarning, match=r"said to the model as words; .* say sm\.Image\('.*cat\.png'\)"):
        model.chat(content, want="text", max_tokens=2)


@pytest.mark.parametrize("content", ["What is cat.png?", "end.", "notes.unknown", Part("text", "cat.png")])
def test_other_words_are_said_without_a_warning(model, content):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.chat(content, want="text", max_tokens=2)


def sure(**attempts) -> Assistant:
    """A model that takes the likeliest codes: whatever the seed, a picture is a copy of the one before."""
    model = tiny_assistant()
    model.senses = replace(model.senses, sampling={"image": {"temperature": 0.0, "attempts": attempts}})
    return model


def test_attempts_of_a_sure_model_differ_where_it_says_how():
    copies = sure().candidates("hm", "image", count=4)
    assert len({reply.ids for reply in copies}) == 1
    model = sure(temperature=1.0, pool=3)
    replies = model.candidates("hm", "image", count=4)
    assert len({reply.ids for reply in replies}) == 4
    alone = model.chat("hm", "image").ids
    assert replies[0].ids == alone == copies[0].ids, "the first is as one would be"
    turn = model.turn(asked("hm"), "image")
    scores = [model.likelihood(turn, reply.ids) for reply in replies[1:]]
    assert scores == sorted(scores, reverse=True), "then the likeliest of the others"
    one_by_one = {model.chat("hm", "image", attempt=number).ids for number in range(4)}
    assert len(one_by_one) == 4 and alone in one_by_one
    assert len({reply.ids for reply in model.candidates("hm", "image", count=4, temperature=0)}) == 1, "said is meant"


def test_what_is_written_for_several_attempts():
    turn = Turn([1], rules=None, sampling=Sampling(temperature=0.0), attempts=Attempts(temperature=1.0, pool=3))
    made = plan(turn, 2)
    assert (made.written, made.first_stays) == (6, True)
    assert [one.sampling.temperature for one in made.turns] == [0, 1, 1, 1, 1, 1]
    assert [one.sampling.seed for one in made.turns] == list(range(6))
    assert different([1, 1, 2, 2, 1, 3], str) == ([1, 2, 3], [1, 2, 1])
    later = plan(turn, 2, attempt=2)
    assert (later.turn.sampling.seed, later.turn.sampling.temperature, later.first_stays) == (12, 1.0, False)
    assert plan(turn, 1).written == 1 and plan(turn, 3, most=4).written == 4 and plan(turn, 3, most=2).written == 3
    assert Attempts(top_k=2).sampling(Sampling(temperature=0.5)) == Sampling(temperature=0.5, top_k=2)
    best = plan(turn, 1, best_of=5)
    assert (best.written, best.first_stays) == (5, False)


def test_numbers_of_attempts_that_make_no_sense_are_refused():
    for fields in ({"pool": 0}, {"temperature": -1.0}, {"top_k": -1}):
        with pytest.raises(InputError, match=r"Attempts\("):
            Attempts(**fields)
    with pytest.raises(InputError, match="not 3 of 2"):
        tiny_assistant().candidates("hm", "image", count=3, best_of=2)
