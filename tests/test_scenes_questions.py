"""Questions about scenes: true, not to be guessed, and nothing of what is held out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from random import Random

import numpy as np
import pytest
from PIL import Image
from recipes.scenes import data
from recipes.scenes.atlas import Atlas
from recipes.scenes.episodes import MOVING, STILL, Episode, Making, episode, makers
from recipes.scenes.held_out import look_side, looks, pair_side, scene_side
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS
from recipes.scenes.questions import Turn
from recipes.scenes.sample import crowd, sample_looks
from recipes.scenes.scene import SIZES
from recipes.scenes.shapes import KINDS
from recipes.scenes.words import NUMBERS, plural

from sensorium.data import lint, read_conversations
from sensorium.data.facts import Facts, read_facts
from sensorium.recipe import conversations
from sensorium.recipe.command import main
from sensorium.types import InputError

BLIND: Mapping[str, float] = {
    "name": 0.3, "colour": 0.3, "material": 0.4, "size": 0.55, "exists": 0.65, "is it": 0.65, "relation": 0.65,
    "where": 0.45, "beside": 0.1, "describe": 0.1, "point": 0.1, "count": 0.35, "total": 0.4, "acts": 0.4,
    "direction": 0.45, "who": 0.1, "when": 0.4, "does": 0.65, "happens": 0.1,
}  # fmt: skip
"""What somebody may get right who knows all questions and answers of others, and does not look."""


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return Atlas()


def made(side, atlas: Atlas, tasks: Mapping[str, float], count: int, seed: int = 0) -> list[Episode]:
    making = Making(side=side, side_px=64, atlas=atlas)
    found = []
    for number in range(count):
        random = Random(f"{seed}:{number}")
        found.append(episode(random.choices(list(tasks), list(tasks.values()))[0], random, making))
    return found


@pytest.fixture(scope="module", params=["train", "test"])
def episodes(request, atlas) -> list[Episode]:
    return made(request.param, atlas, STILL, 800) + made(request.param, atlas, MOVING, 400)


def asked(episodes: Iterable[Episode], kind: str) -> list[tuple[Facts, str, str]]:
    """(facts, question, answer) of a kind, of those answered in words."""
    turns = ((one.facts, turn) for one in episodes for turn in one.turns if turn.kind == kind)
    return [(facts, text(turn), turn.answer) for facts, turn in turns if isinstance(turn.answer, str)]


def text(turn: Turn) -> str:
    return "".join(part for part in turn.question if isinstance(part, str))


# --- what is held out

PAIRS = [(one, other) for a, b in combinations((KINDS, tuple(COLOURS), MATERIALS), 2) for one in a for other in b]


def test_training_never_shows_a_held_out_pair_and_each_side_shows_its_own(atlas):
    random = Random(0)
    for number in range(3000):
        for side in ("train", "val", "test"):
            if number % 3:
                shown = sample_looks(random, side, random.randint(1, 6), atlas)
            else:
                shown, _ = crowd(random, side, random.randint(0, 5), random.choice(("kind", "colour")))
            sides = Counter(pair_side(*pair) for look in shown for pair in combinations(look, 2))
            assert set(sides) <= {"train", side}
            assert sides[side] > 0
            assert scene_side(shown) == side


def test_training_knows_every_value_and_most_of_its_partners():
    shown = {frozenset(pair) for look in looks("train") for pair in combinations(look, 2)}
    for value in (*KINDS, *COLOURS, *MATERIALS):
        own = [pair for pair in PAIRS if value in pair]
        assert sum(frozenset(pair) in shown for pair in own) / len(own) > 0.6
    shares = Counter(pair_side(*pair) for pair in PAIRS)
    assert 0.08 < shares["test"] / len(PAIRS) < 0.2
    assert not set(looks("train")) & set(looks("test"))


def test_what_shows_pairs_of_val_and_of_test_is_of_no_side():
    test, val = looks("test")[0], looks("val")[0]
    assert scene_side([test, looks("train")[0]]) == "test"
    assert scene_side([test, val]) is None
    assert look_side(test) == "test"


def test_questions_of_training_do_not_even_deny_held_out_pairs(atlas):
    sides: dict[str, Counter[str]] = {}
    for side in ("train", "test"):
        turns = [turn for one in made(side, atlas, {"exists": 1, "is it": 1}, 300, seed=1) for turn in one.turns]
        own = [words(text(turn)) for turn in turns if turn.kind in ("exists", "is it")]
        sides[side] = Counter(pair_side(*pair) for said in own for pair in combinations(said, 2) if pair in EVERY)
    assert set(sides["train"]) == {"train"}
    assert sides["test"]["test"] > 20 and not sides["test"]["val"]


EVERY = {both for pair in PAIRS for both in (pair, pair[::-1])}


def words(question: str) -> list[str]:
    found = re.findall(r"[a-z]+", question)
    return [word for word in found if word in KINDS or word in COLOURS or word in MATERIALS]


# --- answers are true


def wanted(phrase: str) -> dict[str, str]:
    """ "red striped star" by aspect."""
    places = {"size": SIZES, "material": MATERIALS, "colour": COLOURS, "name": KINDS}
    single = [{plural(kind): kind for kind in KINDS}.get(word, word) for word in re.findall("[a-z]+", phrase)]
    return {aspect: word for word in single for aspect, known in places.items() if word in known}


def the_one(facts: Facts, phrase: str) -> int:
    (number,) = facts.which(wanted(phrase.split("the ", 1)[-1]))
    return number


def centre(facts: Facts, number: int) -> tuple[float, float]:
    x0, y0, x1, y1 = facts.things[number].box or (0, 0, 0, 0)
    return (x0 + x1) / 2, (y0 + y1) / 2


BEFORE = {"left of": (0, 1), "right of": (0, -1), "above": (1, 1), "below": (1, -1)}


def test_existence_and_number(episodes):
    for facts, question, answer in asked(episodes, "exists"):
        assert answer == ("yes" if facts.which(wanted(question[:-1])) else "no")
    for facts, question, answer in asked(episodes, "count"):
        assert facts.count(wanted(question)) == NUMBERS.index(answer)
    for facts, _, answer in asked(episodes, "total"):
        assert len(facts.things) == NUMBERS.index(answer)


@pytest.mark.parametrize("kind", ["name", "colour", "material", "size"])
def test_values_are_those_of_the_one_thing_that_is_meant(kind, episodes):
    found = asked(episodes, kind)
    assert len(found) > 50
    for facts, question, answer in found:
        assert facts.things[the_one(facts, question)].value(kind) == answer


def test_whether_a_thing_has_a_value(episodes):
    for facts, question, answer in asked(episodes, "is it"):
        *who, value = question.removeprefix("Is the ").removesuffix("?").split()
        thing = facts.things[the_one(facts, " ".join(who))]
        assert answer == ("yes" if value in (thing.value("colour"), thing.value("material")) else "no")


def test_where_things_are(episodes):
    for facts, question, answer in asked(episodes, "relation"):
        one, predicate, other = re.split(f"({'|'.join(BEFORE)})", question)
        axis, sign = BEFORE[predicate]
        a, b = (centre(facts, the_one(facts, phrase.strip(" ?"))) for phrase in (one, other))
        assert answer == ("yes" if (b[axis] - a[axis]) * sign > 0 else "no")
    for facts, question, answer in asked(episodes, "where"):
        one, other = question.split(", seen from ")
        axis, sign = next(place for predicate, place in BEFORE.items() if predicate.startswith(answer))
        a, b = (centre(facts, the_one(facts, phrase.strip(" ?"))) for phrase in (one, other))
        assert (b[axis] - a[axis]) * sign > 0


def test_what_happens(episodes):
    def event_of(facts: Facts, question: str):
        number = the_one(facts, question)
        return next((event for event in facts.events if event.subject == number), None)

    for facts, question, answer in asked(episodes, "acts"):
        event = event_of(facts, question.strip("?"))
        assert (event.what in answer and event.direction in answer) if event else answer == "It stays as it is."
    for facts, question, answer in asked(episodes, "direction"):
        assert event_of(facts, question.strip("?")).direction == answer
    for facts, question, answer in asked(episodes, "when"):
        assert float(answer.split()[1]) == event_of(facts, question.strip("?")).start_s
    for facts, question, answer in asked(episodes, "does"):
        event = event_of(facts, question.strip("?"))
        does = event.what[:4] in question and (event.direction in question.strip("?").split() or not event.direction)
        assert answer == ("yes" if does else "no")
    for facts, question, answer in asked(episodes, "who"):
        (event,) = [event for event in facts.events if event.what in question]
        assert facts.things[event.subject].has(wanted(answer))


def test_located_boxes_are_those_of_what_is_asked(episodes):
    located = [(one.facts, turn) for one in episodes for turn in one.turns if turn.kind == "locate"]
    assert len(located) > 30
    for facts, turn in located:
        signal = turn.answer.data
        expected = [thing.box for thing in facts.things if thing.has(wanted(signal.labels[0]))]
        as_read = sorted(expected, key=lambda box: ((box[1] + box[3]) // 16, box[0] + box[2]))
        assert signal.array.tolist() == [list(box) for box in as_read]
        assert signal.frame == (64, 64)


def test_what_is_red_is_asked_of_shapes_where_drawings_may_be_red_too():
    fish = np.full((20, 30, 4), (200, 0, 0, 255), np.uint8)
    said = [text(turn) for one in made("train", Atlas({"fish": fish}), STILL, 150) for turn in one.turns]
    looks_of = "|".join((*COLOURS, *MATERIALS))
    assert any("fish" in question for question in said)
    assert any(re.search(f"({looks_of}) shape", question) for question in said)
    assert not any(re.search(f"({looks_of}) thing", question) for question in said)


# --- answers cannot be guessed


def test_every_kind_of_question_has_a_bound_and_nobody_beats_it_blind(episodes):
    kinds = {turn.kind for one in episodes for turn in one.turns}
    assert kinds == {*BLIND, "locate"}
    for kind, bound in BLIND.items():
        found = [(question, answer) for _, question, answer in asked(episodes, kind)]
        share = max(guessed(found, by_text=True), guessed(found, by_text=False))
        assert share <= bound, f"{kind}: {share:.2f} of {len(found)} guessed"


def guessed(found: list[tuple[str, str]], by_text: bool) -> float:
    """Share of the second half that is right when the first half's most frequent answer is given."""
    known, every = defaultdict(Counter), Counter()
    for question, answer in found[::2]:
        known[question][answer] += 1
        every[answer] += 1
    best = every.most_common(1)[0][0]
    guess = lambda question: known[question].most_common(1)[0][0] if by_text and known[question] else best  # noqa: E731
    return float(np.mean([guess(question) == answer for question, answer in found[1::2]]))


