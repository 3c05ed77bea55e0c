"""Drawings as somebody makes them by hand, in a paint program or with a few lines of code: one to four shapes on paper.

Lines are wobbly or straight, edges hard or smooth, things filled, with or without an outline in another colour, or only
outlined; they lean a little, and the sheet is of any size. Some strokes are nothing. Number i depends on the seed, the
side and i only. What something is made of is not stated: all is plain here, of which scenes hold much out.

Legend: a width or a place without a unit is a share of the sheet's larger side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw
from recipes.scenes.facts import LICENCE
from recipes.scenes.held_out import look_side
from recipes.scenes.palette import COLOURS, RGB, distance
from recipes.scenes.scene import SIZES, Look
from recipes.scenes.shapes import HOLE, KINDS, OUTLINES, Outline

from sensorium.data.facts import Facts, Medium, Thing
from sensorium.data.table import Side
from sensorium.modalities.image import to_square

MOST = 4
SHEETS_PX = (64, 64, 96, 128, 200, 256, 320, 400, 512)
PAPERS: tuple[RGB, ...] = (
    (255, 255, 255), (255, 255, 255), (255, 255, 255), (250, 250, 245), (240, 240, 240), (220, 220, 220),
    (192, 192, 192), (255, 250, 220), (230, 240, 255), (225, 245, 225), (250, 230, 240), (245, 235, 215),
)  # fmt: skip
PAINTS: dict[str, tuple[RGB, ...]] = {
    "red": ((255, 0, 0), (220, 20, 60), (237, 28, 36), (205, 60, 60)),
    "orange": ((255, 165, 0), (255, 127, 39), (255, 140, 0), (255, 190, 110)),
    "yellow": ((255, 255, 0), (255, 215, 0), (255, 242, 0), (250, 235, 120)),
    "green": ((0, 128, 0), (0, 255, 0), (34, 177, 76), (144, 220, 144)),
    "blue": ((0, 0, 255), (30, 144, 255), (63, 72, 204), (120, 170, 240)),
    "purple": ((128, 0, 128), (148, 0, 211), (163, 73, 164), (175, 125, 215)),
    "pink": ((255, 192, 203), (255, 105, 180), (255, 174, 201), (250, 160, 190)),
    "brown": ((139, 69, 19), (165, 42, 42), (136, 84, 50), (165, 115, 75)),
    "black": ((0, 0, 0), (0, 0, 0), (30, 30, 30), (45, 45, 45)),
    "white": ((255, 255, 255), (255, 255, 255), (250, 250, 250), (245, 245, 245)),
    "grey": ((128, 128, 128), (127, 127, 127), (105, 105, 105), (160, 160, 160)),
}
"""What programs call so, and paler ones; the recipe's own tones come in as well."""
UNEVEN = 8  # of 255: how far a tone may be from these
LEAST_DISTANCE = 75.0  # of a thing and its paper
WIDE = {1: (0.16, 0.85), 2: (0.15, 0.46), 3: (0.14, 0.42), 4: (0.13, 0.36)}
"""The larger side of a thing, from and to, by the number of things."""
GAP, EDGE = 0.03, 0.012
LEAN_DEG, STRETCHED, WOBBLE = 12.0, 0.18, 0.05
THIN, THICK = (0.035, 0.065), (0.11, 0.18)
"""Lines as shares of a thing's side: of what is outlined, and of a ring that is drawn with a broad line."""
LEAST_LINE = 1.2 / 64
OUTLINED, HOLLOW, SMOOTH, WOBBLY, LEANING = 0.35, 0.2, 0.5, 0.6, 0.5
STROKES, EMPTY = 0.3, 0.05  # shares of the sheets that bear some that are nothing, and that bear no thing
PLACES = 40
OVER = 3

Box = tuple[float, float, float, float]
Ink = RGB | int


@dataclass(frozen=True)
class Painted:
    """A thing on a sheet: corners, the hole of a ring, what fills it (None: nothing) and what draws its outline."""

    look: Look
    corners: Outline
    hole: Outline
    fill: Ink | None
    line: Ink | None
    line_wide: float

    @property
    def room(self) -> Box:
        """About where it lies."""
        xs, ys = zip(*self.corners, strict=True)
        half = self.line_wide / 2 if self.line else 0.0
        return min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half

    def box(self, size_px: tuple[int, int], scale: float) -> Box:
        """Around the pixels that it changes on a sheet."""
        page = Image.new("1", size_px)
        one = replace(self, hole=[], fill=self.fill and 1, line=self.line and 1)
        one.paint(ImageDraw.Draw(page), scale, 0)
        x0, y0, x1, y1 = page.getbbox() or (0, 0, 0, 0)
        return x0 / scale, y0 / scale, x1 / scale, y1 / scale

    def paint(self, pen: ImageDraw.ImageDraw, scale: float, paper: Ink) -> None:
        """Draw it, ``scale`` px a side of the sheet."""
        for outline, fill in ((self.corners, self.fill), (self.hole, paper)):
            points = [(x * scale, y * scale) for x, y in outline]
            if points and fill is not None:
                pen.polygon(points, fill=fill)
            if points and self.line:
                wide = max(1, round(self.line_wide * scale))
                pen.line([*points, *points[:2]], fill=self.line, width=wide, joint="curve")


