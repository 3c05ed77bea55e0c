"""The recipe ``rivals``: codes and three other ways to a multimodal model, on the same pictures; see README.md."""

from __future__ import annotations

from recipes.pictograms import pictures
from recipes.rivals.evaluate import evaluate
from recipes.rivals.training import WAYS, learner

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="rivals",
    about="Ways to a multimodal model, trained and measured alike: codes, a connector, a shared encoder, late fusion.",
    data=lambda: pictures.make(),
    models={name: learner(name) for name in WAYS},
    evaluate=evaluate,
)
