"""Conversations from facts: true, with nothing to be told from their words, the same for a seed, taken by training."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.data import read_conversations
from sensorium.data.facts import Facts, Medium, Relation, Thing, write_facts
from sensorium.grounding.generate import Material
from sensorium.grounding.premises import premises
from sensorium.grounding.prior import guesses
from sensorium.grounding.question import Question
from sensorium.grounding.teaching import conversations
from sensorium.grounding.telling import Words
from sensorium.grounding.wording import described
from sensorium.types import Conversation, InputError

COLOURS, WEIGHTS = ("red", "green", "blue", "black"), (8, 4, 2, 1)
NAMES = ("star", "ring", "moon", "heart", "drop", "cross", "fox", "drum", "leaf")
YES_NO = ("yes", "no")


def toy(number: int, folder: Path) -> Facts:
    random = Random(number)
    names = random.choices(NAMES, (8, 5, 3, 2, 1, 1, 1, 1, 1), k=random.randint(1, 5))
    path = folder / f"{number}.txt"
    path.touch()
    things = tuple(
        Thing(name=name, attributes={"colour": tuple(random.choices(COLOURS, WEIGHTS))}, box=(9 * at, 0, 9 * at + 8, 8))
        for at, name in enumerate(names)
    )
    left = tuple(
        Relation(subject=one, predicate="left of", objects=(other,))
        for one in range(len(things))
        for other in range(one + 1, len(things))
    )
    medium = Medium(modality="image", path=path.name, width_px=64, height_px=8)
    return Facts(medium=medium, things=things, relations=left, complete=("things", "relations", "colour"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("toys")


@pytest.fixture(scope="module")
def material(folder) -> Material:
    facts = [toy(number, folder) for number in range(200)]
    write_facts(facts, folder / "facts.jsonl")
    return Material(facts, [one.medium.path for one in facts])


@pytest.fixture(scope="module")
def talks(material, folder) -> list[Conversation]:
    return list(conversations(material, 900, folder))


def turns(talk: Conversation) -> list[tuple[str, str]]:
    said = [message.text for message in talk.messages]
    return list(zip(said[::2], said[1::2], strict=True))


def about(material: Material, talk: Conversation) -> Facts:
    return material.facts[int(Path(talk.messages[0].parts[0].data).stem)]


def wanted(words: str) -> dict[str, str]:
    """What "a red star" asks for."""
    *values, name = words.split()
    colours = [value for value in values if value in COLOURS]
    return ({"colour": colours[0]} if colours else {}) | ({"name": name} if name != "thing" else {})


def test_they_have_several_turns_about_one_medium(talks):
    assert len(talks) > 800
    lengths = Counter(len(talk.messages) // 2 for talk in talks)
    assert sum(length * count for length, count in lengths.items()) > 2 * len(talks)
    for talk in talks:
        media = [(n, part) for n, one in enumerate(talk.messages) for part in one.parts if not part.is_text]
        assert len(media) == 1 and media[0][0] == 0


def test_answers_are_true(material, talks):
    checked = Counter()
    for talk in talks:
        facts = about(material, talk)
        for text, answer in turns(talk):
            asked = text.split("?")[0]
            if asked.startswith("Is there a"):
                assert answer == ("yes" if facts.which(wanted(asked.removeprefix("Is there "))) else "no")
                checked["existence", answer] += 1
            elif asked.startswith("What colour is the "):
                found = facts.which(wanted(asked.removeprefix("What colour is the ")))
                right = facts.things[found[0]].value("colour") if found else f"There is no {asked.split('the ')[1]}."
                if "\n" in text:
                    right = next(line[0] for line in text.splitlines() if line.endswith(f". {right}"))
                assert answer == right
                checked["colour", bool(found)] += 1
            elif "box" in text:
                found = facts.which(wanted(asked.removeprefix("Where is the ")))
                box = found and f"[{', '.join(f'{corner:g}' for corner in facts.things[found[0]].box or ())}]"
                assert answer == (box or f"There is no {asked.removeprefix('Where is the ')}.")
                checked["place", bool(found)] += 1
            elif text.startswith("Describe"):
                assert (text, answer) == turns(talk)[-1] and answer == described(facts)
                checked["caption"] += 1
    assert len(checked) == 7 and min(checked.values()) > 20, checked


def test_every_form_of_the_evaluation_is_taught(talks):
    said = [pair for talk in talks for pair in turns(talk)]
    letters = [answer for text, answer in said if text.endswith("Answer with the letter of the right option only.")]
    assert set(letters) == set("ABCD")
    colours = [(text, answer) for text, answer in said if text.startswith("What colour is ")]
    assert any(text.endswith("?") and answer in COLOURS for text, answer in colours)  # as a model that ranks is asked
    assert any(text.endswith("Answer in one or two words.") for text, _ in colours)
    assert {text.endswith("Answer yes or no.") for text, answer in said if answer in YES_NO} == {True, False}


def test_the_same_words_are_affirmed_as_often_as_denied(talks):
    answers = defaultdict(Counter)
    for talk in talks:
        for text, answer in turns(talk):
            if answer in YES_NO:
                answers[text][answer] += 1
    assert sum(map(Counter.total, answers.values())) > 500
    assert all(found["yes"] == found["no"] for found in answers.values())


def test_a_false_premise_is_as_likely_as_a_true_one(material, talks):
    """By the same words of the same number of media, in questions and in what conversations hold of them."""
    for stream in premises(material, material.items()):
        for group in stream:
            denied = Counter((one.text, one.answer.startswith("There is no")) for one in group)
            assert len(group) == 4 and set(denied.values()) == {1}
    places = [answer.startswith("There is no") for talk in talks for text, answer in turns(talk) if "box" in text]
    assert len(places) > 50 and sum(places) * 2 == len(places)


def test_a_reader_of_the_words_alone_gets_chance(talks):
    """The reader is shown the answers before, too, and what of the question was named before."""
    asked: list[Question] = []
    known = {*NAMES, *COLOURS}
    for talk in talks:
        before: list[tuple[set[str], str]] = []
        medium = str(talk.messages[0].parts[0].data)
        for number, (text, answer) in enumerate(turns(talk)):
            named = set(text.lower().split())
            again = [f"again-{said}" for words, said in before if named & words & known]
            seen = [f"before-{said}" for _, said in before if said in YES_NO]
            if answer in YES_NO:
                words = " ".join([*seen, *again, text])
                asked.append(Question(
                    id=f"{medium}-{number}-{len(asked)}", task="pope", medium=medium, modality="image", aspect="any",
                    text=words, answer=answer, group=medium,
                ))  # fmt: skip
            before.append((named, answer))
    (guess,) = guesses(asked)
    assert guess.rate.count > 500 and not guess.guessable, guess


def test_yes_is_a_fair_toss_whatever_was_said_before(talks):
    after = defaultdict(list)
    for talk in talks:
        said = [answer for _, answer in turns(talk) if answer in YES_NO]
        for one, other in zip(said, said[1:], strict=False):
            after[one].append(other == "yes")
    for found in after.values():
        assert len(found) > 50 and abs(sum(found) / len(found) - 0.5) < 3 * 0.5 / len(found) ** 0.5


def test_nothing_is_asked_that_was_told_before(material, talks):
    words = Words(material.facts)
    for talk in talks:
        told: set[str] = set()
        for text, answer in turns(talk):
            assert not words.named(text).names & told, turns(talk)
            told |= words.named(f"{text} {answer}").names


def test_same_seed_same_conversations(material, folder):
    few = Material(material.facts[:50], material.paths[:50])
    found = [list(conversations(replace(few, seed=seed), 50, folder)) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_the_command_writes_what_training_reads(material, folder, tmp_path):
    out = folder / "taught.jsonl"
    result = CliRunner().invoke(app, ["eval", "teach", str(folder / "facts.jsonl"), "--out", str(out), "--count", "50"])
    assert result.exit_code == 0 and "conversations to" in result.output, result.output
    found = list(read_conversations(out))
    assert 30 < len(found) <= 50 and Path(found[0].messages[0].parts[0].data).is_file()
    assert '"url": "' in out.read_text() and str(folder) not in out.read_text()


def test_facts_of_which_nothing_can_be_asked_are_refused(folder, tmp_path):
    (tmp_path / "a.txt").touch()
    write_facts([Facts(medium=Medium(modality="image", path="a.txt"))], tmp_path / "facts.jsonl")
    arguments = ["eval", "teach", str(tmp_path / "facts.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError) or "nothing can be asked" in result.output
