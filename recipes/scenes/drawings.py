"""Drawings as things in scenes, from the table of the recipe ``pictograms`` where it was made: free ones only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from recipes.pictograms.concepts import Picture, folder, load_pictures, load_pixels
from recipes.scenes.atlas import on_white
from recipes.scenes.shapes import KINDS

from sensorium.data.table import Side

STYLES = ("fluent-flat", "noto")  # MIT and Apache-2.0: they may be shipped
CATEGORIES = ("animals-nature", "food-drink", "objects", "travel-places", "activities")
MOST_WORDS = 2
LEAST_INK = 0.2  # of the drawing: where paper ran into a white figure, little is left


def have_drawings() -> bool:
    return (folder() / "pictures.parquet").exists() and (folder() / "pixels-64.npy").exists()


def load_drawings(side: Side) -> Mapping[str, np.ndarray]:
    """One RGBA drawing (64, 64, 4) for each name whose concept is on this side of the pictograms' split.

    Raises:
        InputError: the table is missing.
    """
    pixels = load_pixels()
    found: dict[str, np.ndarray] = {}
    for style in STYLES:
        for row in load_pictures():
            if row.style == style and row.label not in found and _usable(row, side):
                drawn = on_white(np.asarray(pixels[row.medium]))
                if (drawn[..., 3] > 0).mean() >= LEAST_INK:
                    found[row.label] = drawn
    return found


def _usable(row: Picture, side: Side) -> bool:
    plain = row.category in CATEGORIES and not row.toned and len(row.label.split()) <= MOST_WORDS
    return row.split == side and not row.held_out and plain and not set(row.label.split()) & set(KINDS)
