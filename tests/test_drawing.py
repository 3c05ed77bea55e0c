"""Wishes for pictures and clips: their codes are what the words say, and what is drawn of them shows it."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from recipes.motion import wishes as clips
from recipes.motion.clips import FRAMES
from recipes.motion.held_out import clip_side
from recipes.scenes import wishes as pictures
from recipes.scenes.codec import trained
from recipes.scenes.held_out import looks
from recipes.scenes.look import KEPT, as_found, drawing, plain_scenes, portraits, save
from recipes.scenes.look import load as load_look
from recipes.scenes.wishes import USUAL_COLOUR, stands
from recipes.smol.drawing import FILMER, PAINTER, film, filming, paint, painting

from sensorium.families.tracks import TracksCodec
from sensorium.modalities.image import psnr_db

COUNT = 300


@pytest.fixture(autouse=True)
def as_shipped(tmp_path_factory, monkeypatch):
    """The codecs that lie with the recipe, whatever was trained here."""
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path_factory.getbasetemp()))


def things_of(wished: pictures.Wished) -> list:
    return painting().things(wished.codes(painting()))


@pytest.mark.parametrize("side", ["train", "test"])
def test_a_wish_is_fulfilled_by_its_codes_and_not_by_those_of_another(side):
    wished = [pictures.wish(Random(number), side) for number in range(COUNT)]
    assert all(all(pictures.fulfilled(one, things_of(one)).values()) for one in wished)
    others = [pictures.fulfilled(one, things_of(other)) for one, other in zip(wished, wished[1:], strict=False)]
    assert np.mean([found["things"] for found in others]) < 0.05
    assert {name for found in others for name in found} == {"things", "places", "materials", "sizes"}


def test_words_say_each_thing_and_what_they_leave_out_is_as_usual():
    for number in range(COUNT):
        wished = pictures.wish(Random(number))
        for said, thing in zip(wished.said, wished.scene.things, strict=True):
            assert all(value in wished.words for value in said.values())
            if "inside" not in wished.words:
                assert said.get("size", "medium") == thing.size
            assert said.get("material", "plain") == thing.look.material
            assert said.get("colour", USUAL_COLOUR.get(thing.look.kind)) == thing.look.colour


def test_pictures_of_train_show_no_combination_that_is_held_out_and_the_others_do():
    for side, known in (("train", set(looks("train"))), ("test", set(looks("test")))):
        for number in range(COUNT):
            shown = [thing.look for thing in pictures.wish(Random(number), side).scene.things]
            assert (set(shown) <= known) if side == "train" else (set(shown) & known)


def test_a_place_or_relation_that_is_not_so_is_noticed():
    wished = next(one for one in (pictures.wish(Random(n)) for n in range(COUNT)) if len(one.pairs) == 1)
    things = things_of(wished)
    moved = [things[0].__class__(1.0, things[1].box, things[0].values), things[1]]
    assert pictures.fulfilled(wished, things)["places"] and not pictures.fulfilled(wished, moved)["places"]
    assert stands((0, 0, 4, 4), "left of", (5, 0, 9, 4)) and not stands((0, 0, 4, 4), "right of", (5, 0, 9, 4))
    assert stands((0, 6, 4, 9), "below", (5, 0, 9, 4)) and stands((3, 3, 4, 4), "inside", (0, 0, 9, 9))
    assert not stands((0, 3, 4, 4), "inside", (0, 0, 9, 9))


@pytest.mark.parametrize("side", ["train", "test"])
def test_a_wish_for_a_clip_is_fulfilled_by_its_codes_and_not_by_those_of_another(side):
    wished = [clips.wish(Random(number), side) for number in range(COUNT)]
    codec = filming()
    assert all(clip_side(one.facts) == side for one in wished)
    assert all(all(one.is_in(codec.rows(one.codes(codec))).values()) for one in wished)
    pairs = zip(wished, wished[1:], strict=False)
    others = [one.is_in(codec.rows(other.codes(codec))) for one, other in pairs]
    assert np.mean([found["doing"] for found in others]) < 0.05


def test_what_is_filmed_is_read_again():
    reader, right = TracksCodec(trained()), []
    for number in range(12):
        wished = clips.wish(Random(number))
        (clip,) = filming().decode([wished.codes(filming())])
        assert len(clip.array) == FRAMES
        (again,) = reader.encode([clip])
        right.append(wished.is_in(reader.rows(again))["doing"])
    assert np.mean(right) > 0.8


def test_what_is_painted_is_found_again_though_training_never_showed_it():
    codec, near, right = drawing(), [], []
    for _, facts, pixels in plain_scenes("val", 20, 0, codec):
        (picture,) = codec.decode([codec.codes(as_found(facts))])
        near.append(psnr_db(pixels, picture.array))
        kinds = [sorted(one.values["name"] for one in some) for some in (*codec.find([picture]), as_found(facts))]
        right.append(kinds[0] == kinds[1])
    assert np.mean(right) >= 0.9
    assert np.mean(near) > 24


def test_conversations_have_codes_of_the_writers_and_nothing_is_rendered():
    for maker, codec, name in ((paint, painting(), PAINTER), (film, filming(), FILMER)):
        assert (codec.facts.name, codec.facts.use, codec.facts.modality) == (name, "write", name)
        assert all(codec.words(book) is not None for book in range(codec.facts.codebooks))
        one, again = (maker(Random(7)) for _ in range(2))
        asked, answer = one.messages
        assert asked.parts[0].is_text and answer.parts[0].codec == name and answer.parts[0].data is None
        codec.layout.check(answer.parts[0].codes)
        assert again.messages[0] == asked
        np.testing.assert_array_equal(again.messages[1].parts[0].codes, answer.parts[0].codes)


def test_portraits_show_one_thing_of_the_side_on_a_plain_ground(tmp_path):
    for pixels, facts in portraits("train", 8):
        (thing,) = facts.things
        assert thing.value("material") and len(np.unique(pixels[:8].reshape(-1, 3), axis=0)) == 1
    save(*load_look(KEPT), tmp_path / "look")
    assert (tmp_path / "look" / "look.safetensors").stat().st_size < 500_000
    assert load_look(tmp_path / "look")[0] == load_look(KEPT)[0]
