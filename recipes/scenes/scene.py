"""The nouns: a scene is a background and things at places, each of which may have one motion.

Everything lies on whole pixels, so that boxes are exact. Places are in px, x to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from recipes.scenes.atlas import STEP_DEG, Atlas

SIZES = {"small": (0.17, 0.19), "medium": (0.25, 0.28), "large": (0.36, 0.41)}
"""Share of the picture's side that a thing's larger side has, from and to."""
BACKGROUNDS = ("plain", "gradient", "stripes", "checks", "noise")
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
Change = Literal["moves", "grows", "shrinks", "turns", "appears", "vanishes"]
MOTIONS: tuple[Change, ...] = get_args(Change)
GROWN = 1.8  # times the size
TURNED_DEG = 180

IntBox = tuple[int, int, int, int]


class Look(NamedTuple):
    """What a thing is like; a drawing has its own colours, and "" for colour and material."""

    kind: str
    colour: str = ""
    material: str = ""


@dataclass(frozen=True)
class Motion:
    """A change of one thing from ``start_s`` to ``end_s``; things appear and vanish at once, at ``start_s``.

    Args:
        what: one of `MOTIONS`.
        direction: one of `DIRECTIONS`, of what moves.
        by_px: how far it moves.
    """

    what: Change
    start_s: float
    end_s: float
    direction: str = ""
    by_px: int = 0

    def progress(self, time_s: float) -> float:
        """0 before, 1 after."""
        if self.end_s <= self.start_s:
            return float(time_s >= self.start_s)
        return min(1.0, max(0.0, (time_s - self.start_s) / (self.end_s - self.start_s)))


class State(NamedTuple):
    """A thing at a moment: its larger side, its angle clockwise, its box."""

    side_px: int
    angle_deg: int
    box: IntBox


@dataclass(frozen=True)
class Placed:
    """A thing in a scene.

    Args:
        look: its kind, colour, material.
        size: a word of `SIZES`.
        side_px: its larger side, before anything happens.
        x_px, y_px: top left corner, before anything happens.
        motion: what it does, None if it stays as it is.
    """

    look: Look
    size: str
    side_px: int
    x_px: int
    y_px: int
    motion: Motion | None = None

    def at(self, time_s: float, atlas: Atlas) -> State | None:
        """How it is at a time; None while it is not there."""
        width, height = atlas.extent(self.look.kind, self.side_px)
        motion = self.motion
        done = motion.progress(time_s) if motion else 0.0
        if motion is None or (not done and motion.what != "appears"):
            return State(self.side_px, 0, (self.x_px, self.y_px, self.x_px + width, self.y_px + height))
        if (motion.what == "vanishes") == bool(done) and motion.what in ("appears", "vanishes"):
            return None
        side, angle = self.side_px, 0
        if motion.what in ("grows", "shrinks"):
            factor = 1 + (GROWN - 1) * done
            side = round(side * factor if motion.what == "grows" else side / factor)
        elif motion.what == "turns":
            angle = round(TURNED_DEG * done / STEP_DEG) * STEP_DEG
        x, y = DIRECTIONS.get(motion.direction, (0, 0))
        moved = round(motion.by_px * done)
        centre = self.x_px + x * moved + width / 2, self.y_px + y * moved + height / 2
        width, height = atlas.extent(self.look.kind, side, angle)
        left, top = round(centre[0] - width / 2), round(centre[1] - height / 2)
        return State(side, angle, (left, top, left + width, top + height))


@dataclass(frozen=True)
class Background:
    """One of `BACKGROUNDS` in the two tones of a tint; ``seed`` varies it."""

    kind: str
    tint: str
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """A square picture, or a clip if ``duration_s`` is not 0.

    Args:
        side_px: of the picture, 64 to 512.
        things: none hides another.
        rate_hz: of frames, for clips.
        split: side of the split.
        name: of its file.
    """

    side_px: int
    background: Background
    things: tuple[Placed, ...]
    duration_s: float = 0.0
    rate_hz: float = 0.0
    split: str = "train"
    name: str = field(default="", compare=False)

    @property
    def times_s(self) -> list[float]:
        """Of the frames; one for a still."""
        return [number / self.rate_hz for number in range(round(self.duration_s * self.rate_hz))] or [0.0]

    def swept(self, number: int, atlas: Atlas) -> IntBox:
        """The box around everywhere a thing is in any frame."""
        return swept(self.things[number], self.times_s, atlas)


def swept(thing: Placed, times_s: list[float], atlas: Atlas) -> IntBox:
    """The box around everywhere a thing is at some of the times.

    Raises:
        ValueError: it is never there.
    """
    if thing.motion is None or thing.motion.what != "turns":
        times_s = [times_s[0], times_s[-1]]  # what moves or grows goes one way
    states = (thing.at(time_s, atlas) for time_s in times_s)
    boxes = list(zip(*(state.box for state in states if state is not None), strict=True))
    return min(boxes[0]), min(boxes[1]), max(boxes[2]), max(boxes[3])
