"""The codec of scenes: which cell is told of which thing, and that a few seconds teach it something."""

from __future__ import annotations

import numpy as np
from recipes.scenes.codec import CELL_PX, SHAPE, VALUES, boxes_of, scenes, told_by, trained
from recipes.scenes.places import ABSENT, middle, owners

from sensorium.data.facts import Facts, Medium, Thing
from sensorium.types import Signal


def facts(*things: tuple[str, tuple[float, float, float, float]]) -> Facts:
    found = tuple(Thing(name=name, attributes={"colour": ("red",)}, box=box) for name, box in things)
    return Facts(medium=Medium(modality="image", path="x.png", width_px=64, height_px=64), things=found)


def test_a_cell_tells_of_the_thing_that_covers_a_quarter_of_it_or_has_its_middle_there():
    owner = owners(np.array([(8, 8, 24, 20), (50, 50, 53, 53), (5, 5, 5, 5)]), 8, 8)
    wanted = np.full((8, 8), ABSENT)
    wanted[1:3, 1:3] = 0  # rows 8 to 20: two cells, the second half covered
    wanted[6, 6] = 1  # a ninth of a cell, but the middle
    np.testing.assert_array_equal(owner, wanted)


def test_of_things_inside_each_other_the_smaller_is_told():
    owner = owners(np.array([(0, 0, 40, 40), (16, 16, 24, 24)]), 8, 8)
    assert owner[2, 2] == 1
    assert (owner[:5, :5] == 0).sum() == 24


def test_what_is_told_are_numbers_of_values_and_sides_from_the_cell_s_middle():
    told = told_by(facts(("star", (8, 8, 24, 20))))
    assert VALUES["name"][told["name"][1, 1]] == "star"
    assert VALUES["colour"][told["colour"][1, 1]] == "red"
    assert told["material"][1, 1] == ABSENT, "nobody says"
    np.testing.assert_allclose(told["box"][:, 1, 2] * 64, [8 - 20, 8 - 12, 24 - 20, 20 - 12])


def test_scenes_fit_the_codec_and_are_the_same_again():
    pixels, known = next(scenes("train", 1))
    again, _ = next(scenes("train", 1))
    assert pixels.shape == (SHAPE.size_px,) * 2 + (3,)
    np.testing.assert_array_equal(pixels, again)
    assert (told_by(known)["name"] != ABSENT).sum() >= len(known.things)
    assert all(0 <= side <= 64 for thing in known.things for side in thing.box or ())
    assert CELL_PX * SHAPE.grid == SHAPE.size_px


def test_the_codec_that_lies_with_the_recipe_has_the_same_codes_for_what_looks_alike(tmp_path, monkeypatch):
    """Empty cells share few codes, and the middles of things of one look more than those of others."""
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    codec = trained()
    empty, seen = [], {}
    for pixels, known in scenes("val", 60):
        (codes,) = codec.encode([Signal(pixels)])
        grid = codes.reshape(SHAPE.grid, SHAPE.grid)
        empty += grid[owners(boxes_of(known), SHAPE.grid, CELL_PX) == ABSENT].tolist()
        for thing in known.things:
            at = middle(np.array(thing.box), CELL_PX)
            seen.setdefault(thing.value("colour"), []).append(codec.features(0)[grid[at]])
    assert codec.facts == SHAPE.facts()
    assert len(set(empty)) < len(empty) / 3
    means = {colour: np.mean(rows, axis=0) for colour, rows in seen.items()}
    right = [
        min(means, key=lambda colour: np.linalg.norm(means[colour] - row)) == own
        for own, rows in seen.items()
        for row in rows
    ]
    assert np.mean(right) > 0.4, "colours are told by the levels of a single code; chance is 9 %"
