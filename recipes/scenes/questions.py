"""Questions about stills, and their answers, from the facts alone.

None can be answered from its words: whether the answer is yes is tossed before the question is chosen, a wrong value
comes from the same odds as the right one, values are sampled evenly, and pairs that are held out from a side are not
even denied there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from recipes.scenes.atlas import Atlas
from recipes.scenes.held_out import may_say
from recipes.scenes.sample import sample_looks
from recipes.scenes.words import NUMBERS, a, described, listed, phrase, plural, reference, textured, values

from sensorium.data.facts import OPPOSITE, Box, Facts
from sensorium.data.table import Side
from sensorium.types import Part, Signal

BOXES = "boxes"
SEEN = {"left of": "left", "right of": "right", "above": "above", "below": "below"}
ROW_PX = 8
FORMS = (("name",), ("colour", "name"), ("material", "name"), ("colour", "material"))


@dataclass(frozen=True)
class Turn:
    """A question of a kind, its parts in order, and the answer.

    Args:
        about: numbers of the things that one must look at.
        wanted: what is looked for or counted, by aspect.
    """

    kind: str
    question: tuple[str | Part, ...]
    answer: str | Part
    about: tuple[int, ...] = ()
    wanted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a question is made from.

    Args:
        side: whose held-out pairs are not mentioned.
        atlas: with the drawings that there may be.
    """

    facts: Facts
    side: Side
    atlas: Atlas
    random: Random

    def pick(self, numbers: Sequence[int] | None = None, without: Sequence[str] = ()) -> tuple[int, str] | None:
        """A thing, and words for it; None when none can be told from the others."""
        things = list(range(len(self.facts.things)) if numbers is None else numbers)
        self.random.shuffle(things)
        for number in things:
            words = reference(self.facts, number, self.random, without)
            if words is not None:
                return number, words
        return None

    def other_look(self) -> dict[str, str]:
        """The values of a thing that might as well have been there."""
        found = sample_looks(self.random, self.side, max(1, len(self.facts.things)), self.atlas)
        look = self.random.choice(found)
        return {"name": look.kind, "colour": look.colour, "material": look.material}

    def may_say(self, wanted: Sequence[str]) -> bool:
        known = may_say(self.side)
        return all(frozenset((one, two)) in known for one in wanted for two in wanted if one != two)


def describe(asked: Asked) -> Turn:
    """All things, as one reads: row by row, from left to right; any order would have to be guessed."""
    things = listed([described(thing) for thing in sorted(asked.facts.things, key=lambda one: row_by_row(one.box))])
    return Turn("describe", (asked.random.choice(("What do you see?", "Describe the picture.")),), f"{things}")


def row_by_row(box: Box | None) -> tuple[float, float]:
    """What things are sorted by to be told as one reads."""
    assert box is not None
    return (box[1] + box[3]) // (2 * ROW_PX), box[0] + box[2]


def _value(aspect: str, question: str) -> Callable[[Asked], Turn | None]:
    def ask(asked: Asked) -> Turn | None:
        having = [number for number, thing in enumerate(asked.facts.things) if thing.value(aspect)]
        found = asked.pick(having, without=(aspect,))
        if found is None:
            return None
        number, words = found
        return Turn(aspect, (question.format(words),), asked.facts.things[number].value(aspect), (number,))

    return ask


def count(asked: Asked, wanted: dict[str, str]) -> Turn:
    """How many have it: asked of scenes made for that, so that every number is as likely."""
    number = asked.facts.count(wanted)
    assert number is not None
    about = tuple(asked.facts.which(wanted))
    return Turn("count", (f"How many {plural(phrase(wanted))} are there?",), NUMBERS[number], about, wanted)


def total(asked: Asked) -> Turn:
    """How many things there are: also of such scenes only."""
    return Turn("total", ("How many things are there?",), NUMBERS[len(asked.facts.things)])


def exists(asked: Asked) -> Turn | None:
    """Half of what is not there is put together of what is."""
    facts, random = asked.facts, asked.random
    forms = [form for form in FORMS if textured(facts) or "material" not in form]
    if random.random() < 0.5:
        number = random.randrange(len(facts.things))
        wanted = values(facts.things[number], random.choice(forms))
        return Turn("exists", (f"Is there {a(phrase(wanted))}?",), "yes", (number,), wanted)
    for _ in range(20):
        one, two = (values(random.choice(facts.things), ("name", "colour", "material")) for _ in range(2))
        mixed = one | {aspect: value for aspect, value in two.items() if random.random() < 0.5 and aspect in one}
        form = random.choice(forms)
        said = mixed if random.random() < 0.5 else asked.other_look()
        wanted = {aspect: said[aspect] for aspect in form if said.get(aspect)}
        if wanted and not facts.which(wanted) and asked.may_say(list(wanted.values())):
            return Turn("exists", (f"Is there {a(phrase(wanted))}?",), "no", (), wanted)
    return None


