"""Scenes: what the facts say is true of the pixels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest
from recipes.scenes.atlas import Atlas
from recipes.scenes.facts import facts_of
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS, TINTS, nearest_colour
from recipes.scenes.relations import margin_px
from recipes.scenes.render import background, frames, picture
from recipes.scenes.sample import sample_looks, sample_scene
from recipes.scenes.scene import BACKGROUNDS, MOTIONS, SIZES, Background, Look, Scene
from recipes.scenes.shapes import KINDS
from recipes.scenes.variants import CHANGES, variants

from sensorium.data.facts import OPPOSITE, Facts
from sensorium.grounding.differences import difference
from sensorium.types import InputError


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    fish = np.zeros((40, 60, 4), np.uint8)
    fish[8:30, 5:50] = (180, 20, 200, 255)
    fish[12:16, 10:14, :3] = 255
    return Atlas({"fish": fish})


def a_scene(seed: int, atlas: Atlas, **more) -> Scene:
    random = Random(seed)
    most = 4 if more.get("duration_s") else 6
    looks = sample_looks(random, "train", random.randint(1, most), atlas)
    return sample_scene(random, looks, "train", atlas=atlas, **more)


@pytest.fixture(scope="module")
def stills(atlas) -> list[Scene]:
    return [a_scene(seed, atlas, side_px=(64, 96, 128, 200)[seed % 4]) for seed in range(60)]


@pytest.fixture(scope="module")
def clips(atlas) -> list[Scene]:
    return [a_scene(seed, atlas, side_px=64, duration_s=2.0) for seed in range(40)]


def seen_box(changed: np.ndarray) -> list[int]:
    """The box around what is True in (H, W)."""
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def alone(scene: Scene, number: int, atlas: Atlas, time_s: float = 0.0) -> np.ndarray:
    """(H, W): where one thing alone changes the background."""
    only = Scene(scene.side_px, scene.background, (scene.things[number],), scene.duration_s, scene.rate_hz)
    shown = picture(only, atlas, time_s)
    return (shown != background(scene.background, scene.side_px)).any(2)


def test_boxes_enclose_exactly_the_pixels_of_their_things(stills, atlas):
    """Of shapes; what a drawing has in the very colour of the background cannot be seen."""
    for scene in stills:
        for number, thing in enumerate(facts_of(scene, atlas).things):
            if thing.name not in atlas.drawings:
                assert seen_box(alone(scene, number, atlas)) == list(thing.box or ())


def test_nothing_hides_anything(stills, atlas):
    for scene in stills:
        apart = [alone(scene, number, atlas) for number in range(len(scene.things))]
        assert np.sum(apart, 0).max() == 1
        whole = (picture(scene, atlas) != background(scene.background, scene.side_px)).any(2)
        assert np.array_equal(whole, np.any(apart, 0))


def eroded(mask: np.ndarray) -> np.ndarray:
    """Without its rim, where the background shines through."""
    return mask & np.roll(mask, 1, 0) & np.roll(mask, -1, 0) & np.roll(mask, 1, 1) & np.roll(mask, -1, 1)


def test_colours_are_those_of_the_pixels(stills, atlas):
    for scene in stills:
        shown, facts = picture(scene, atlas), facts_of(scene, atlas)
        for number, thing in enumerate(facts.things):
            inner = eroded(alone(scene, number, atlas))
            if thing.value("colour") and inner.sum() >= 9:
                mean = shown[inner].mean(0)
                assert nearest_colour((mean[0], mean[1], mean[2])) == thing.value("colour")


@pytest.mark.parametrize("kind", KINDS)
def test_materials_are_told_apart_and_leave_the_colour_its_name(kind, atlas):
    for colour, (main, _) in COLOURS.items():
        looks = [atlas.cut_out(kind, colour, material, 24) for material in MATERIALS]
        inner = looks[0][..., 3] == 255
        assert (looks[0][inner][:, :3] == main).all()
        for one, other in combinations(looks, 2):
            assert (np.abs(one[inner].astype(int) - other[inner]).max(1) > 12).mean() > 0.08
        for look in looks:
            mean = look[inner][:, :3].mean(0)
            assert nearest_colour((mean[0], mean[1], mean[2])) == colour


def test_sizes_are_what_their_words_say(stills, atlas):
    seen = Counter()
    for scene in stills:
        for thing in facts_of(scene, atlas).things:
            low, high = SIZES[thing.value("size")]
            x0, y0, x1, y1 = thing.box or (0, 0, 0, 0)
            larger = max(x1 - x0, y1 - y0)
            assert low * scene.side_px - 2 <= larger <= high * scene.side_px + 2
            seen[thing.value("size")] += 1
    assert min(seen[size] for size in SIZES) > 15


def gap(facts: Facts, before: int, after: int, axis: int) -> float:
    one, other = facts.things[before].box, facts.things[after].box
    assert one and other
    return other[axis] - one[2 + axis]


def test_relations_agree_with_the_boxes_and_none_is_missing(stills, atlas):
    seen = Counter()
    for scene in stills:
        facts, margin = facts_of(scene, atlas), margin_px(scene.side_px)
        said = {(r.subject, r.predicate, r.objects) for r in facts.relations}
        seen.update(predicate for _, predicate, _ in said)
        for one in range(len(facts.things)):
            for other in set(range(len(facts.things))) - {one}:
                for predicate, axis in (("left of", 0), ("above", 1)):
                    holds = gap(facts, one, other, axis) >= margin
                    assert ((one, predicate, (other,)) in said) == holds
                    assert ((other, OPPOSITE[predicate], (one,)) in said) == holds
                about = {p for s, p, o in said if {s, *o} == {one, other}}
                assert about, "any two things are related"
    assert seen["between"] > 20


def test_what_is_inside_a_ring_shows_in_its_hole(atlas):
    """A small thing in a large ring, and the pixels of both."""
    looks, random = [Look("ring", "red", "plain"), Look("circle", "blue", "plain")], Random(0)
    for _ in range(300):
        scene = sample_scene(random, looks, "train", side_px=96, atlas=atlas)
        said = {(r.subject, r.predicate) for r in facts_of(scene, atlas).relations}
        if (1, "inside") in said:
            break
    ring, circle = (seen_box(alone(scene, number, atlas)) for number in (0, 1))
    assert ring[0] < circle[0] and ring[1] < circle[1] and ring[2] > circle[2] and ring[3] > circle[3]
    assert not (alone(scene, 0, atlas) & alone(scene, 1, atlas)).any()
    assert said == {(1, "inside")}


def test_tracks_are_where_the_things_are_in_every_frame(clips, atlas):
    for scene in clips[:15]:
        shown = frames(scene, atlas)
        assert len(shown) == 16
        facts = facts_of(scene, atlas)
        for at, time_s in enumerate(scene.times_s):
            apart = [alone(scene, number, atlas, time_s) for number in range(len(scene.things))]
            assert np.sum(apart, 0).max() <= 1
            changed = (shown[at] != background(scene.background, scene.side_px)).any(2)
            assert np.array_equal(changed, np.any(apart, 0))
            for mask, thing in zip(apart, facts.things, strict=True):
                box = thing.box_at(time_s)
                assert mask.any() == (box is not None)
                if box and thing.name not in atlas.drawings:
                    assert seen_box(mask) == list(box)


def size_of(box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def test_what_happens_is_what_the_frames_show(clips, atlas):
    seen: Counter[str] = Counter()
    for scene in clips:
        facts = facts_of(scene, atlas)
        for event in facts.events:
            thing = facts.things[event.subject]
            first, last = thing.box_at(0.0), thing.box_at(scene.times_s[-1])
            seen[event.what] += 1
            if event.what in ("appears", "vanishes"):
                there = [thing.box_at(time_s) is not None for time_s in scene.times_s]
                expected = [(time_s >= event.start_s) == (event.what == "appears") for time_s in scene.times_s]
                assert there == expected
                continue
            assert first and last
            assert thing.box_at(event.start_s) == first, "nothing happens before"
            if event.what in ("grows", "shrinks"):
                ratio = size_of(last) / size_of(first)
                assert ratio > 1.4 if event.what == "grows" else ratio < 0.7
            if event.what == "moves":
                by = last[0] - first[0], last[1] - first[1]
                signs = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
                assert tuple(np.sign(by)) == signs[event.direction]
                assert max(map(abs, by)) >= 0.1 * scene.side_px
        idle = set(range(len(facts.things))) - {event.subject for event in facts.events}
        assert all(not facts.things[number].track for number in idle)
    assert set(seen) == set(MOTIONS)


def set_in(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask in the middle of a larger square."""
    page = np.zeros((side, side))
    top, left = (side - mask.shape[0]) // 2, (side - mask.shape[1]) // 2
    page[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return page


def test_what_turns_is_seen_to_turn(atlas):
    for kind in atlas.kinds:
        upright, turned = (set_in(atlas.cut_out(kind, "red", "plain", 24, angle)[..., 3], 40) for angle in (0, 45))
        assert ((np.abs(upright - turned) > 128).sum() > 20) == atlas.turns(kind)


def test_the_same_seed_gives_the_same_pixels_and_facts(atlas):
    drawings = {name: np.asarray(drawn) for name, drawn in atlas.drawings.items()}
    again = Atlas(drawings)
    for seed in range(5):
        one, two = a_scene(seed, atlas, duration_s=1.0), a_scene(seed, again, duration_s=1.0)
        assert one == two
        assert facts_of(one, atlas) == facts_of(two, again)
        assert np.array_equal(frames(one, atlas), frames(two, again))
    assert a_scene(1, atlas) != a_scene(2, atlas)


def test_facts_of_scenes_come_back_from_json(stills, clips, atlas):
    for scene in (*stills[:10], *clips[:10]):
        facts = facts_of(scene, atlas, "x")
        assert Facts.from_json(facts.to_json()) == facts


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_backgrounds_keep_between_the_tones_of_their_tint(kind):
    ground = background(Background(kind, "sand", 3), 64)
    low, high = np.min(TINTS["sand"], 0), np.max(TINTS["sand"], 0)
    assert (ground >= low).all() and (ground <= high).all()
    assert (len(np.unique(ground.reshape(-1, 3), axis=0)) > 1) == (kind != "plain")


def test_textures_are_stated_where_they_can_be_seen(stills, atlas):
    for scene in stills:
        facts = facts_of(scene, atlas)
        for placed, thing in zip(scene.things, facts.things, strict=True):
            assert bool(thing.value("material")) == (placed.side_px >= 16 and thing.name != "fish")
        stated = all(thing.value("material") for thing in facts.things)
        assert ("material" in facts.complete) == stated


def test_of_colours_of_drawings_nothing_is_said(stills, atlas):
    """So scenes with one do not claim to name all that is red; those without do."""
    for scene in stills:
        facts = facts_of(scene, atlas)
        drawn = [thing for thing in facts.things if thing.name == "fish"]
        assert all(set(thing.attributes) == {"size"} for thing in drawn)
        assert (facts.count({"colour": "red"}) is None) == bool(drawn)
        assert facts.count({"name": "fish"}) == len(drawn)


def test_a_drawing_keeps_its_proportions_and_its_colours(atlas):
    drawn = atlas.cut_out("fish", "", "", 45)
    assert drawn.shape == (22, 45, 4)
    assert drawn[20, 40].tolist() == [180, 20, 200, 255]


@pytest.mark.parametrize(
    ("drawing", "name", "sentence"),
    [
        (np.zeros((8, 8, 3), np.uint8), "fish", "must be an RGBA array"),
        (np.zeros((8, 8, 4), np.uint8), "fish", "is empty: nothing of it is opaque"),
        (np.full((8, 8, 4), 255, np.uint8), "star", "the name of a shape"),
    ],
)
def test_bad_drawings_are_refused_in_a_sentence(drawing, name, sentence):
    with pytest.raises(InputError, match=sentence):
        Atlas({name: drawing})


@pytest.mark.parametrize(
    ("count", "more", "sentence"),
    [
        (0, {}, "room for 1 to 8 things, not 0"),
        (9, {}, "room for 1 to 8 things, not 9"),
        (5, {"duration_s": 2.0}, "room for 1 to 4 things, not 5"),
        (1, {"side_px": 20}, "64 to 512 px wide, not 20"),
        (1, {"duration_s": 0.1}, "a clip lasts 1 to 60 s at 4 to 60 frames/s, not 0.1 s at 8"),
    ],
)
def test_scenes_that_cannot_be_made_are_refused_in_a_sentence(count, more, sentence):
    with pytest.raises(InputError, match=sentence):
        sample_scene(Random(0), [Look("star", "red", "plain")] * count, "train", **more)


def test_an_unknown_shape_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="there is no shape or drawing 'cat'"):
        sample_scene(Random(0), [Look("cat", "red", "plain")], "train")


def test_variants_change_one_thing_alone(atlas):
    """By the names of changes what the facts of a scene and of its variant differ in."""
    said: dict[str, set[tuple[str, ...]]] = {}
    for seed in range(12):
        scene = replace(a_scene(seed, Atlas(), side_px=96), name="x")
        for name, changed in variants(scene, Random(seed), Atlas()):
            assert (picture(changed) != picture(scene)).any()
            said.setdefault(name, set()).add(difference(facts_of(scene), facts_of(changed)).aspects)
    assert said.keys() == CHANGES.keys()
    assert said["colour"] == {("colour",)} and said["background"] == {("background",)}
    assert said["tint"] == {("background colour",)} and said["same"] == {()}
    assert said["number"] == {("number",)} and all("object" in one for one in said["kind"])
    assert ("relation",) in said["relation"] and ("binding",) in said["binding"]
