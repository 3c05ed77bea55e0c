"""Combinations of attributes that training never shows: pairs of kind, colour and material, chosen by a hash.

What shows only pairs of train is of train; what shows one of test and none of val is of test; of val likewise; what
shows both is of no side and is never made. So whoever has learned from train has seen every kind, colour and material,
but some pairs never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations

from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS
from recipes.scenes.scene import Look
from recipes.scenes.shapes import KINDS

from sensorium.data.table import Side, split_of

TEST, VAL = 0.12, 0.06
SALT = "1341: "  # of those tried the one by which no attribute loses many of its partners


def pair_side(one: str, other: str) -> Side:
    """The side of two attributes of one thing, in either order."""
    return split_of(SALT + " and ".join(sorted((one, other))), TEST, VAL)


@cache
def look_side(look: Look) -> Side | None:
    """The side of a look; drawings have no pairs and may be anywhere: whose they are says their own split."""
    return _side(pair_side(*pair) for pair in combinations([value for value in look if value], 2))


def scene_side(looks: Iterable[Look]) -> Side | None:
    """The side of a scene with these looks."""
    return _side(look_side(look) for look in looks)


def _side(sides: Iterable[Side | None]) -> Side | None:
    found = set(sides)
    if None in found or {"val", "test"} <= found:
        return None
    return "val" if "val" in found else "test" if "test" in found else "train"


@cache
def looks(side: Side) -> Sequence[Look]:
    """All looks of shapes that belong to a side."""
    every = (Look(kind, colour, material) for kind in KINDS for colour in COLOURS for material in MATERIALS)
    return [look for look in every if look_side(look) == side]


def may_show(side: Side) -> Sequence[Look]:
    """The looks that scenes of a side may show: those of train, and its own."""
    return looks("train") if side == "train" else [*looks("train"), *looks(side)]


@cache
def may_say(side: Side) -> frozenset[frozenset[str]]:
    """Pairs that questions about scenes of a side may put together: to deny a held-out one would tell of it, too."""
    return frozenset(frozenset(pair) for look in may_show(side) for pair in combinations(look, 2))
