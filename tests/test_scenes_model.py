"""The model of scenes: its boxes, what it is asked, and where the rows of its codes start."""

from __future__ import annotations

import numpy as np
import torch
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import CELL_PX, KEPT, SHAPE, SIDE_PX, boxes_of, scenes, trained
from recipes.scenes.episodes import Making
from recipes.scenes.model import ASKED, BOXES, SCENES, align, shares
from recipes.scenes.places import owners
from recipes.scenes.tasks import tasks

import sensorium as sm
from sensorium.evaluate import Results
from sensorium.model import grow
from sensorium.model.fresh import fresh_base, learn_tokenizer
from sensorium.types import Signal


def test_boxes_on_whole_pixels_of_a_scene_come_back_exactly():
    rows = np.array([[0, 0, 64, 64], [3, 7, 21, 40]], np.float32)
    (codes,) = BOXES.encode([Signal(rows, frame=(64.0, 64.0), labels=("red star", "moon"))])
    np.testing.assert_array_equal(BOXES.decode([codes])[0].array, rows)


def test_only_the_second_stage_uses_the_words_of_evaluation():
    first, second = (stage.shares for stage in SCENES.stages)
    assert set(first) == set(ASKED)
    assert set(second) == {*ASKED, "taught"}
    assert np.isclose(sum(first.values()), 1)


def test_descriptions_can_be_asked_for_more_often():
    often, plain = shares(0.5, {"describe": 3}), shares(0.5, {})
    assert np.isclose(sum(often.values()), 0.5)
    assert np.isclose(often["describe"] / often["name"], 3 * plain["describe"] / plain["name"])


def tiny():
    tokenizer = learn_tokenizer(["a large striped red star", "nothing"] * 9, 300)
    return grow(fresh_base(tokenizer, hidden=32, layers=1, heads=2, intermediate=32), [trained(), BOXES], learn="full")


def test_the_model_that_lies_with_the_recipe_sees_combinations_that_it_was_never_shown():
    making = Making(side="test", side_px=SIDE_PX, atlas=Atlas())
    (task,) = tasks(making, 30, kinds=("name",))
    results = Results(say=lambda line: None)
    model = sm.load(str(KEPT.with_name("scenes")))
    seen, other = (view.run(model, results) for view in (task, task.wrong("another's")))
    assert sum(one.right for one in seen) > 20
    assert sum(one.right for one in other) < 8


def test_rows_of_codes_start_at_the_words_for_what_lies_there():
    model = tiny()
    align(model, count=30)
    of_nobody, of_things = set(), set()
    for pixels, facts in scenes("train", 30, seed=2):
        (codes,) = trained().encode([Signal(pixels)])
        owner = owners(boxes_of(facts), SHAPE.grid, CELL_PX).ravel()
        of_nobody |= set(codes[owner < 0].tolist())
        of_things |= set(codes[owner >= 0].tolist())
    only = sorted(of_nobody - of_things)
    assert only
    nothing = model.embedding.weight[model.tokenizer(" nothing", add_special_tokens=False)["input_ids"]].mean(0)
    found = model.embedding.rows.of(SHAPE.name)[-1]()[only]
    torch.testing.assert_close(found, nothing.expand(len(only), -1), atol=1e-4, rtol=1e-3)
