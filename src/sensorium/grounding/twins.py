"""Minimal pairs: media of one thing each whose names differ in one word, "woman running" and "man running"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sensorium.data.facts import Facts
from sensorium.grounding.stems import Item, Stem
from sensorium.grounding.wording import NUMBERS

SAID = {
    "colour": "red orange yellow green blue purple brown black white grey gray pink",
    "number": f"{' '.join(NUMBERS)} 1 2 3 4 5 6 7 8 9 10 11 12 single double triple",
    "shape": "circle square triangle diamond heart star round oval",
    "direction": "left right up down north south east west upwards downwards forward back",
    "size": "small large big little tiny huge medium",
    "gender": "man woman boy girl men women male female person prince princess king queen",
    "age": "baby child adult old older young elder",
    "expression": "smiling grinning crying sad happy angry neutral frowning winking laughing",
}
ASPECTS: Mapping[str, frozenset[str]] = {aspect: frozenset(words.split()) for aspect, words in SAID.items()}
OTHER = "object"


def twins(names: Iterable[str]) -> dict[str, frozenset[str]]:
    """Names of at least two words by those that differ from them in exactly one."""
    alike: dict[tuple[str, ...], set[str]] = {}
    for name in names:
        for masked in _masked(name):
            alike.setdefault(masked, set()).add(name)
    return {name: frozenset().union(*(alike[one] for one in _masked(name))) - {name} for name in names}


def _masked(name: str) -> list[tuple[str, ...]]:
    words = name.split()
    return [(*words[:n], "", *words[n + 1 :]) for n in range(len(words))] if len(words) > 1 else []


def aspect_of(one: str, other: str) -> str:
    """What two such names differ in."""
    differing = {word.lower().strip(":,") for pair in zip(one.split(), other.split(), strict=True) for word in pair}
    differing -= set(one.lower().split()) & set(other.lower().split())
    return next((aspect for aspect, words in ASPECTS.items() if differing <= words), OTHER)


def twin_items(facts: Sequence[Facts]) -> dict[str, dict[Stem, list[Item]]]:
    """Items whose wrong answers are twins alone, by what they differ in."""
    alone = [(medium, one.things[0]) for medium, one in enumerate(facts) if len(one.things) == 1]
    known = twins(list(dict.fromkeys(thing.name for _, thing in alone)))
    found: dict[str, dict[Stem, list[Item]]] = {}
    for medium, thing in alone:
        by_aspect: dict[str, set[str]] = {}
        for other in known[thing.name] - set(thing.synonyms):
            by_aspect.setdefault(aspect_of(thing.name, other), set()).add(other)
        for aspect, near in by_aspect.items():
            item = Item(medium, thing.name, frozenset(near), false=frozenset(near), also=thing.synonyms)
            found.setdefault(aspect, {}).setdefault(Stem(aspect, "What is it?", "Is it {a value}?"), []).append(item)
    return found
