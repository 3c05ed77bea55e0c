"""Combinations of a thing and a motion that training never shows, chosen by a hash: a star that moves left, say.

A clip whose things show only pairs of train is of train; one that shows a pair of test and none of val is of test. So
whoever has learned from train has seen every thing and every motion, but some together never.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from recipes.motion.clips import done

from sensorium.data.facts import Facts
from sensorium.data.table import Side, split_of

TEST, VAL = 0.15, 0.05


@cache
def pair_side(name: str, doing: str) -> Side:
    return split_of(f"{name} {doing}", TEST, VAL)


def clip_side(facts: Facts) -> Side | None:
    """The side of a clip; None for one of no side, which shows both what is of test and of val."""
    return _side(pair_side(facts.things[event.subject].name, done(event)) for event in facts.events)


def _side(sides: Iterable[Side]) -> Side | None:
    found = set(sides)
    if {"val", "test"} <= found:
        return None
    return "val" if "val" in found else "test" if "test" in found else "train"
