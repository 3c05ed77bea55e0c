"""Questions of which nobody can tell the answer from the words: every answer that is offered is right equally often.

Media with different right answers to the same words are put together. A group of k of them becomes k questions with the
same words and the same k options, of which each is right once. Two of them become two questions for yes and no, each
asked of both media and true of one (the form of NaturalBench, arXiv:2410.14669).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from sensorium.grounding.stems import Item, Stem

TRIES = 24
"""Media looked through for one that fits a group."""
Pool = Mapping[str, list[Item]]
"""Items of a stem by their right answer."""


def groups(items: Sequence[Item], size: int, hard: bool, random: Random) -> Iterator[list[Item]]:
    """Groups of at most ``size`` items with different truths, each of which denies the truths of the others.

    Every item is used at most once.

    Args:
        hard: every item has the truth of another one of its group among those that are hard for it.
    """
    pool: dict[str, list[Item]] = {}
    for item in random.sample(list(items), len(items)):
        pool.setdefault(item.truth, []).append(item)
    while True:
        pool = {truth: left for truth, left in pool.items() if left}
        if len(pool) < 2:
            return
        first = pool[max(pool, key=lambda truth: len(pool[truth]) * random.random())].pop()
        group = _grown(first, pool, size, hard, random)
        if len(group) > 1:
            yield group


def _grown(first: Item, pool: Pool, size: int, hard: bool, random: Random) -> list[Item]:
    """The group of an item; its members are taken out of the pool. Only itself when nothing fits."""
    offered = [truth for truth in pool if first.denies(truth)]
    random.shuffle(offered)
    near = [truth for truth in offered if truth in first.near]
    group = [first]
    for truth in near + ([] if hard and not near else [truth for truth in offered if truth not in first.near]):
        if len(group) == size:
            break
        left = pool[truth]
        places = range(max(len(left) - TRIES, 0), len(left))
        place = next((place for place in places if _fits(left[place], group, hard)), None)
        if place is not None:
            group.append(left.pop(place))
    return group


def _fits(item: Item, group: Sequence[Item], hard: bool) -> bool:
    """The first one of a hard group is given something near by the second."""
    apart = all(item.denies(other.truth) and other.denies(item.truth) for other in group)
    if not apart or item.medium in {other.medium for other in group}:
        return False
    if not hard:
        return True
    return any(other.truth in item.near for other in group) and (len(group) > 1 or item.truth in group[0].near)


def by_stem(found: Sequence[tuple[Stem, Item]]) -> dict[Stem, list[Item]]:
    sorted_: dict[Stem, list[Item]] = {}
    for stem, item in found:
        sorted_.setdefault(stem, []).append(item)
    return sorted_
