"""Scorers of grounding, worked by hand."""

from __future__ import annotations

import math

import pytest

from sensorium.evaluate import Mark
from sensorium.grounding import parse
from sensorium.grounding.captions import CaptionScores, ciders
from sensorium.grounding.chair import Chair, ChairScores, synonyms_of
from sensorium.grounding.localisation import Located, iou, mean_average_precision
from sensorium.grounding.marking import marked
from sensorium.grounding.prompts import prompt, rotations
from sensorium.grounding.question import Question
from sensorium.grounding.yes_no import Groups, Pope
from sensorium.types import InputError

OPTIONS = ("red", "dark red", "blue", "green")
CHAIR = Chair(("dog", "hot dog", "person"), {"dog": ["puppy"]})


def question(task="choice", **more) -> Question:
    known = {"id": "q", "medium": "m.png", "modality": "image", "aspect": "colour", "text": "What?", "answer": "red"}
    return Question(**(known | {"task": task, "options": OPTIONS if task == "choice" else ()} | more))


# --- reading answers


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("B", "dark red"),
        ("b", "dark red"),
        ("B.", "dark red"),
        ("(C)", "blue"),
        ("**D**", "green"),
        ("C. blue", "blue"),
        ("Answer: C", "blue"),
        ("The answer is D.", "green"),
        ("The correct option is (A).", "red"),
        ("red", "red"),
        ("It is dark red.", "dark red"),
        ("Blue", "blue"),
        ("I think it is green", "green"),
        ("After looking at it, my answer is B", "dark red"),
    ],
)
def test_options_are_read_from_letters_and_words(text, meant):
    assert parse.option(text, OPTIONS) == parse.Said(meant)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", "unparsable"),
        ("E", "unparsable"),
        ("red or blue", "unparsable"),
        ("A thing of beauty", "unparsable"),
        ("I'm sorry, I can't see it.", "refused"),
        ("I cannot answer that; it may be red", "refused"),
        ("I don’t see any attachment", "refused"),
        ("Yes", "unparsable"),
    ],
)
def test_what_is_no_option_is_told_apart(text, outcome):
    assert parse.option(text, OPTIONS) == parse.Said("", outcome)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Yes.", "yes"),
        ("yes", "yes"),
        ("YES!", "yes"),
        ("**No**", "no"),
        ("No, there is no dog.", "no"),
        ("Answer: Yes", "yes"),
        ("Yes, it is not far", "yes"),
        ("There is no dog", "no"),
        ("It isn't there.", "no"),
        ("\n no", "no"),
    ],
)
def test_yes_and_no_are_read_leniently(text, meant):
    """A mistake of other harnesses: "Yes." with its stop is scored wrong."""
    assert parse.yes_no(text) == parse.Said(meant)


@pytest.mark.parametrize(
    ("text", "outcome"), [("Maybe", "unparsable"), ("I cannot tell", "refused"), ("", "unparsable")]
)
def test_neither_yes_nor_no(text, outcome):
    assert parse.yes_no(text).outcome == outcome


def test_free_answers_and_boxes():
    assert parse.free("It is a Dog.", ["dog", "puppy"]).value == "dog"
    assert parse.free("puppy", ["dog", "puppy"]).value == "puppy"
    assert parse.free("a hot dog", ["dog"]).value == "hot dog"
    assert parse.free("I can't see it", ["dog"]).outcome == "refused"
    assert parse.places("The box is [10, 20, 5.5, 40]") == [(5.5, 20, 10, 40)]
    assert parse.places("[1, 2, 3]") == []


# --- choice


def test_circular_evaluation_asks_every_order():
    one = question()
    orders = rotations(one, ranks=False)
    assert [order.index("red") for order in orders] == [0, 3, 2, 1]
    assert prompt(one, orders[1]).splitlines()[1:4] == ["A. dark red", "B. blue", "C. green"]
    assert rotations(one, ranks=True) == [OPTIONS] and prompt(one, OPTIONS, bare=True) == "What?"