def test_the_blind_guesser_finds_what_can_be_guessed():
    found = [("Is a star red?", "yes"), ("Is a ring red?", "no")]
    assert guessed([pair for pair in found for _ in range(10)], by_text=True) == 1.0
    assert guessed([pair for pair in found for _ in range(10)], by_text=False) == 0.5


# --- the recipe


def test_the_kit_makes_conversations_with_rendered_media(atlas):
    made = makers(Making(side_px=64, atlas=atlas))
    one, two = (list(conversations(made, {"draw": 1, "acts": 1, "locate": 1}, 6, seed=3)) for _ in range(2))
    assert [talk.messages for talk in one] == [talk.messages for talk in two]
    drawn = [talk for talk in one if talk.messages[0].text.startswith("Draw")]
    assert drawn and all(talk.messages[1].parts[0].array.shape == (64, 64, 3) for talk in drawn)
    clips = [talk for talk in one if len(talk.messages[0].parts) > 10]
    assert clips and "8 frames a second" in clips[0].messages[0].text


def write(tmp_path, *more: str) -> int:
    options = ["--train", "8", "--val", "2", "--test", "2", "--side-px", "64", "--no-drawings"]
    return main(["scenes"], lambda name: data_recipe(), ["scenes", "data", *options, "--out", str(tmp_path), *more])


