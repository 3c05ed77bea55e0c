"""Drawings by hand: the same again, boxes around what is painted, no pair that training is not to show."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image
from recipes.scenes.by_hand import MOST, by_hand, sheet
from recipes.scenes.held_out import look_side
from recipes.scenes.scene import Look
from recipes.scenes.shapes import KINDS


def test_drawings_are_the_same_again_and_others_of_another_seed_or_side():
    def pixels(side, seed):
        return [one.tobytes() for one, _ in by_hand(side, 5, seed)]

    assert pixels("train", 0) == pixels("train", 0)
    assert not set(pixels("train", 0)) & {*pixels("train", 1), *pixels("test", 0)}


def test_a_box_is_around_what_is_painted(monkeypatch):
    monkeypatch.setattr("recipes.scenes.by_hand.STROKES", 0)
    kinds = set()
    for number in range(300):
        array, things = sheet(Random(number), "train")
        if len(things) == 1:
            ((look, box),) = things
            ink = Image.fromarray((array != array[0, 0]).any(2)).getbbox()
            np.testing.assert_allclose(np.array(box) * max(array.shape), ink, atol=1)
            kinds.add(look.kind)
    assert kinds == set(KINDS)


def test_sheets_of_train_show_no_pair_that_is_held_out_and_those_of_test_do():
    things = {side: [facts.things for _, facts in by_hand(side, 80)] for side in ("train", "test")}
    sides = {
        side: {look_side(Look(thing.name, thing.value("colour"))) for some in sheets for thing in some}
        for side, sheets in things.items()
    }
    assert sides == {"train": {"train"}, "test": {"train", "test"}}
    assert {len(some) for some in things["train"]} == set(range(MOST + 1))


def test_facts_fit_the_picture_and_nothing_overlaps():
    for pixels, facts in by_hand("val", 30):
        assert pixels.shape == (64, 64, 3)
        boxes = [thing.box for thing in facts.things]
        assert all(0 <= side <= 64 for box in boxes for side in box)
        for number, (x0, y0, x1, y1) in enumerate(boxes):
            assert all(x1 <= a or c <= x0 or y1 <= b or d <= y0 for a, b, c, d in boxes[:number])
