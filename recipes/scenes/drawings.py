"""Drawings as things in scenes, from the table of the recipe ``pictograms`` where it was made: free ones only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw
from recipes.pictograms.concepts import Picture, folder, load_pictures, load_pixels
from recipes.scenes.shapes import KINDS

from sensorium.data.table import Side
from sensorium.modalities.drawings import PAPER

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


def on_white(picture: np.ndarray, paper: int = PAPER) -> np.ndarray:
    """A drawing (H, W, 3) uint8 on white as RGBA: the paper that is reached from the edge becomes transparent.

    What mixes with it at the rim is unmixed: it takes the colour of its darkest neighbour, as far as it has that.
    """
    bare = np.pad((picture >= paper).all(2), 1, constant_values=True).astype(np.uint8) * 255
    paperlike = Image.fromarray(bare).copy()  # what shares memory with an array may not be filled
    ImageDraw.floodfill(paperlike, (0, 0), 128)
    outside = np.asarray(paperlike) == 128
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    rim = ~outside & np.any([np.roll(outside, step, (0, 1)) for step in steps], 0)
    page = np.pad(picture, ((1, 1), (1, 1), (0, 0)), constant_values=255)
    around = np.stack([np.roll(page, step, (0, 1)) for step in steps])
    darkest = np.take_along_axis(around, around.sum(3, dtype=int).argmin(0)[None, ..., None], 0)[0]
    ink, full = (765 - colour.sum(2, dtype=float) for colour in (page, darkest))
    alpha = np.where(outside, 0, np.where(rim, 255 * ink / np.maximum(full, 1), 255))
    colours = np.where(rim[..., None], darkest, page)
    return np.dstack([colours, np.round(alpha).astype(np.uint8)])[1:-1, 1:-1]
