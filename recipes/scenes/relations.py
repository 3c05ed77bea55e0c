"""Relations between things, from their boxes alone, with a margin, so that none can be disputed.

One is left of another if a strip of at least the margin lies between their boxes; what may move is taken with
everywhere it goes. Any two things of a scene stand in such a relation, or one is inside the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from recipes.scenes.shapes import HOLE

from sensorium.data.facts import Relation

Box = Sequence[float]
AXES = (("left of", "right of", 0), ("above", "below", 1))


def margin_px(side_px: int) -> int:
    return max(3, round(side_px * 0.04))


def relations(boxes: Sequence[Box], rings: Sequence[int], side_px: int) -> tuple[Relation, ...]:
    """All relations of things with these boxes.

    Args:
        rings: numbers of those that others may be inside of.
    """
    return tuple(_relations(boxes, rings, margin_px(side_px)))


def _relations(boxes: Sequence[Box], rings: Sequence[int], margin: int) -> Iterator[Relation]:
    for one, other in permutations(range(len(boxes)), 2):
        a, b = boxes[one], boxes[other]
        for before, after, axis in AXES:
            if a[2 + axis] + margin <= b[axis]:
                yield Relation(subject=one, predicate=before, objects=(other,))
                yield Relation(subject=other, predicate=after, objects=(one,))
        if other in rings and inside(a, b):
            yield Relation(subject=one, predicate="inside", objects=(other,))
    for one, first, second in permutations(range(len(boxes)), 3):
        if any(_between(boxes[one], boxes[first], boxes[second], axis, margin) for axis in (0, 1)):
            yield Relation(subject=one, predicate="between", objects=(first, second))
            yield Relation(subject=one, predicate="between", objects=(second, first))


def inside(box: Box, ring: Box) -> bool:
    """Whether a box lies within the hole of a ring of that box, corners and all."""
    half = (ring[2] - ring[0]) * HOLE / 2 - 1
    centre = (ring[0] + ring[2]) / 2, (ring[1] + ring[3]) / 2
    far = max(abs(x - centre[0]) for x in (box[0], box[2])), max(abs(y - centre[1]) for y in (box[1], box[3]))
    return far[0] ** 2 + far[1] ** 2 <= half**2


def _between(box: Box, first: Box, second: Box, axis: int, margin: int) -> bool:
    """On a row (axis 0) or in a column (axis 1): after the first, before the second, the centres nearly in line."""
    after = first[2 + axis] + margin <= box[axis] and box[2 + axis] + margin <= second[axis]
    across = 1 - axis
    centre = (box[across] + box[2 + across]) / 2
    return after and all(other[across] <= centre <= other[2 + across] for other in (first, second))
