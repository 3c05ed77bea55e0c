"""Whether what a model writes is what was wished: models that do as they are told, and such that do not."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest
from recipes.motion import evaluate as motion
from recipes.motion import judge
from recipes.motion import wishes as clips
from recipes.motion import written as filmed
from recipes.motion.clips import FRAMES
from recipes.motion.written import UNSAID, fulfils
from recipes.scenes import evaluate as scenes
from recipes.scenes import wishes as pictures
from recipes.scenes.atlas import Atlas
from recipes.scenes.written import ANOTHER, OWN
from recipes.smol.drawing import FILMER, PAINTER, filming, painting

from sensorium.evaluate import Results
from sensorium.types import InputError, Part

COUNT = 10


@pytest.fixture(autouse=True)
def as_shipped(tmp_path, monkeypatch):
    """The codecs that lie with the recipe, whatever was trained here."""
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))


class Writer:
    """Writes what it knows of the words of a wish."""

    def __init__(self, codec, known):
        self.codecs, self.codec, self.known = {codec.facts.name: codec}, codec, known

    def chat(self, asked, want, seed):
        assert want == self.codec.facts.modality
        codes = self.known.get(asked.messages[0].text)
        if codes is None:
            return SimpleNamespace(parts=(Part("text", "I cannot."),))
        part = Part(want, self.codec.decode([codes])[0], codes, self.codec.facts.name)
        return SimpleNamespace(parts=(Part("text", "Here you are."), part))


def wished(of, side="test"):
    return [of.wish(Random(f"wished:{side}:{number}"), side) for number in range(COUNT)]


def test_pictures_as_wished_are_told_from_those_of_another_wish():
    own = {one.words: one.codes(painting()) for one in wished(pictures)}
    results = scenes.write(Writer(painting(), own), "test", COUNT)
    for what in ("things", "places", "materials", "sizes"):
        assert results.value(f"picture, in its codes: {what}").value == 1
        assert results.value(f"picture, in its codes: {what}", ANOTHER).value < 0.5
    assert results.value("picture, found in it: things").value >= 0.8
    assert results.value("picture, found in it: things").hits == results.value("picture, found in it: things", OWN).hits
    assert results.value("picture, found in it: things", ANOTHER).value < 0.3


def test_who_writes_no_picture_or_that_of_another_wish_has_not_done_as_wished():
    words = [one.words for one in wished(pictures)]
    other = dict(zip(words, [one.codes(painting()) for one in wished(pictures)[::-1]], strict=True))
    silent = scenes.write(Writer(painting(), {}), "test", COUNT)
    wrong = scenes.write(Writer(painting(), other), "test", COUNT)
    assert silent.value("picture, in its codes: things").hits == silent.value("picture, found in it: things").hits == 0
    assert wrong.value("picture, in its codes: things").value < 0.3


def test_clips_as_wished_are_told_from_those_of_another_wish():
    own = {one.words: one.codes(filming()) for one in wished(clips)}
    results = Results()
    fulfils(Writer(filming(), own), results, "test", COUNT)
    assert results.value("clip, in its codes: doing").value == 1
    assert results.value("clip, in its codes: doing", ANOTHER).value < 0.3
    assert results.value("clip, found in it: doing").hits == results.value("clip, found in it: doing", OWN).hits
    assert results.value("clip, found in it: doing").value >= 0.7


def test_the_judge_sees_clips_of_any_writer_and_lists_are_not_asked_to_turn(monkeypatch):
    seen, asked = {}, []
    monkeypatch.setattr(judge, "load", lambda: None)
    monkeypatch.setattr(filmed, "judged", lambda results, name, judge, shown, labels: seen.update(shown, labels=labels))
    model = Writer(filming(), {})
    monkeypatch.setattr(model, "chat", lambda talk, **more: asked.append(talk) or SimpleNamespace(parts=()))
    results = Results()
    filmed.writes(model, results, "test", Atlas(), 12)
    assert len(asked) == 12 and all(talk.messages[0].text.startswith("Make a clip: ") for talk in asked)
    assert UNSAID not in seen["labels"] and results.notes
    assert {len(clip) for clip in seen["model"]} == {FRAMES} and seen["model"][0].shape == (FRAMES, 64, 64, 3)


def test_who_writes_no_media_is_told_so():
    with pytest.raises(InputError, match="writes no picture; leave out"):
        scenes.write(Writer(filming(), {}), "test", 1)
    with pytest.raises(InputError, match="writes no clip; give"):
        motion.measure(Writer(painting(), {}), "test", Atlas(), 1, 1)
    assert (PAINTER, FILMER) == ("image", "video")