def data_recipe():
    from recipes.scenes.recipe import RECIPE

    return RECIPE


def test_one_command_writes_media_facts_and_conversations(tmp_path, capsys):
    assert write(tmp_path) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path)
    for side, count in (("train", 8), ("val", 2), ("test", 2)):
        facts = list(read_facts(tmp_path / side / "facts.jsonl"))
        talks = list(read_conversations(tmp_path / side / "conversations.jsonl"))
        assert len(facts) == len(talks) == count
        assert {one.split for one in facts} == {side}
        for one in facts:
            path = tmp_path / side / one.medium.path
            files = sorted(path.glob("*.png")) if path.is_dir() else [path]
            assert len(files) == (16 if one.medium.duration_s else 1)
            assert Image.open(files[0]).size == (one.medium.width_px, one.medium.height_px)
    assert lint(tmp_path / "train" / "conversations.jsonl").problems == []


def test_a_second_run_goes_on_and_other_options_are_refused(tmp_path, capsys):
    assert write(tmp_path) == 0
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    picture = next(path for path in first if path.suffix == ".png")
    kept = next(path for path in first if path.suffix == ".png" and path.parent != picture.parent)
    picture.unlink()
    age = kept.stat().st_mtime_ns
    assert write(tmp_path) == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first
    assert kept.stat().st_mtime_ns == age, "what is there is not rendered again"
    assert write(tmp_path, "--train", "9") == 0, "more of the same may follow"
    assert write(tmp_path, "--seed", "1") == 2
    assert "made with other options" in capsys.readouterr().err


def test_drawings_that_are_wanted_and_missing_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="make them with `python -m recipes pictograms data`"):
        data.make(train=1, val=0, test=0, drawings=True, out=tmp_path / "out")
