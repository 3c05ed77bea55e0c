"""Questions from facts: true, balanced so that words give nothing away, without copies, the same for a seed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from random import Random

import pytest
from PIL import Image
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.data.facts import OPPOSITE, Event, Facts, Medium, Relation, Thing, write_facts
from sensorium.grounding.balance import groups
from sensorium.grounding.card import Card
from sensorium.grounding.generate import Material, generate
from sensorium.grounding.prior import guesses
from sensorium.grounding.question import Question, read_questions, sampled
from sensorium.grounding.stems import Item
from sensorium.grounding.twins import aspect_of, twins
from sensorium.types import InputError

COLOURS = ("red", "green", "blue", "black")
NAMES = ("star", "ring", "moon", "heart", "drop", "cross")
WEIGHTS = (8, 4, 2, 1)
"""Some values are far more frequent, as in the world: that must not help anybody who does not look."""


def toy(number: int) -> Facts:
    random = Random(number)
    names = random.choices(NAMES, (8, 5, 3, 2, 1, 1), k=random.randint(2, 5))
    things = tuple(
        Thing(
            name=name,
            attributes={"colour": tuple(random.choices(COLOURS, WEIGHTS)), "text": (random.choice(("STOP", "GO")),)},
            box=(10 * place, 0, 10 * place + 8, 8),
        )
        for place, name in enumerate(random.sample(names, len(names)))
    )
    relations = tuple(
        Relation(subject=one, predicate="left of", objects=(other,))
        for one in range(len(things))
        for other in range(one + 1, len(things))
    )
    return Facts(
        medium=Medium(modality="image", path=f"{number}.png", width_px=64, height_px=8, duration_s=1.0),
        things=things,
        relations=relations,
        events=tuple(
            Event(subject=subject, what=what, start_s=0, end_s=1)
            for subject, what in enumerate(random.sample(("moves", "grows"), 2))
        ),
        complete=("things", "relations", "events", "colour"),
    )


@pytest.fixture(scope="module")
def facts() -> list[Facts]:
    return [toy(number) for number in range(400)]


@pytest.fixture(scope="module")
def questions(facts) -> list[Question]:
    return generate(Material(facts, [one.medium.path for one in facts]), 3000)


def of(facts: list[Facts], question: Question) -> Facts:
    return facts[int(question.medium.split(".")[0])]


def the_one(known: Facts, words: str) -> Thing:
    """The thing that "the red star" fits."""
    said = words.removeprefix("the ").split()
    name = {"name": said[-1]} if said[-1] != "thing" else {}
    (number,) = known.which(name | ({"colour": said[0]} if len(said) > 1 else {}))
    return known.things[number]


# --- true


def test_right_answers_are_right_and_wrong_ones_wrong(facts, questions):
    checked = Counter()
    for one in questions:
        known = of(facts, one)
        if one.task == "choice" and one.aspect == "colour":
            thing = the_one(known, one.text.removeprefix("What colour is ").rstrip("?"))
            assert [option for option in one.options if option in thing.attributes["colour"]] == [one.answer]
        elif one.task in ("choice", "open") and one.aspect == "number":
            name = one.text.removeprefix("How many ").removesuffix(" are there?")
            name = next(known_ for known_ in NAMES if name.startswith(known_))
            assert ("zero", "one", "two", "three", "four", "five").index(one.answer) == known.count({"name": name})
        elif one.task == "choice" and one.text == "Which of these is there?":
            assert [option for option in one.options if known.which({"name": option.split()[-1]})] == [one.answer]
        elif one.task in ("pope", "groups") and one.text.startswith("Is there "):
            colour, name = ["", *one.text.rstrip("?").split()[3:]][-2:]
            wanted = {"name": name} | ({"colour": colour} if colour else {})
            assert one.answer == ("yes" if known.which(wanted) else "no")
        elif one.task == "choice" and one.aspect == "relation":
            first, second = one.text.removeprefix("Where is ").rstrip("?").split(", seen from ")
            places = [known.things.index(the_one(known, words)) for words in (first, second)]
            assert known.holds(places[0], one.answer, (places[1],))
            assert not any(known.holds(places[0], other, (places[1],)) for other in one.options if other != one.answer)
        elif one.task == "locate":
            assert one.places == (the_one(known, one.answer).box,)
        elif one.task == "caption":
            assert set(one.also) == {thing.name for thing in known.things}
        else:
            continue
        checked[one.task, one.aspect] += 1
    assert len(checked) >= 7 and min(checked.values()) > 10, checked


def test_every_aspect_is_asked_in_both_tiers(questions):
    kinds = {(one.aspect, one.tier) for one in questions if one.task == "choice"}
    aspects = ("colour", "text", "object", "number", "relation", "action", "existence")
    assert {(aspect, tier) for aspect in aspects for tier in ("random", "hard")} <= kinds
    assert {one.tier for one in questions if one.task == "pope"} == {"random", "popular", "adversarial"}
    assert {one.task for one in questions} == {"choice", "open", "groups", "pope", "locate", "caption"}


def test_hard_wrong_answers_are_elsewhere_in_the_medium(facts, questions):
    hard = [one for one in questions if (one.task, one.aspect, one.tier) == ("choice", "colour", "hard")]
    assert len(hard) > 20
    for one in hard:
        there = {value for thing in of(facts, one).things for value in thing.attributes["colour"]}
        assert there & set(one.options) - {one.answer}
    words = [one for one in questions if one.task == "groups" and one.tier == "hard" and "there a" in one.text]
    denied = [one for one in words if one.answer == "no" and len(one.text.split()) == 5]
    for one in denied:
        colour, name = one.text.rstrip("?").split()[3:]
        assert of(facts, one).which({"colour": colour}) and of(facts, one).which({"name": name})
    assert denied


def test_opposites_that_nobody_excluded_are_not_taken_for_wrong():
    """Without complete relations only the opposite of what is said is surely wrong."""
    item = Item(0, "left of", false=frozenset({OPPOSITE["left of"]}))
    assert item.denies("right of") and not item.denies("above") and not item.denies("left of")


# --- balanced


def test_nobody_can_tell_the_answer_from_the_words(questions):
    right = defaultdict(Counter)
    for one in questions:
        if one.task in ("choice", "groups", "pope"):
            right[one.group, one.text, tuple(sorted(one.options))][one.answer] += 1
    for (_, _, options), counts in right.items():
        assert len(counts) == (len(options) or 2) and set(counts.values()) == {1}
    for guess in guesses(questions):
        assert not guess.guessable, guess


def test_the_reader_of_words_finds_what_can_be_guessed():
    def biased(n: int) -> Question:
        name, colour = ("banana", "yellow") if n % 2 else ("sky", "blue")
        return Question(
            id=str(n), task="choice", medium=f"{n}.png", modality="image", aspect="colour",
            text=f"What colour is the {name}?", options=("yellow", "blue"), answer=colour,
        )  # fmt: skip

    (guess,) = guesses([biased(n) for n in range(100)])
    assert guess.rate.value == 1 and guess.chance == 0.5 and guess.guessable


def test_frequent_values_are_not_right_more_often(questions):
    card = Card(questions, [], 0)
    assert card.unbalanced() == card.duplicates == 0
    four = card.places()[4]
    assert max(four) / sum(four) < 0.33, "the right option stands everywhere about as often"


def test_groups_use_a_medium_once_and_deny_each_other():
    items = [Item(n, "abc"[n % 3], near=frozenset("abc") - {"abc"[n % 3]}) for n in range(30)]
    for hard in (False, True):
        found = list(groups(items, 3, hard, Random(0)))
        assert sum(map(len, found)) >= 24
        for group in found:
            truths = {item.truth for item in group}
            assert len(truths) == len(group)
            assert not hard or all(item.near & truths for item in group)
        used = [item.medium for group in found for item in group]
        assert len(used) == len(set(used))
    assert not list(groups(items[::3], 3, False, Random(0))), "all answers are the same"


def test_the_same_seed_gives_the_same_questions(facts, questions):
    material = Material(facts, [one.medium.path for one in facts])
    assert generate(material, 3000) == questions
    assert generate(Material(facts, material.paths, seed=1), 3000) != questions
    assert len({one.id for one in questions}) == len(questions)


def test_samples_keep_groups_whole_and_aspects_even(questions):
    few = sampled(questions, 60)
    assert few == sampled(questions, 60)
    sizes = Counter(one.group for one in questions if one.group)
    assert all(count == sizes[group] for group, count in Counter(one.group for one in few if one.group).items())
    assert len({one.aspect for one in few if one.task == "choice"}) >= 6


# --- minimal pairs


def test_names_that_differ_in_one_word_are_twins():
    found = twins(["woman running", "man running", "woman sitting", "red heart", "blue heart", "cat"])
    assert found["woman running"] == {"man running", "woman sitting"}
    assert found["cat"] == frozenset()
    assert aspect_of("woman running", "man running") == "gender"
    assert aspect_of("red heart", "blue heart") == "colour"
    assert aspect_of("woman running", "woman sitting") == "object"


def test_twins_are_asked_against_each_other():
    names = ["woman running", "man running", "red heart", "blue heart", "cat"] * 4
    known = [
        Facts(medium=Medium(modality="image", path=f"{n}.png"), things=(Thing(name=name),), complete=("things",))
        for n, name in enumerate(names)
    ]
    made = generate(Material(known, [one.medium.path for one in known]), 200)
    twin = [one for one in made if one.tier == "twin" and one.task == "choice"]
    assert {frozenset(one.options) for one in twin} == {
        frozenset({"woman running", "man running"}), frozenset({"red heart", "blue heart"})
    }  # fmt: skip
    assert {one.aspect for one in twin} == {"gender", "colour"}


# --- files


def test_the_command_writes_questions_and_their_card(tmp_path, facts):
    few = facts[:60]
    for one in few:
        Image.new("RGB", (64, 8)).save(tmp_path / one.medium.path)
    write_facts(few, tmp_path / "facts.jsonl")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "questions.jsonl"
    said = CliRunner().invoke(
        app, ["eval", "questions", str(tmp_path / "facts.jsonl"), "--out", str(out), "--count", "300"]
    )
    assert said.exit_code == 0, said.output
    assert "Duplicates: 0." in said.output and "| choice | colour | hard |" in said.output
    assert out.with_suffix(".md").read_text() == said.output
    found = read_questions(out)
    assert all((out.parent / one.medium).is_file() for one in found)
    lines = out.read_text().splitlines()
    assert [json.loads(json.dumps(one.to_json())) for one in found] == list(map(json.loads, lines))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 of .* is no question"),
        ('{"id": "a"}', "has no 'task'"),
        ('{"id":"a","task":"choice","medium":"m","modality":"image","aspect":"x","text":"?","options":["b"],"answer":"c"}',
         "its answer must be among them"),
        ("", "holds no questions"),
    ],
)  # fmt: skip
def test_files_that_are_no_questions_are_told(tmp_path, line, message):
    (tmp_path / "q.jsonl").write_text(line)
    with pytest.raises(InputError, match=message):
        read_questions(tmp_path / "q.jsonl")


def test_facts_of_one_medium_on_two_lines_are_refused(facts):
    with pytest.raises(InputError, match=r"0\.png has facts twice"):
        Material(facts[:1] * 2, ["0.png"] * 2)
