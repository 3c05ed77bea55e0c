"""How things and questions are put into words; English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from sensorium.data.facts import Facts, Thing

BEFORE_NAME = ("size", "shape", "material", "colour")
"""Aspects that are said before a name, in this order: "the small striped red star"."""
MOST_SAID = 2
"""Aspects that are said before a name, at most."""
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
ASKS: Mapping[str, str] = {
    "colour": "What colour is {}?",
    "material": "What material or pattern does {} have?",
    "size": "How large is {}?",
    "shape": "What shape is {}?",
    "state": "In what state is {}?",
    "text": "What is written on {}?",
}
"""Questions for a value of a thing; of other aspects `OTHER`."""
OTHER = "What is the {aspect} of {thing}?"
WHERE = "Where is {}?"
DOES = "What does {} do?"
IS_IT: Mapping[str, str] = {"text": 'Does {thing} say "{value}"?'}
SPATIAL = frozenset((
    "left of", "right of", "above", "below", "on", "under", "inside", "in front of", "behind", "next to", "on top of",
    "beside", "near", "over",
))  # fmt: skip
"""Predicates that say where something is."""


def a(words: str) -> str:
    return f"{'an' if words[:1].lower() in tuple('aeiou') else 'a'} {words}"


def plural(words: str) -> str:
    return words + ("es" if words.endswith(("s", "x", "ch", "sh")) else "s")


def number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def asks(aspect: str, thing: str) -> str:
    return ASKS[aspect].format(thing) if aspect in ASKS else OTHER.format(aspect=aspect, thing=thing)


def is_it(aspect: str, thing: str) -> str:
    """A question for yes or no, with ``{value}`` left open."""
    default = "Is {thing} {value}?" if aspect in ASKS else "Is the {aspect} of {thing} {value}?"
    form = IS_IT.get(aspect, default)
    return form.replace("{aspect}", aspect).replace("{thing}", thing)


def described(facts: Facts) -> str:
    """All things with their number and, where it is known, their colour: "a red star, two blue rings and a moon"."""
    alike, crowds = Counter[str](), []
    for thing in facts.things:
        colour = single(thing, "colour")
        look = phrase({"name": thing.name} | ({"colour": colour} if colour else {}))
        if thing.count is None:
            crowds.append(f"many {plural(look)}")
        else:
            alike[look] += thing.count
    said = [a(look) if count == 1 else f"{number(count)} {plural(look)}" for look, count in alike.items()] + crowds
    return " and ".join(one for one in (", ".join(said[:-1]), said[-1]) if one)


def box_said(box: Sequence[float]) -> str:
    """As answers have it: "[1, 20, 31, 42]", px."""
    return f"[{', '.join(f'{corner:g}' for corner in box)}]"


def single(thing: Thing, aspect: str) -> str:
    """The value of an aspect where the thing has exactly one; else ""."""
    values = thing.attributes.get(aspect, ())
    return values[0] if len(values) == 1 else ""


def phrase(wanted: Mapping[str, str]) -> str:
    """ "small red star"; where no name is said, "small red thing"."""
    return " ".join([*(wanted[aspect] for aspect in BEFORE_NAME if aspect in wanted), wanted.get("name", "thing")])


def references(facts: Facts, index: int, without: Sequence[str] = ()) -> Iterator[str]:
    """Words that fit one thing alone, the shortest first; nothing where none tells it from the others.

    Args:
        without: aspects that are not said, since they are asked.
    """
    return (f"the {phrase(wanted)}" for wanted in distinctions(facts, index, without))


def distinctions(facts: Facts, index: int, without: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """What tells a thing from the others, by aspect; as `references` has it."""
    thing = facts.things[index]
    if thing.count != 1:
        return
    known = {aspect: single(thing, aspect) for aspect in BEFORE_NAME if aspect not in without}
    known = {aspect: value for aspect, value in known.items() if value and _all_say(facts, aspect)}
    names = {} if "name" in without else {"name": thing.name}
    for count in range(min(len(known), MOST_SAID) + 1):
        for aspects in combinations(known, count):
            wanted = {aspect: known[aspect] for aspect in aspects} | names
            if wanted and facts.which(wanted) == [index]:
                yield wanted


def _all_say(facts: Facts, aspect: str) -> bool:
    """Whether silence on an aspect means that a thing has no such value, so that things can be told by it."""
    return aspect in facts.complete or all(thing.attributes.get(aspect) for thing in facts.things)
