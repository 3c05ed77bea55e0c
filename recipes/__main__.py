"""``python -m recipes NAME data|codec|train|evaluate|export``: the recipes of this repository."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from sensorium.recipe import Recipe
from sensorium.recipe.command import main

NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("*/recipe.py"))


def find(name: str) -> Recipe:
    """The recipe in ``recipes/NAME/recipe.py``."""
    return import_module(f"recipes.{name}.recipe").RECIPE


if __name__ == "__main__":
    sys.exit(main(NAMES, find))
