"""Facts of media: one form, there and back, with what follows from it and what does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sensorium.data.facts import Event, Facts, Medium, Relation, Thing, read_facts, write_facts
from sensorium.types import InputError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "facts.md"
MEDIUM = {"modality": "image", "path": "a.png", "width_px": 100, "height_px": 50}
CAT = {"name": "cat", "box": [1, 2, 30, 40]}


def facts(**said: Any) -> Facts:
    return Facts.from_json({"version": 1, "medium": MEDIUM, **said})


def test_the_examples_of_the_page_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    exec(compile(code, "docs/facts.md", "exec"), {})
    (example,) = re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    found = Facts.from_json(json.loads(example))
    assert found.to_json() == json.loads(example)


def test_everything_comes_back_from_json():
    whole = Facts(
        medium=Medium(modality="video", path="c", width_px=64, height_px=48, duration_s=2.0, rate_hz=8.0),
        things=(
            Thing(name="cat", synonyms=("kitten",), attributes={"colour": ("red", "white")}, box=(0, 0, 9.5, 8)),
            Thing(name="crowd", count=None, track=((0.0, 1, 2, 3, 4), (0.5, 2, 3, 4, 5))),
            Thing(name="tree", count=3),
        ),
        relations=(Relation(subject=0, predicate="between", objects=(1, 2)),),
        events=(Event(subject=1, what="moves", direction="left", start_s=0.0, end_s=1.0),),
        setting={"weather": ("rain",)},
        complete=("things",),
        source="by hand",
        licence="CC0-1.0",
        split="test",
    )
    assert Facts.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_what_was_not_said_is_left_out():
    assert facts().to_json() == {"version": 1, "medium": MEDIUM}
    assert facts(things=[CAT]).to_json()["things"] == [CAT]


def test_what_is_counted_and_what_nobody_knows():
    kitten = {"name": "cat", "synonyms": ["kitten"], "count": 2, "attributes": {"colour": ["red", "white"]}}
    known = facts(things=[CAT, kitten], complete=["things", "colour"])
    assert known.count({"name": "cat"}) == 3
    assert known.count({"name": "kitten", "colour": "white"}) == 2
    assert known.count({"name": "dog"}) == 0
    assert facts(things=[CAT, kitten]).count({"name": "cat"}) is None  # not all things are named
    assert facts(things=[CAT, kitten], complete=["things"]).count({"colour": "red"}) is None  # nor all colours
    crowd = {"name": "dog", "count": None}
    assert facts(things=[CAT, crowd], complete=["things"]).count({"name": "dog"}) is None


def test_a_relation_holds_does_not_or_nobody_knows():
    two = [CAT, {"name": "dog"}, {"name": "cup"}]
    said = [{"subject": 0, "predicate": "left of", "objects": [1]}]
    some, every = facts(things=two, relations=said), facts(things=two, relations=said, complete=["relations"])
    assert some.holds(0, "left of", (1,)) is some.holds(1, "right of", (0,)) is True
    assert some.holds(0, "right of", (1,)) is some.holds(1, "left of", (0,)) is False
    assert some.holds(0, "above", (2,)) is None
    assert every.holds(0, "above", (2,)) is False


def test_a_thing_is_where_its_track_says_and_only_then():
    cat = Thing(name="cat", track=((1.0, 0, 0, 10, 10), (2.0, 10, 0, 20, 10), (3.0, 10, 0, 30, 10)))
    assert cat.box_at(0.5) is cat.box_at(3.5) is None
    assert cat.box_at(1.5) == (5, 0, 15, 10)
    assert cat.box_at(3.0) == (10, 0, 30, 10)
    assert Thing(name="cat", box=(1, 2, 3, 4)).box_at(9.0) == (1, 2, 3, 4)


PAIR = [CAT, {"name": "dog"}]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"things": [{"box": [1, 2, 3, 4]}]}, "the facts.things has no 'name'"),
    ({"things": [{"name": "cat", "box": [1, 2, 3]}]}, "things.box must be a list of 4 items"),
    ({"things": [{"name": "cat", "box": [9, 2, 3, 4]}]}, "thing 0 (cat) has a box with swapped corners"),
    ({"things": [{"name": "cat", "colour": "red"}]}, "has 'colour', which is not known there"),
    ({"things": [{"name": "cat", "track": [[1, 0, 0, 1, 1], [0, 0, 0, 1, 1]]}]}, "a track whose times do not rise"),
    ({"things": [{"name": "cat", "count": 0}]}, "things.count must be a whole number of 1 to"),
    ({"things": PAIR, "relations": [{"subject": 0, "predicate": "on", "objects": [2]}]}, "not among the 2"),
    ({"things": PAIR, "relations": [{"subject": 0, "predicate": "on", "objects": [0]}]}, "thing 0 is on itself"),
    ({"things": PAIR, "relations": [{"subject": 0, "predicate": "on", "objects": []}]}, "a list of 1 to 8 items"),
    ({"events": [{"subject": 0, "what": "moves", "start_s": 0, "end_s": 1}]}, "names thing 0, which is not among"),
    ({"things": PAIR, "events": [{"subject": 0, "what": "moves", "start_s": 2, "end_s": 1}]}, "ends before it starts"),
    ({"version": 2}, "version must be one of 1"),
]


@pytest.mark.parametrize(("said", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_wrong_facts_are_refused_in_a_sentence(said, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        facts(**said)


@pytest.mark.parametrize("second", [(0, "right of", 1), (1, "left of", 0)])
def test_facts_that_contradict_each_other_are_refused(second):
    said = [(0, "left of", 1), second]
    relations = [{"subject": one, "predicate": what, "objects": [other]} for one, what, other in said]
    with pytest.raises(InputError, match=r"is both (left of and right|right of and left) of"):
        facts(things=PAIR, relations=relations)


def test_a_line_that_is_wrong_is_named(tmp_path):
    path = tmp_path / "facts.jsonl"
    write_facts([facts(things=[CAT])], path)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"version": 1, "medium": 3}\n')
    found = read_facts(path)
    assert next(found).things[0].name == "cat"
    with pytest.raises(InputError, match=r"line 2 of .*facts.jsonl \(it.medium must be an object of JSON"):
        next(found)
    path.write_text("[1", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1 of .* is no JSON"):
        next(read_facts(path))
    with pytest.raises(InputError, match="there is no file of facts"):
        next(read_facts(tmp_path / "none"))
