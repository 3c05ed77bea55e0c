"""Questions about what may not be there: "What colour is the star?", answered "There is no star." where none is.

Answers that deny what a question takes for granted teach a model not to make things up (Liu et al. 2023,
arXiv:2306.14565). Two media are asked two such questions, each about a thing that one of them has and the other has
not, so nobody can tell from the words, or from what was said before, whether it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from sensorium.data.facts import Facts
from sensorium.grounding.balance import groups
from sensorium.grounding.generate import OPTIONS, Group, Items, Material, in_turn
from sensorium.grounding.question import Question
from sensorium.grounding.stems import Item
from sensorium.grounding.wording import DOES, WHERE, asks, box_said, distinctions, phrase, single

NONE = "There is no {}."
PLACE, ACTION = "place", "action"
TIER = "premise"
TRIES = 48
"""Media looked through for one that lacks what another has, and has what that lacks."""


@dataclass(frozen=True)
class Premise:
    """What is asked of a thing of a medium, and by what the thing is told, by aspect."""

    item: Item
    wanted: Mapping[str, str]

    def lacks(self, other: Premise, material: Material) -> bool:
        """Whether surely nothing of its medium is what the other one asks about."""
        return _lacks(material, self.item.medium, other.wanted)


def premises(material: Material, items: Items) -> list[Iterator[Group]]:
    """A stream for each aspect that things have; what they do and where they are included."""
    known = {aspect for facts in material.facts for thing in facts.things for aspect in thing.attributes} - {"other"}
    return [_stream(material, aspect) for aspect in (*sorted(known), ACTION, PLACE)]


def _stream(material: Material, aspect: str) -> Iterator[Group]:
    """Texts have their turns; of each, the answers that are not a denial are right equally often."""
    random = material.random(TIER, aspect)
    asked: dict[tuple[tuple[str, str], ...], list[Item]] = {}
    for medium, facts in enumerate(material.facts):
        for value, wanted in _asked(facts, aspect, random):
            asked.setdefault(tuple(wanted.items()), []).append(Item(medium, value))
    each = (_balanced(dict(wanted), own, random) for wanted, own in random.sample(list(asked.items()), len(asked)))
    waiting = list(in_turn(each))
    while waiting:
        one = waiting.pop()
        places = range(len(waiting) - 1, max(-1, len(waiting) - 1 - TRIES), -1)
        found = next((n for n in places if one.lacks(waiting[n], material) and waiting[n].lacks(one, material)), None)
        if found is not None:
            pair = (one, waiting.pop(found))
            yield [_question(material, aspect, about, of) for about in pair for of in pair]


def _balanced(wanted: Mapping[str, str], items: Sequence[Item], random: Random) -> Iterator[Premise]:
    return (Premise(item, wanted) for item in chain.from_iterable(groups(items, OPTIONS, False, random)))


def _asked(facts: Facts, aspect: str, random: Random) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Answers, and what their things are told by."""
    for index in range(len(facts.things)):
        found = list(distinctions(facts, index, (aspect,)))
        value = _answer(facts, index, aspect)
        if found and value:
            yield value, found[0] if random.random() < 0.7 else random.choice(found)


def _answer(facts: Facts, index: int, aspect: str) -> str:
    """ "" where there is none, or not one."""
    thing = facts.things[index]
    if aspect == PLACE:
        sized = facts.medium.width_px and facts.medium.height_px
        return box_said(thing.box) if thing.box and not thing.track and sized else ""
    if aspect == ACTION:
        does = {f"{event.what} {event.direction}".strip() for event in facts.events if event.subject == index}
        return does.pop() if len(does) == 1 else ""
    return single(thing, aspect)


def _lacks(material: Material, medium: int, wanted: Mapping[str, str]) -> bool:
    facts = material.facts[medium]
    return wanted.get("name") in facts.absent or facts.count(wanted) == 0


def _question(material: Material, aspect: str, about: Premise, of: Premise) -> Question:
    words = f"the {phrase(about.wanted)}"
    answer = about.item.truth if about is of else NONE.format(phrase(about.wanted))
    if aspect != PLACE:
        text = DOES.format(words) if aspect == ACTION else asks(aspect, words)
        return material.question(of.item.medium, "open", aspect, text, answer, tier=TIER)
    medium = material.facts[of.item.medium].medium
    frame = float(medium.width_px), float(medium.height_px)
    return material.question(of.item.medium, "locate", PLACE, WHERE.format(words), answer, frame=frame, tier=TIER)
