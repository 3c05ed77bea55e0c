"""SVG drawings to 64 x 64 pictures on white, all families at one scale.

Sets leave different room around their drawings. A set's usual extent (its 90th percentile) is made to fill the picture
up to the margin, so a family's inner differences in size ("small square", "large square") stay visible while the
families agree with one another; what would still stick out is made smaller, and every drawing is centred.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

SIZE_PX = 64
MARGIN_PX = 3
CANVAS_PX = 128
LARGEST_CANVAS_PX = 1024
USUAL_EXTENT = 90  # percentile


@dataclass(frozen=True)
class Layer:
    """A drawing on a transparent canvas, cut to its ink. ``extent``: larger side of the ink over the canvas, 0 to 1."""

    rgba: Image.Image
    extent: float


def icon_svg(icons: Mapping[str, Any], name: str) -> str:
    """An icon of an Iconify set (``icons.json``) as an SVG document; aliases may mirror or turn their parent."""
    chain = _resolve(icons, name)
    box = {"left": 0, "top": 0, "width": icons.get("width", 16), "height": icons.get("height", 16), **chain}
    left, top, width, height = (box[side] for side in ("left", "top", "width", "height"))
    body = chain["body"]
    middle = (left + width / 2, top + height / 2)
    turns = []
    if chain.get("rotate"):
        turns.append(f"rotate({90 * chain['rotate']} {middle[0]} {middle[1]})")
    if chain.get("hFlip") or chain.get("vFlip"):
        x, y = (-1 if chain.get("hFlip") else 1), (-1 if chain.get("vFlip") else 1)
        turns.append(f"translate({middle[0] * (1 - x)} {middle[1] * (1 - y)}) scale({x} {y})")
    if turns:
        body = f'<g transform="{" ".join(turns)}">{body}</g>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{body}</svg>'
    )


def _resolve(icons: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name in icons["icons"]:
        return dict(icons["icons"][name])
    alias = icons["aliases"][name]
    return {**_resolve(icons, alias["parent"]), **{k: v for k, v in alias.items() if k != "parent"}}


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
        from sensorium.types import InputError

        raise InputError("drawing SVG needs resvg; install it with `pip install 'sensorium[svg]'`") from error
    svg = re.sub(r"currentColor", "#444", svg)
    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=width_px, dpi=96, skip_system_fonts=True)
    except ValueError:
        return None
    rgba = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
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
