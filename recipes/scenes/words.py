"""Things in words: "a small striped red star", "the red star", "three stars"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random

from sensorium.data.facts import Facts, Thing

ORDER = ("size", "material", "colour", "name")
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")
UNSAID = "plain"  # of materials, in descriptions


def phrase(wanted: Mapping[str, str]) -> str:
    """ "striped red star"; where no name is wanted "red shape", for a drawing may be red, too, or "large thing"."""
    said = [wanted[aspect] for aspect in ORDER if wanted.get(aspect)]
    noun = "shape" if {"colour", "material"} & set(wanted) else "thing"
    return " ".join(said if "name" in wanted else [*said, noun])


def a(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural(words: str) -> str:
    return words + ("es" if words.endswith(("s", "x", "ch", "sh")) else "s")


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def values(thing: Thing, aspects: Sequence[str]) -> dict[str, str]:
    """What a thing has of some aspects."""
    return {aspect: thing.value(aspect) for aspect in aspects if thing.value(aspect)}


def described(thing: Thing, size: bool = True) -> str:
    """All of a thing: "a small striped red star"."""
    found = values(thing, ORDER if size else ORDER[1:])
    return a(phrase({aspect: value for aspect, value in found.items() if value != UNSAID}))


def textured(facts: Facts) -> bool:
    """Whether the texture of every shape is stated, so that things can be told by it."""
    return all(thing.value("material") or not thing.value("colour") for thing in facts.things)


def reference(facts: Facts, number: int, random: Random, without: Sequence[str] = ()) -> str | None:
    """Words that fit one thing only, as few as do: "the red star"; None when nothing tells it from the others.

    Args:
        without: aspects that are not said, for instance since they are asked.
    """
    thing = facts.things[number]
    unsaid = {*without, *(() if textured(facts) else ("material",))}
    known = [aspect for aspect in ORDER if aspect not in unsaid and thing.value(aspect)]
    for count in range(1, len(known) + 1):
        found = [values(thing, aspects) for aspects in combinations(known, count)]
        fitting = [wanted for wanted in found if facts.which(wanted) == [number]]
        if fitting:
            return f"the {phrase(random.choice(fitting))}"
    return None
