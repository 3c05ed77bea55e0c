"""The recipe ``scenes``: pictures and clips with exact facts; see README.md."""

from __future__ import annotations

from recipes.scenes.codec import THINGS
from recipes.scenes.data import make
from recipes.scenes.evaluate import evaluate
from recipes.scenes.look import LOOK
from recipes.scenes.model import SCENES

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="scenes",
    about="Scenes of shapes and drawings, still and moving, with exact facts.",
    data=make,
    codecs={"things": THINGS, "look": LOOK},
    models={"scenes": SCENES},
    evaluate=evaluate,
)