def test_always_the_first_letter_is_right_once_but_not_in_circles():
    one = question()
    orders = rotations(one, ranks=False)
    lazy = marked(one, ["A"] * 4, orders, CHAIR)
    assert (lazy.score, lazy.more["circular"], lazy.chance) == (1, 0, 0.25)
    sure = marked(one, ["A", "D", "C", "B"], orders, CHAIR)
    assert (sure.score, sure.more["circular"]) == (1, 1)


def test_open_answers_take_synonyms():
    one = question("open", answer="dog", also=("puppy",))
    assert marked(one, ["A puppy."], [()], CHAIR).score == 1
    assert marked(one, ["cat"], [()], CHAIR).score == 0


# --- yes and no


def yes_no(said: str, truth: str, medium="m", text="?", group="g", tier="random") -> Mark:
    one = question("pope", id=f"{medium}{text}{group}", medium=medium, text=text, group=group, tier=tier, answer=truth)
    return marked(one, [said], [()], CHAIR)


def test_popes_measures_by_hand():
    """3 right yes, 1 missed, 2 wrong yes, 2 right no, 1 unreadable where no was right."""
    said = [("Yes.", "yes")] * 3 + [("No", "yes")] + [("yes", "no")] * 2 + [("no", "no")] * 2 + [("Perhaps", "no")]
    found = Pope.of([yes_no(*one, medium=str(n)) for n, one in enumerate(said)])
    assert found.accuracy.value == pytest.approx(5 / 9)
    assert (found.precision, found.recall) == (pytest.approx(3 / 5), pytest.approx(3 / 4))
    assert found.f1 == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    assert found.yes_share == pytest.approx(5 / 8)


def test_the_yes_share_is_of_the_answers_not_of_the_truth():
    """A mistake of other harnesses: the share counted over what is right, so that it is the same for every model."""
    truths = ["yes", "no"] * 4
    always = Pope.of([yes_no("Yes.", truth, medium=str(n)) for n, truth in enumerate(truths)])
    never = Pope.of([yes_no("no", truth, medium=str(n)) for n, truth in enumerate(truths)])
    assert (always.yes_share, never.yes_share) == (1.0, 0.0)
    assert always.accuracy.value == never.accuracy.value == 0.5
    assert (always.recall, always.precision, never.f1) == (1, 0.5, 0)


def group(answers: str, name: str) -> list[Mark]:
    """Two media by two questions; the right answers are yes, no, no, yes."""
    places = [("m1", "q1", "yes"), ("m1", "q2", "no"), ("m2", "q1", "no"), ("m2", "q2", "yes")]
    words = {"y": "yes", "n": "no"}
    return [
        yes_no(words[said], truth, medium, text, name)
        for said, (medium, text, truth) in zip(answers, places, strict=True)
    ]


def test_groups_by_hand():
    marks = group("ynny", "right") + group("yyny", "one wrong") + group("yyyy", "yes-sayer")
    found = Groups.of(marks)
    assert found.questions.value == pytest.approx((4 + 3 + 2) / 12)
    assert found.one_medium.value == pytest.approx((2 + 1 + 0) / 6)
    assert found.one_question.value == pytest.approx((2 + 1 + 0) / 6)
    assert found.whole.value == pytest.approx(1 / 3)


# --- captions


def caption(text: str, *there: str) -> Mark:
    return marked(question("caption", answer=", ".join(there), also=there), [text], [()], CHAIR)


def test_chair_by_hand():
    marks = [
        caption("A puppy and two people.", "dog", "person"),
        caption("A hot dog; a person eats the hot dog.", "person"),
        caption("Nothing much.", "dog"),
    ]
    assert [mark.more["made_up"] for mark in marks] == [[], ["hot dog", "hot dog"], []]
    assert [mark.score for mark in marks] == [1, 0, 0], "who names nothing is not right"
    found = ChairScores.of(marks)
    assert found.instances == pytest.approx(2 / 5)
    assert found.captions.value == pytest.approx(1 / 3)
    assert found.coverage == pytest.approx(3 / 4)


def test_tables_of_synonyms():
    assert synonyms_of("dog, puppy, hound\n\nperson\n") == {"dog": ["puppy", "hound"], "person": []}
    with pytest.raises(InputError, match="'pup' for 'dog' and for 'seal'"):
        synonyms_of("dog, pup\nseal, pup")


