"""The plain shapes: outlines in a square of side 1, x to the right and y down, and masks of them with smooth edges."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

OVER = 4  # a mask is drawn so many times larger and made smaller
HOLE = 0.72  # of a ring, of its side

Outline = list[tuple[float, float]]


def _round(turns: int, inner: float, start_deg: float = -90.0) -> Outline:
    """``turns`` corners on a circle; with ``inner`` below 1 as many between them on a smaller one."""
    corners = []
    for number in range(2 * turns if inner < 1 else turns):
        angle = math.radians(start_deg + 360 * number / (2 * turns if inner < 1 else turns))
        radius = 0.5 * (inner if inner < 1 and number % 2 else 1.0)
        corners.append((0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)))
    return corners


def _heart() -> Outline:
    found = []
    for number in range(60):
        t = 2 * math.pi * number / 60
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        found.append((0.5 + x / 34, 0.44 - y / 34))
    return found


def _moon() -> Outline:
    """The left part of a disc of which another disc is cut off."""
    outer = [math.radians(deg) for deg in range(60, 301, 8)]
    inner = [math.radians(deg) for deg in range(264, 95, -8)]
    tip = math.cos(math.radians(60)), math.sin(math.radians(60))
    bend = tip[1] / math.sin(math.radians(96)) * 0.5
    centre = 0.5 + tip[0] * 0.5 - bend * math.cos(math.radians(96))
    rim = [(0.5 + 0.5 * math.cos(a), 0.5 + 0.5 * math.sin(a)) for a in outer]
    return rim + [(centre + bend * math.cos(a), 0.5 + bend * math.sin(a)) for a in inner]


def _drop() -> Outline:
    bow = [math.radians(deg) for deg in range(-30, 211, 8)]
    return [(0.5, 0.0)] + [(0.5 + 0.34 * math.cos(a), 0.66 + 0.34 * math.sin(a)) for a in bow]


_T = 0.33  # where the arms of a cross begin
OUTLINES: dict[str, Outline] = {
    "circle": _round(72, 1.0),
    "square": [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)],
    "triangle": [(0.5, 0.0), (1.0, 0.87), (0.0, 0.87)],
    "diamond": [(0.5, 0.0), (0.85, 0.5), (0.5, 1.0), (0.15, 0.5)],
    "star": _round(5, 0.42),
    "heart": _heart(),
    "cross": [(_T, 0), (1 - _T, 0), (1 - _T, _T), (1, _T), (1, 1 - _T), (1 - _T, 1 - _T), (1 - _T, 1), (_T, 1),
              (_T, 1 - _T), (0, 1 - _T), (0, _T), (_T, _T)],
    "ring": _round(72, 1.0),
    "moon": _moon(),
    "drop": _drop(),
}  # fmt: skip
KINDS = tuple(OUTLINES)
TURNING = ("square", "triangle", "star", "heart", "cross", "moon", "drop", "diamond")
"""Those of which one sees that they turn."""


def large_mask(kind: str, side_px: int) -> Image.Image:
    """A shape whose larger side is exactly ``side_px`` px, `OVER` times as large, with hard edges, cut to its ink."""
    outline = OUTLINES[kind]
    xs, ys = zip(*outline, strict=True)
    scale = OVER * side_px / max(max(xs) - min(xs), max(ys) - min(ys))
    corners = [((x - min(xs)) * scale, (y - min(ys)) * scale) for x, y in outline]
    width, height = (max(OVER, round(scale * (max(axis) - min(axis)))) for axis in (xs, ys))
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    pen.polygon([(min(x, width - 1), min(y, height - 1)) for x, y in corners], fill=255)
    if kind == "ring":
        edge = (1 - HOLE) / 2 * width
        pen.ellipse((edge, edge, width - 1 - edge, height - 1 - edge), fill=0)
    return mask
