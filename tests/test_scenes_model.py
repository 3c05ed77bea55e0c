"""The model of scenes: its boxes, what it is asked, and what the trained one sees."""

from __future__ import annotations

import numpy as np
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import KEPT, SHAPE, SIDE_PX
from recipes.scenes.episodes import Making
from recipes.scenes.model import ASKED, BOXES, SCENES, shares
from recipes.scenes.tasks import tasks

import sensorium as sm
from sensorium.evaluate import Results
from sensorium.types import Signal


def test_boxes_on_whole_pixels_of_a_scene_come_back_exactly():
    rows = np.array([[0, 0, 64, 64], [3, 7, 21, 40]], np.float32)
    (codes,) = BOXES.encode([Signal(rows, frame=(64.0, 64.0), labels=("red star", "moon"))])
    np.testing.assert_array_equal(BOXES.decode([codes])[0].array, rows)


def test_boxes_are_written_in_the_steps_in_which_the_codec_tells_sides():
    assert BOXES.facts.codebook_sizes == SHAPE.facts().codebook_sizes[-4:]


def test_only_the_first_stage_does_without_the_words_of_evaluation():
    first, *others = (stage.shares for stage in SCENES.stages)
    assert set(first) == set(ASKED)
    assert all(set(other) == {*ASKED, "taught"} for other in others)
    assert np.isclose(sum(first.values()), 1)


def test_descriptions_can_be_asked_for_more_often():
    often, plain = shares(0.5, {"describe": 3}), shares(0.5, {})
    assert np.isclose(sum(often.values()), 0.5)
    assert np.isclose(often["describe"] / often["name"], 3 * plain["describe"] / plain["name"])


def test_the_model_that_lies_with_the_recipe_sees_combinations_that_it_was_never_shown():
    making = Making(side="test", side_px=SIDE_PX, atlas=Atlas())
    (task,) = tasks(making, 30, kinds=("name",))
    results = Results(say=lambda line: None)
    model = sm.load(str(KEPT.with_name("scenes")))
    seen, other = (view.run(model, results) for view in (task, task.wrong("another's")))
    assert sum(one.right for one in seen) > 20
    assert sum(one.right for one in other) < 8
