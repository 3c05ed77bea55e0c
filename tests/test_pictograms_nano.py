"""nano's history: a typed list of stages, and conversations that no two stages share."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from recipes.pictograms import nano, tasks
from recipes.pictograms.concepts import Concepts
from recipes.pictograms.recipe import RECIPE
from test_pictograms_tasks import make_pictures

from sensorium.data.views import Numbered, Views
from sensorium.model import Model
from sensorium.recipe import Plan

PICTURES = make_pictures()
VALUES = np.random.default_rng(0).standard_normal((2, len(PICTURES), 6)).astype(np.float16)


@pytest.fixture
def coded(monkeypatch):
    views = Views(codec="reads", values_VND=VALUES, quantise=lambda v: (v > 0).astype(int), noise=(0.5,))
    written = Numbered(views=views, codec="writes", written=np.zeros((len(PICTURES), 4, 1), int))
    monkeypatch.setattr(nano, "encoded", lambda: written)
    monkeypatch.setattr(nano, "concepts", lambda: Concepts(PICTURES))


def test_every_stage_names_tasks_that_there_are_and_says_what_came_of_it():
    assert len(nano.STAGES) == 11
    for stage in nano.STAGES:
        assert set(stage.shares) <= set(tasks.TASKS)
        assert sum(stage.shares.values()) == pytest.approx(1)
        assert stage.minutes > 5
        assert "Wh" in stage.note


def test_conversations_hold_codes_and_can_be_made_again(coded):
    stage = nano.STAGES[0]
    made = list(nano.conversations(replace(stage, conversations=30), 150_000))
    assert made == list(nano.conversations(replace(stage, conversations=30), 150_000))
    assert made != list(nano.conversations(replace(stage, conversations=30), 0))
    media = [part for one in made for part in one.parts() if not part.is_text]
    assert {part.codec for part in media} == {"reads", "writes"}
    plain = next(tasks.conversations(Concepts(PICTURES), 1, 0, stage.shares, 150_000))
    assert nano.encoded().fill(plain, Random("0:codes:150000")) == made[0]


def test_the_recipe_has_its_model_as_a_plan():
    plans = {name: model for name, model in RECIPE.models.items() if isinstance(model, Plan)}
    assert "nano" in plans
    assert len({plan.home for plan in plans.values()}) == len(plans)
    assert set(RECIPE.codecs) >= {"image", "image-read", "image-words", "kmeans"}


def test_a_model_in_the_box_can_go_on_and_is_exported_with_its_sampling(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    (tmp_path / "pictograms").mkdir()
    (tmp_path / "pictograms" / "ATTRIBUTION.md").write_text("drawn by many")
    out = nano.export(nano.grown("nano"), tmp_path / "out")
    found = Model.load(out)
    assert found.sampling["image"]["temperature"] == 0.3
    assert set(found.codecs) == {nano.WRITER, nano.READER}
    assert (out / "ATTRIBUTION.md").read_text() == "drawn by many"
    assert (out / "README.md").exists()
