"""Points along an SVG path, for what moves along one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from sensorium.modalities.smil_values import NUMBER

Point = tuple[float, float]
COMMAND = re.compile(r"([MLHVCSQTAZmlhvcsqtaz])([^MLHVCSQTAZmlhvcsqtaz]*)")
TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
PIECES = 16  # that a curve is cut into


def at(path: str, share: float) -> Point:
    """The point at a share of a path's length, 0 to 1; of one without length where it starts."""
    points = list(_points(path)) or [(0.0, 0.0)]
    lengths = [math.dist(a, b) for a, b in zip(points, points[1:], strict=False)]
    left = share * sum(lengths)
    for (x0, y0), (x1, y1), length in zip(points, points[1:], lengths, strict=False):
        if length and left <= length:
            part = left / length
            return x0 + part * (x1 - x0), y0 + part * (y1 - y0)
        left -= length
    return points[-1] if share > 0 else points[0]


def _points(path: str) -> Iterator[Point]:
    """Corners of the path, and points along its curves; smooth curves and arcs (S, T, A) count as lines."""
    here = start = (0.0, 0.0)
    for command, said in COMMAND.findall(path):
        kind, moved = command.upper(), command.islower()
        numbers, takes = [float(one) for one in re.findall(NUMBER, said)], TAKES[command.upper()]
        if kind == "Z":
            here = start
            yield here
        for first in range(0, len(numbers) - takes + 1, takes or 1):
            if kind == "Z":
                break
            corners = _corners(kind, numbers[first : first + takes], here, moved)
            if kind in "CQ":
                yield from (_bezier([here, *corners], piece / PIECES) for piece in range(1, PIECES))
            here = corners[-1]
            if kind == "M" and first == 0:
                start = here
            yield here


def _corners(kind: str, numbers: list[float], here: Point, moved: bool) -> list[Point]:
    """The points that a command names, the last of which is where it ends."""
    x, y = here if moved else (0.0, 0.0)
    if kind == "H":
        return [(x + numbers[0], here[1])]
    if kind == "V":
        return [(here[0], y + numbers[0])]
    pairs = numbers[-2:] if kind == "A" else numbers
    return [(x + pairs[at], y + pairs[at + 1]) for at in range(0, len(pairs), 2)]


def _bezier(points: list[Point], share: float) -> Point:
    while len(points) > 1:
        points = [
            (x0 + share * (x1 - x0), y0 + share * (y1 - y0))
            for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False)
        ]
    return points[0]
