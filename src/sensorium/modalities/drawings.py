"""SVG drawings to square pictures on white, whole sets at one scale, and the colour that fills most of one.

Sets leave different room around their drawings. A set's usual extent (its 90th percentile) is made to fill the picture
up to the margin, so a set's inner differences in size ("small square", "large square") stay visible while the sets
agree with one another; what would still stick out is made smaller, and every drawing is centred.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sensorium.types import InputError

SIZE_PX = 64
MARGIN_PX = 3
CANVAS_PX = 128
LARGEST_CANVAS_PX = 1024
USUAL_EXTENT = 90  # percentile
LEAST_INK_PX = 16
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


@dataclass(frozen=True)
class Layer:
    """A drawing on a transparent canvas, cut to its ink. ``extent``: larger side of the ink over the canvas, 0 to 1."""

    rgba: Image.Image
    extent: float


def draw(svg: str, fit: bool = False) -> Layer | None:
    """An SVG document on a canvas, cut to its ink, or None when there is nothing to see or it cannot be drawn.

    With ``fit`` the drawing may be small on a large page, and its extent there means nothing.

    Raises:
        InputError: resvg is not installed.
    """
    layer = _ink(svg, CANVAS_PX)
    if not fit or layer is None:
        return layer
    if layer.extent < 0.7:
        layer = _ink(svg, min(LARGEST_CANVAS_PX, round(CANVAS_PX / layer.extent))) or layer
    return Layer(layer.rgba, 1.0)


def _ink(svg: str, width_px: int) -> Layer | None:
    try:
        import resvg_py
    except ImportError as error:
        raise InputError("drawing SVG needs resvg; install it with `pip install 'sensorium[svg]'`") from error
    svg = re.sub(r"currentColor", "#444", svg)
    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=width_px, dpi=96, skip_system_fonts=True)
    except ValueError:
        return None
    return cut_out(Image.open(io.BytesIO(bytes(png))))


def cut_out(picture: Image.Image) -> Layer | None:
    """A picture with a transparent background, cut to its ink, or None when there is nothing to see."""
    rgba = picture.convert("RGBA")
    box = rgba.getchannel("A").point(lambda alpha: 255 * (alpha > 8)).getbbox()
    if box is None:
        return None
    extent = max(box[2] - box[0], box[3] - box[1]) / max(rgba.size)
    return Layer(rgba.crop(box), extent)


def place(layer: Layer, usual: float) -> np.ndarray:
    """The picture, uint8 (64, 64, 3): the layer at its family's scale, centred on white."""
    room = SIZE_PX - 2 * MARGIN_PX
    side = room * min(1.0, layer.extent / usual)
    scale = side / max(layer.rgba.size)
    width, height = (max(1, round(length * scale)) for length in layer.rgba.size)
    method = Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS
    small = layer.rgba.convert("RGBa").resize((width, height), method)
    picture = Image.new("RGBA", (SIZE_PX, SIZE_PX), "white")
    picture.alpha_composite(small.convert("RGBA"), ((SIZE_PX - width) // 2, (SIZE_PX - height) // 2))
    return np.asarray(picture.convert("RGB"))


def place_all(layers: Iterable[Layer | None]) -> Iterator[np.ndarray | None]:
    """The pictures of one drawing set, in order; None where there is no layer."""
    layers = list(layers)
    extents = [layer.extent for layer in layers if layer]
    usual = float(np.percentile(extents, USUAL_EXTENT)) if extents else 1.0
    for layer in layers:
        yield place(layer, usual) if layer else None


def visible(picture: np.ndarray) -> bool:
    """Whether a picture, uint8 (S, S, 3), shows anything: not white on white, not the zeros of a failed drawing."""
    return bool(picture.any()) and int((picture.min(axis=-1) < 240).sum()) >= LEAST_INK_PX


def new_pictures(drawn: np.ndarray, seen: set[bytes], repeats: bool) -> list[tuple[int, np.ndarray]]:
    """Numbers and pixels of the pictures that show something and, unless ``repeats``, are not in ``seen`` yet.

    Things may be drawn alike and keep both names; otherwise the same picture under a second name would only put one
    picture on both sides of a split.
    """
    found = []
    for index, picture in enumerate(drawn):
        digest = hashlib.sha256(picture.tobytes()).digest()
        if visible(picture) and (repeats or digest not in seen):
            found.append((index, picture))
        seen.add(digest)
    return found