def test_bleu_by_hand():
    """One word of six is another, the fifth: 5 of 6 words are there, 3 of 5 pairs, 2 of 4 of three, 1 of 3 of four."""
    pytest.importorskip("sacrebleu")
    known = {"answer": "star", "also": ("star",), "references": ("a red star on the table",)}
    marks = [marked(question("caption", **known), ["A red star on a table"], [()], CHAIR)]
    found = CaptionScores.of(marks)
    assert found is not None and found.bleu.value == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert (found.bleu.low, found.bleu.high) == (found.bleu.value, found.bleu.value), "one medium has no spread"
    assert CaptionScores.of([caption("A dog.", "dog")]) is None, "nothing to compare with"


def test_bleus_interval_is_over_media():
    pytest.importorskip("sacrebleu")

    def one(medium: str, text: str) -> Mark:
        known = {"answer": "star", "also": ("star",), "references": ("one small red star",), "medium": medium}
        return marked(question("caption", **known), [text], [()], CHAIR)

    marks = [one(f"{n}", "one small red star" if n % 2 else "two big blue cars there") for n in range(40)]
    found = CaptionScores.of(marks)
    assert found is not None and found.bleu.low < found.bleu.value < found.bleu.high
    # 4 + 0 of 4 + 5 words in each two media, 3 of 7, 2 of 5, 1 of 3; longer than the references, so no penalty
    assert found.bleu.value == pytest.approx((4 / 9 * 3 / 7 * 2 / 5 * 1 / 3) ** 0.25)
    twice = CaptionScores.of([mark for mark in marks for _ in range(4)])
    assert twice is not None and (twice.bleu.low, twice.bleu.high) == (found.bleu.low, found.bleu.high)


def test_cider_by_hand():
    """Two media, "red star" and "blue star": "star" is in both and weighs nothing, all else log 2."""
    references = [["red star"], ["blue star"]]
    assert ciders(["red star", "blue star"], references) == pytest.approx([5, 5]), "two of four orders, both the same"
    # of "red" all, of "red star" nothing in "red": one order, and one word shorter
    assert ciders(["red", "x"], references) == pytest.approx([10 / 4 * math.exp(-1 / 72), 0])
    # "red" three times: min(3, 1) * 1 / (3 * 1) = 1/3, two words longer with "star"; "red star" 1/sqrt(2) of bigrams
    found = ciders(["red red red star", "x"], references)[0]
    bigrams = 1 / math.sqrt(2**2 + 1)  # "red red" twice, "red star" once
    assert found == pytest.approx(10 / 4 * (1 / 3 + bigrams) * math.exp(-4 / 72))
    assert ciders(["red star"], [["red star"]]) == [0], "of one medium nothing is rare"
    assert ciders(["red star", "x"], [["red star", "green car"], ["blue star"]])[0] == pytest.approx(2.5)


# --- boxes


def located(text: str, *true) -> Mark:
    return marked(
        question("locate", answer="the dog", also=("dog",), places=true, frame=(100.0, 100.0)), [text], [()], CHAIR
    )


def test_overlaps_by_hand():
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert iou((0, 0, 10, 10), (20, 20, 30, 30)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_localisation_by_hand():
    marks = [
        located("[0, 0, 10, 10]", (0, 0, 10, 10)),
        located("[0,0,10,6]", (0, 0, 10, 10)),
        located("[50,50,60,60]", (0, 0, 10, 10)),
        located("somewhere", (0, 0, 10, 10)),
    ]
    assert [mark.score for mark in marks] == [1, 0.6, 0, 0]
    assert marks[3].outcome == "unparsable"
    found = Located.of(marks)
    assert found.overlap.value == pytest.approx(0.4) and found.hits.value == 0.5
    assert mean_average_precision(marks[:1]) == pytest.approx(1)
    assert mean_average_precision(marks[2:]) == 0
    assert 0.1 < mean_average_precision(marks) < 0.6
    assert found.average_precision == pytest.approx(mean_average_precision(marks))