def is_it(asked: Asked) -> Turn | None:
    """Whether a thing has a value; a wrong one is another thing's, or any other."""
    facts, random = asked.facts, asked.random
    aspect = random.choice(("colour", "material"))
    having = [number for number, thing in enumerate(facts.things) if thing.value(aspect)]
    found = asked.pick(having, without=(aspect, "size"))
    if found is None:
        return None
    thing, right = facts.things[found[0]], random.random() < 0.5
    value = thing.value(aspect)
    rest = [said for other, said in values(thing, ("name", "colour", "material")).items() if other != aspect]
    for _ in range(20):
        if right:
            break
        elsewhere = random.choice(facts.things).value(aspect)
        value = elsewhere if elsewhere and random.random() < 0.5 else asked.other_look()[aspect]
        if value and value != thing.value(aspect) and all(asked.may_say((value, said)) for said in rest):
            break
    else:
        return None
    return Turn("is it", (f"Is {found[1]} {value}?",), "yes" if right else "no", (found[0],), {aspect: value})


def _pairs(asked: Asked) -> list[tuple[int, str, int]]:
    """(one, predicate, other) for all that are left, right, above or below, in any order."""
    found = [(r.subject, r.predicate, r.objects[0]) for r in asked.facts.relations if r.predicate in OPPOSITE]
    asked.random.shuffle(found)
    return found


def relation(asked: Asked) -> Turn | None:
    for one, predicate, other in _pairs(asked):
        first, second = asked.pick([one]), asked.pick([other])
        if first and second:
            right = asked.random.random() < 0.5
            said = predicate if right else OPPOSITE[predicate]
            asks = f"Is {first[1]} {said} {second[1]}?"
            return Turn("relation", (asks,), "yes" if right else "no", (one, other))
    return None


def where(asked: Asked) -> Turn | None:
    """Of two things of which only one relation holds."""
    pairs = _pairs(asked)
    for one, predicate, other in pairs:
        first, second = asked.pick([one]), asked.pick([other])
        alone = sum((first_, other_) == (one, other) for first_, _, other_ in pairs) == 1
        if alone and first and second:
            asks = f"Where is {first[1]}, seen from {second[1]}?"
            return Turn("where", (asks,), SEEN[predicate], (one, other))
    return None


def beside(asked: Asked) -> Turn | None:
    """What alone is left of, right of, above, below, inside or between."""
    relations = list(asked.facts.relations)
    asked.random.shuffle(relations)
    rare = [one for one in relations if one.predicate in ("inside", "between")]
    for one in [*rare[:2], *relations]:
        alike = [r.subject for r in asked.facts.relations if (r.predicate, r.objects) == (one.predicate, one.objects)]
        others = [asked.pick([number]) for number in one.objects]
        if alike == [one.subject] and all(others):
            said = " and ".join(found[1] for found in others if found)
            answer = described(asked.facts.things[one.subject])
            return Turn("beside", (f"What is {one.predicate} {said}?",), answer, (one.subject, *one.objects))
    return None


def boxes_of(facts: Facts, numbers: Sequence[int], label: str) -> Part:
    """The boxes of some things, with one label."""
    rows = np.array([facts.things[number].box for number in numbers], np.float32)
    frame = float(facts.medium.width_px), float(facts.medium.height_px)
    return Part(BOXES, Signal(rows, frame=frame, labels=(label,) * len(rows)))


def locate(asked: Asked) -> Turn | None:
    """The boxes of all things of a name or colour, as one reads, or of one thing."""
    thing = asked.random.choice(asked.facts.things)
    wanted = values(thing, asked.random.choice((("name",), ("colour",), ("colour", "name"))))
    found = asked.facts.which(wanted) if wanted else []
    numbers = sorted(found, key=lambda number: row_by_row(asked.facts.things[number].box))
    if not numbers:
        return None
    words = phrase(wanted)
    asks = f"Where is the {words}?" if len(numbers) == 1 else f"Where are the {plural(words)}?"
    return Turn("locate", (asks,), boxes_of(asked.facts, numbers, words), tuple(numbers))


def point(asked: Asked) -> Turn:
    number = asked.random.randrange(len(asked.facts.things))
    signal = boxes_of(asked.facts, [number], "").data
    where = Part(BOXES, Signal(signal.array, frame=signal.frame))
    return Turn("point", ("What is here?", where), described(asked.facts.things[number]), (number,))


def drawn(asked: Asked) -> str:
    """The wish for a picture with these things, and how two of them stand."""
    things = [described(thing) for thing in asked.facts.things]
    pairs = _pairs(asked)
    if len(things) == 2 and pairs:
        one, predicate, other = pairs[0]
        return f"Draw {things[one]} {predicate} {things[other]}."
    return f"Draw {listed(things)}."


ASK: dict[str, Callable[[Asked], Turn | None]] = {
    "describe": describe,
    "name": _value("name", "What is {}?"),
    "colour": _value("colour", "What colour is {}?"),
    "material": _value("material", "What pattern has {}?"),
    "size": _value("size", "How large is {}?"),
    "exists": exists,
    "is it": is_it,
    "relation": relation,
    "where": where,
    "beside": beside,
    "locate": locate,
    "point": point,
}
