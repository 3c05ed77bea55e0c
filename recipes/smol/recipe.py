"""The recipe ``smol``: a pretrained LLM that reads pictures and speech, points, speaks and talks on; see README.md."""

from __future__ import annotations

from pathlib import Path

from recipes.smol.curve import evaluate
from recipes.smol.model import SMOL, SMOL_SERIES, SMOL_SOUNDS
from recipes.smol.talk import answers

from sensorium.files import cache_dir
from sensorium.recipe import Recipe


def data() -> Path:
    """Ask the base; pictures, clips and series are made by the recipes `pictograms`, `speech` and `sensors`."""
    print(f"{len(answers())} answers of the base")
    return cache_dir() / "smol"


RECIPE = Recipe(
    name="smol",
    about="A pretrained LLM, its weights as they are, that reads pictures, clips, series, speech, points and speaks.",
    data=data,
    models={SMOL.name: SMOL, SMOL_SOUNDS.name: SMOL_SOUNDS, SMOL_SERIES.name: SMOL_SERIES},
    evaluate=evaluate,
)
