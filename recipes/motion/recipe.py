"""The recipe ``motion``: clips of drawings that move, asked about and written; see README.md."""

from __future__ import annotations

from recipes.motion.codec import CLIP, NAME
from recipes.motion.data import make
from recipes.motion.evaluate import evaluate
from recipes.motion.judge import JUDGE
from recipes.motion.model import FILM

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="motion",
    about="Clips of drawings that move: what, where to, how and when; and clips written from words.",
    data=make,
    codecs={NAME: CLIP},
    models={"film": FILM, "judge": JUDGE},
    evaluate=evaluate,
)
