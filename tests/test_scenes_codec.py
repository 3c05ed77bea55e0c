"""The codec of scenes: what it is to tell, other colours, and what the trained one tells of new combinations."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from recipes.scenes.codec import (
    KEPT,
    SHAPE,
    SIDE_PX,
    _begun,
    _sample,
    as_told,
    recoloured,
    report,
    scenes,
    told_by,
    trained,
)

from sensorium.data.facts import Facts, Medium, Thing
from sensorium.families.things import ThingsCodec
from sensorium.families.things_loss import UNKNOWN
from sensorium.grounding.localisation import iou
from sensorium.modalities.image import to_square
from sensorium.types import InputError, Signal


def test_what_is_to_be_told_are_boxes_and_numbers_of_values():
    star = Thing(name="star", attributes={"colour": ("red",)}, box=(8, 8, 24, 20))
    told = told_by(Facts(medium=Medium(modality="image", path="x.png", width_px=64, height_px=64), things=(star,)))
    assert told["boxes"][0].tolist() == [8, 8, 24, 20] and not told["boxes"][1:].any()
    assert SHAPE.values["name"][told["name"][0]] == "star"
    assert SHAPE.values["colour"][told["colour"][0]] == "red"
    assert told["material"][0] == UNKNOWN, "nobody says"
    assert (told["name"][1:] == UNKNOWN).all()


def test_scenes_fit_the_codec_and_are_the_same_again():
    pixels, known = next(scenes("train", 1))
    again, _ = next(scenes("train", 1))
    assert pixels.shape == (SIDE_PX, SIDE_PX, 3)
    np.testing.assert_array_equal(pixels, again)
    assert all(0 <= side <= SIDE_PX for thing in known.things for side in thing.box or ())


def test_other_colours_stay_within_bounds_and_keep_what_is_even():
    x = torch.rand(5, 3, 8, 8) * 2 - 1
    x[:, :, :4] = x[:, :, :1, :1]
    found = recoloured(x, np.random.default_rng(0))
    assert found.abs().max() <= 1
    torch.testing.assert_close(found[:, :, :4], found[:, :, :1, :1].expand(-1, -1, 4, 8))
    assert not torch.allclose(found, x, atol=0.1)


def test_pictures_in_other_colours_tell_all_but_colours_and_the_others_only_colours():
    shown = [(pixels, told_by(facts)) for pixels, facts in scenes("train", 4)]
    batch = _sample(shown, np.random.default_rng(0), 40)
    pictures = {pixels.tobytes() for pixels, _ in shown}
    as_they_were = [
        ((one.movedim(0, -1) + 1) * 127.5).round().to(torch.uint8).numpy().tobytes() in pictures for one in batch["x"]
    ]
    assert 0 < sum(as_they_were) < 40
    for same, name, colour in zip(as_they_were, batch["name"], batch["colour"], strict=True):
        assert (name != UNKNOWN).any() != same
        assert (colour != UNKNOWN).any() == same


def test_the_codec_that_lies_with_the_recipe_finds_and_tells_combinations_it_never_saw(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    assert trained().facts == SHAPE.facts()
    report(Path(tmp_path), 40)
    lines = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    told = {name: float(value) for name, value in (part.rsplit(" ", 1) for part in lines["val"].split(", "))}
    assert min(told["found"], told["name"], told["colour"]) > 0.95
    assert told["IoU"] > 0.85


def test_codes_made_of_facts_are_what_the_codec_tells_but_for_its_errors(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    codec, random, same = trained(), Random(0), []
    for pixels, facts in scenes("train", 20):
        seen = codec.encode([Signal(pixels)])[0].reshape(-1, 8)
        made = as_told(facts, random, codec).reshape(-1, 8)
        assert len(seen) == len(made)
        same.append(sorted(map(tuple, seen[:, :2].tolist())) == sorted(map(tuple, made[:, :2].tolist())))
    assert np.mean(same) > 0.8


def test_training_goes_on_from_a_codec_of_the_same_shape_only():
    weights = _begun(str(KEPT)).state_dict()
    again, fresh = (_begun(start).state_dict() for start in (str(KEPT), ""))
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert not all(torch.equal(weights[name], fresh[name]) for name in weights)
    with pytest.raises(InputError, match="tells other things"):
        _begun(str(KEPT.with_name("scenes") / "codecs" / "scene"))


def test_a_blue_square_beside_a_red_circle_is_surely_seen_however_plainly_it_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    true = {("square", "blue"): (5, 20, 27, 42), ("circle", "red"): (36, 19, 59, 42)}
    drawn = [
        Signal(to_square(_square_and_circle(side_px, over, outline, *true.values()), SIDE_PX))
        for side_px in (64, 128, 256, 400)
        for over in (1, 4)
        for outline in (None, "black")
    ]
    codec = trained()
    assert isinstance(codec, ThingsCodec)
    for found in codec.find(drawn):
        looks = [tuple(SHAPE.values[aspect][one.values[aspect]] for aspect in ("name", "colour")) for one in found]
        assert sorted(looks) == sorted(true)
        assert all(one.score > 0.6 for one in found)
        assert all(iou(one.box, true[look]) >= 0.6 for look, one in zip(looks, found, strict=True))


def _square_and_circle(side_px: int, over: int, outline: str | None, *boxes: tuple[int, ...]) -> np.ndarray:
    """With hard edges where ``over`` is 1; boxes are 64ths of the sheet."""
    page, unit = Image.new("RGB", (side_px * over, side_px * over), "white"), side_px * over / 64
    square, circle = ([side * unit for side in box] for box in boxes)
    ImageDraw.Draw(page).rectangle(square, "blue", outline, round(unit))
    ImageDraw.Draw(page).ellipse(circle, "red", outline, round(unit))
    return np.asarray(page.reduce(over))
