"""The recipe ``sensors``: series from sensors and what they show; see README.md."""

from __future__ import annotations

from recipes.sensors.evaluate import evaluate
from recipes.sensors.series import plan
from recipes.sensors.sources import VERSIONS, folder

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="sensors",
    about="Series from sensors: named, told of, gone on with, and written from words.",
    data=lambda: "\n".join(str(folder(wheel)) for wheel in VERSIONS),
    models={"series": plan(True), "series-part": plan(False)},
    evaluate=evaluate,
)
