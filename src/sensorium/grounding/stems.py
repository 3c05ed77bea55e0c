"""What can be asked of each medium: stems, which many media share, and items, which are a medium and its right answer.

A stem is the words of a question. Its items have different right answers in different media, so questions can be put
together of which nobody can tell the answer from the words: see `sensorium.grounding.balance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from sensorium.data.facts import OPPOSITE, Facts
from sensorium.grounding.wording import DOES, SPATIAL, a, asks, is_it, number, phrase, plural, references, single

NEAR = 12
"""Absent names that most often come along with one that is there."""
ABSENT = 2
"""Names of which the number is asked though there are none, per medium."""
STAYS = "stays as it is"


@dataclass(frozen=True)
class Stem:
    """The words of a question.

    Args:
        aspect: what is asked for.
        text: of the open question.
        yes_no: of the question for yes or no, with ``{value}`` or ``{a value}`` where the value stands.
    """

    aspect: str
    text: str
    yes_no: str


@dataclass(frozen=True)
class Item:
    """A medium of which a stem can be asked.

    Args:
        medium: its number.
        truth: the right answer.
        near: wrong answers that are hard: true of something else in the medium.
        barred: further values that are right, or may be: not to be offered as wrong ones.
        false: values that are known to be wrong; None where all are that are not right.
        also: other words for the truth.
    """

    medium: int
    truth: str
    near: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    false: frozenset[str] | None = None
    also: tuple[str, ...] = ()

    def denies(self, value: str) -> bool:
        """Whether a value is surely wrong of this medium."""
        return value != self.truth and value not in self.barred and (self.false is None or value in self.false)


Found = Iterator[tuple[Stem, Item]]
Ask = Callable[[int, Facts, Random], Found]


def one_reference(facts: Facts, index: int, random: Random, without: Sequence[str] = ()) -> str:
    """The shortest words for a thing, sometimes longer ones; "" where there are none."""
    found = references(facts, index, without)
    if random.random() < 0.7:
        return next(found, "")
    longer = list(found)
    return random.choice(longer) if longer else ""


def attributes(medium: int, facts: Facts, random: Random) -> Found:
    """Colour, material, size, state, text, and whatever else things have one value of."""
    aspects = dict.fromkeys(chain.from_iterable(thing.attributes for thing in facts.things))
    for aspect in aspects:
        if aspect == "other":
            continue
        for index, thing in enumerate(facts.things):
            value, words = single(thing, aspect), one_reference(facts, index, random, (aspect,))
            if value and words:
                others = {said for other in facts.things for said in other.attributes.get(aspect, ())}
                yield (
                    Stem(aspect, asks(aspect, words), is_it(aspect, words)),
                    Item(medium, value, frozenset(others - {value})),
                )


def objects(medium: int, facts: Facts, random: Random) -> Found:
    """What a thing is, told by how it looks, where it is, or since it is the only one."""
    names = {name for thing in facts.things for name in (thing.name, *thing.synonyms)}

    def item(index: int) -> Item:
        thing = facts.things[index]
        own = frozenset(thing.synonyms)
        return Item(medium, thing.name, frozenset(names - own - {thing.name}), own, also=thing.synonyms)

    if len(facts.things) == 1:
        yield Stem("object", "What is it?", "Is it {a value}?"), item(0)
        return
    for index in range(len(facts.things)):
        words = one_reference(facts, index, random, ("name",))
        if words:
            yield Stem("object", f"What is {words}?", f"Is {words} {{a value}}?"), item(index)
    if "relations" in facts.complete:
        for relation in facts.relations:
            alike = [r for r in facts.relations if (r.predicate, r.objects) == (relation.predicate, relation.objects)]
            words = one_reference(facts, relation.objects[0], random) if len(relation.objects) == 1 else ""
            if len(alike) == 1 and words:
                asked = f"{relation.predicate} {words}"
                yield Stem("object", f"What is {asked}?", f"Is what is {asked} {{a value}}?"), item(relation.subject)


def numbers(names: Sequence[str]) -> Ask:
    """How many there are, also of what is not there; wrong numbers next to the right one are hard."""

    def ask(medium: int, facts: Facts, random: Random) -> Found:
        if "things" not in facts.complete:
            return
        there = dict.fromkeys(thing.name for thing in facts.things)
        absent = [name for name in random.sample(list(names), min(len(names), 2 * ABSENT)) if name not in there]
        for name in (*there, *absent[:ABSENT]):
            count = facts.count({"name": name})
            if count is not None:
                near = frozenset(number(one) for one in (count - 1, count + 1) if one >= 0)
                many = plural(name)
                yield (
                    Stem("number", f"How many {many} are there?", f"Is the number of {many} {{value}}?"),
                    Item(medium, number(count), near),
                )

    return ask


def relations(medium: int, facts: Facts, random: Random) -> Found:
    """Where one thing is, seen from another, of two of which one relation alone is stated."""
    known = "relations" in facts.complete
    stated: dict[tuple[int, int], set[str]] = {}
    for one in facts.relations:
        if len(one.objects) == 1:
            stated.setdefault((one.subject, one.objects[0]), set()).add(one.predicate)
    pairs = [*stated, *((other, one) for one, other in stated if (other, one) not in stated)]
    for subject, other in pairs:
        said = stated.get((subject, other), set()) | {
            OPPOSITE[p] for p in stated.get((other, subject), ()) if p in OPPOSITE
        }
        if len(said) != 1 or not said <= SPATIAL:
            continue
        (truth,) = said
        one, two = one_reference(facts, subject, random), one_reference(facts, other, random)
        near = SPATIAL.intersection(chain.from_iterable(stated.values())) - {truth}
        false = None if known else frozenset({OPPOSITE[truth]} if truth in OPPOSITE else ())
        if one and two:
            near = near | ({OPPOSITE[truth]} if truth in OPPOSITE else set())
            text, asked = f"Where is {one}, seen from {two}?", f"Is {one} {{value}} {two}?"
            yield Stem("relation", text, asked), Item(medium, truth, near, false=false)


def events(medium: int, facts: Facts, random: Random) -> Found:
    """What a thing does that does one thing, or none."""
    does: dict[int, set[str]] = {}
    for event in facts.events:
        does.setdefault(event.subject, set()).add(f"{event.what} {event.direction}".strip())
    if not facts.medium.duration_s and not facts.events:
        return
    every = frozenset(chain.from_iterable(does.values()))
    for index in range(len(facts.things)):
        own = does.get(index, {STAYS} if "events" in facts.complete else set())
        words = one_reference(facts, index, random)
        if len(own) == 1 and words:
            (truth,) = own
            stem = Stem("action", DOES.format(words), f"Is it true that {words} {{value}}?")
            yield stem, Item(medium, truth, every - own)


def existence(along: Callable[[str], Sequence[str]]) -> Ask:
    """Whether something is there; what often comes along with what is there is hard to deny.

    Args:
        along: names that come along with one, most often first.
    """
    stem = Stem("existence", "Which of these is there?", "Is there {value}?")

    def ask(medium: int, facts: Facts, random: Random) -> Found:
        there = {name for thing in facts.things for name in (thing.name, *thing.synonyms)}
        complete = "things" in facts.complete
        if not complete and not facts.absent:
            return
        false = None if complete else frozenset(map(a, facts.absent))
        for thing in {thing.name: thing for thing in facts.things}.values():
            near = [a(name) for name in along(thing.name) if name not in there]
            also = tuple(map(a, thing.synonyms))
            yield stem, Item(medium, a(thing.name), frozenset(near[:NEAR]), frozenset(map(a, there)), false, also)

    return ask


def looks(medium: int, facts: Facts, random: Random) -> Found:
    """Whether something that looks so is there; what has the look of one thing and the name of another is hard."""
    if "things" not in facts.complete:
        return
    for aspect in ("colour", "material"):
        if aspect not in facts.complete:
            continue
        having = [thing for thing in facts.things if single(thing, aspect)]
        there = {a(phrase({"name": thing.name, aspect: single(thing, aspect)})) for thing in having}
        crossed = {
            a(phrase({"name": one.name, aspect: single(other, aspect)})) for one in having for other in having
        } - there
        for value in sorted(there):
            stem = Stem("existence", f"Which of these is there, by {aspect}?", "Is there {value}?")
            yield stem, Item(medium, value, frozenset(crossed), frozenset(there))
