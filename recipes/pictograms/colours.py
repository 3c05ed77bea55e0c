"""The colour that fills most of a drawing, so that people can ask for "a yellow banana" though its name is "banana"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from PIL import Image
from recipes.pictograms.concepts import Picture

# Upper end of each hue in degrees.
HUES = ((14, "red"), (40, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (292, "purple"), (344, "pink"))
LEAST_SHARE = 0.45
PAPER = 245  # a pixel all of whose channels are at least this is paper, no ink


def main_colour(pixels_SS3: np.ndarray) -> str:
    """Name of the colour of most of the ink of a drawing (S, S, 3) uint8; "" when there is none."""
    ink_P3 = pixels_SS3[(pixels_SS3 < PAPER).any(2)]
    if not len(ink_P3):
        return ""
    hue, saturation, value = np.asarray(Image.fromarray(ink_P3[None]).convert("HSV"))[0].astype(float).T
    ends, names = zip(*HUES, strict=True)
    said = np.array([*names, "red"])[np.searchsorted(ends, hue * 360 / 256)]
    said[(value < 150) & np.isin(said, ["red", "orange"])] = "brown"
    said[saturation < 50] = "grey"
    said[value < 60] = "black"
    found, counts = np.unique(said, return_counts=True)
    return str(found[counts.argmax()]) if counts.max() >= LEAST_SHARE * len(ink_P3) else ""


def coloured(pictures: Iterable[Picture], pixels: np.ndarray) -> Iterator[Picture]:
    """The pictures with their main colours."""
    return (replace(picture, colour=main_colour(np.asarray(pixels[picture.medium]))) for picture in pictures)