def by_hand(side: Side, count: int, seed: int = 0, size_px: int = 64) -> Iterator[tuple[np.ndarray, Facts]]:
    """Pictures (``size_px``, ``size_px``, 3), made small as a codec does it, and what is true of them."""
    for number in range(count):
        array, things = sheet(Random(f"by hand:{seed}:{side}:{number}"), side)
        height, width = array.shape[:2]
        scale = size_px / max(height, width)
        across, down = ((size_px - round(extent * scale)) // 2 for extent in (width, height))
        told = tuple(_thing(look, box, size_px, across, down) for look, box in things)
        medium = Medium(modality="image", path=f"{side}-{number}", width_px=size_px, height_px=size_px)
        facts = Facts(medium=medium, things=told, source="sensorium scenes", licence=LICENCE, split=side)
        yield to_square(array, size_px), facts


def sheet(random: Random, side: Side) -> tuple[np.ndarray, list[tuple[Look, Box]]]:
    """(H, W, 3) uint8, and what is on it where."""
    paper = random.choice(PAPERS)
    large = random.choice(SHEETS_PX)
    short = random.choice((1.0, 1.0, 0.75, 0.6)) if large > 64 else 1.0
    wide, high = (1.0, short) if random.random() < 0.7 else (short, 1.0)
    things = [] if random.random() < EMPTY else _things(random, side, paper, wide, high)
    smooth = random.random() < SMOOTH
    over = OVER if smooth else 1
    scale = large * over
    page = Image.new("RGB", (round(wide * large) * over, round(high * large) * over), paper)
    pen = ImageDraw.Draw(page)
    if random.random() < STROKES:
        _strokes(random, pen, scale, [thing.room for thing in things], wide, high)
    for thing in things:
        thing.paint(pen, scale, paper)
    boxes = [thing.box(page.size, scale) for thing in things]
    return np.asarray(page.reduce(OVER) if smooth else page), [
        (thing.look, box) for thing, box in zip(things, boxes, strict=True)
    ]


@cache
def _looks(side: Side) -> Sequence[Look]:
    return [look for kind in KINDS for colour in COLOURS if look_side(look := Look(kind, colour)) == side]


def _things(random: Random, side: Side, paper: RGB, wide: float, high: float) -> list[Painted]:
    found: list[Painted] = []
    count = random.randint(1, MOST)
    wobble = WOBBLE * random.random() if random.random() < WOBBLY else 0.0
    for number in range(count):
        look = random.choice(_looks(side if number == 0 else random.choice(("train", side))))
        tone = _tone(random, look.colour, paper)
        for _ in range(PLACES if tone else 0):
            assert tone is not None
            larger = min(random.uniform(*WIDE[count]), 0.9 * min(wide, high))
            thing = _painted(random, look, tone, larger, wobble)
            x0, y0, x1, y1 = thing.room
            if x1 - x0 > wide - 2 * EDGE or y1 - y0 > high - 2 * EDGE:
                continue
            at = random.uniform(EDGE, wide - EDGE - x1 + x0) - x0, random.uniform(EDGE, high - EDGE - y1 + y0) - y0
            thing = _moved(thing, *at)
            if all(_apart(thing.room, other.room) for other in found):
                found.append(thing)
                break
    return found


def _tone(random: Random, colour: str, paper: RGB) -> RGB | None:
    """A tone of the colour that is seen on the paper; None if none of some is."""
    for _ in range(6):
        r, g, b = random.choice((*PAINTS[colour], COLOURS[colour][0]))
        r, g, b = (min(255, max(0, channel + random.randint(-UNEVEN, UNEVEN))) for channel in (r, g, b))
        if distance((r, g, b), paper) >= LEAST_DISTANCE:
            return r, g, b
    return None


def _painted(random: Random, look: Look, tone: RGB, larger: float, wobble: float) -> Painted:
    turned = math.radians(random.uniform(-LEAN_DEG, LEAN_DEG)) if random.random() < LEANING else 0.0
    stretched = 1 + random.uniform(-STRETCHED, STRETCHED) if random.random() < 0.6 else 1.0
    ring, hollow = look.kind == "ring", random.random() < HOLLOW
    corners = _drawn(random, OUTLINES[look.kind], turned, stretched, larger, wobble)
    line_wide = max(LEAST_LINE, larger * random.uniform(*THIN))
    if ring and hollow:
        line_wide = larger * random.uniform(*THICK)
    hollow = hollow and (ring or line_wide < 0.08 * larger)
    hole: Outline = []
    if ring and not hollow:
        share = random.uniform(HOLE - 0.12, HOLE + 0.06)
        middle = [sum(axis) / len(corners) for axis in zip(*corners, strict=True)]
        hole = [(middle[0] + share * (x - middle[0]), middle[1] + share * (y - middle[1])) for x, y in corners]
    if hollow:
        return Painted(look, corners, [], None, tone, line_wide)
    outlined = not ring and random.random() < OUTLINED
    dark = random.choice(((0, 0, 0), (0, 0, 0), (40, 40, 40), (90, 70, 60)))
    return Painted(look, corners, hole, tone, dark if outlined else None, line_wide)


def _drawn(random: Random, outline: Outline, turned: float, stretched: float, larger: float, wobble: float) -> Outline:
    """The outline around (0, 0), its larger side ``larger``, as a hand would draw it."""
    dense = outline if not wobble else _dense(outline, 8 if len(outline) < 20 else 1)
    waves = [(random.uniform(0, 2 * math.pi), random.gauss(0, wobble / math.sqrt(k)), k) for k in range(1, 9)]
    more = [(random.uniform(0, 2 * math.pi), random.gauss(0, wobble / math.sqrt(k)), k) for k in range(1, 9)]
    found = []
    for number, (x, y) in enumerate(dense):
        along = 2 * math.pi * number / len(dense)
        x, y = ((x - 0.5) * stretched, y - 0.5)
        if wobble:
            x += sum(size * math.sin(k * along + phase) for phase, size, k in waves) / 2
            y += sum(size * math.sin(k * along + phase) for phase, size, k in more) / 2
        cos, sin = math.cos(turned), math.sin(turned)
        found.append((x * cos - y * sin, x * sin + y * cos))
    xs, ys = zip(*found, strict=True)
    scale = larger / max(max(xs) - min(xs), max(ys) - min(ys))
    return [(x * scale, y * scale) for x, y in found]


def _dense(outline: Outline, parts: int) -> Outline:
    ends = [*outline[1:], outline[0]]
    return [
        (x + (u - x) * part / parts, y + (v - y) * part / parts)
        for (x, y), (u, v) in zip(outline, ends, strict=True)
        for part in range(parts)
    ]


def _moved(thing: Painted, x: float, y: float) -> Painted:
    corners, hole = ([(a + x, b + y) for a, b in outline] for outline in (thing.corners, thing.hole))
    return Painted(thing.look, corners, hole, thing.fill, thing.line, thing.line_wide)


def _apart(one: Box, other: Box) -> bool:
    return one[2] + GAP <= other[0] or other[2] + GAP <= one[0] or one[3] + GAP <= other[1] or other[3] + GAP <= one[1]


def _strokes(
    random: Random, pen: ImageDraw.ImageDraw, scale: float, boxes: Sequence[Box], wide: float, high: float
) -> None:
    """Lines that go anywhere, but not over things."""
    for _ in range(random.randint(1, 4)):
        x, y = random.uniform(0, wide), random.uniform(0, high)
        angle, turn = random.uniform(0, 2 * math.pi), random.gauss(0, 0.35)
        points = [(x, y)]
        for _ in range(random.randint(2, 9)):
            angle += random.gauss(turn, 0.3)
            x, y = x + 0.07 * math.cos(angle), y + 0.07 * math.sin(angle)
            points.append((x, y))
        xs, ys = zip(*points, strict=True)
        if all(_apart((min(xs), min(ys), max(xs), max(ys)), box) for box in boxes):
            colour = random.choice(random.choice(list(PAINTS.values())))
            wide_px = max(1, round(random.uniform(0.012, 0.04) * scale))
            pen.line([(a * scale, b * scale) for a, b in points], fill=colour, width=wide_px, joint="curve")


def _thing(look: Look, box: Box, size_px: int, across_px: int, down_px: int) -> Thing:
    x0, y0, x1, y1 = (side * size_px for side in box)
    larger = max(x1 - x0, y1 - y0) / size_px
    size = min(SIZES, key=lambda word: abs(math.log(larger / (sum(SIZES[word]) / 2))))
    return Thing(
        name=look.kind,
        attributes={"colour": (look.colour,), "size": (size,)},
        box=(x0 + across_px, y0 + down_px, x1 + across_px, y1 + down_px),
    )
