"""Templates: facts, and captions, with one aspect changed, to see whether an encoder of texts tells the two apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from sensorium.data.facts import OPPOSITE, Facts, Thing
from sensorium.grounding.differences import NEGATIONS, difference, is_caption
from sensorium.grounding.twins import ASPECTS

OPPOSITE_WORDS = {
    "left": "right", "above": "below", "under": "over", "behind": "before", "inside": "outside", "up": "down",
    "upwards": "downwards", "forward": "back", "near": "far", "before": "after", "north": "south", "east": "west",
}  # fmt: skip
BOTH_WAYS = OPPOSITE_WORDS | {other: one for one, other in OPPOSITE_WORDS.items()}
ARTICLE = re.compile(r"\b(a|an|the)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Changing:
    """Args:
    known: facts whose names and values are given to others.
    """

    known: Sequence[Facts]

    @cached_property
    def values(self) -> Mapping[str, list[str]]:
        """Values of things by aspect, "object" for names; of the setting under its own aspects."""
        found: dict[str, dict[str, None]] = {}
        for facts in self.known:
            for thing in facts.things:
                found.setdefault("object", {})[thing.name] = None
                for aspect, values in thing.attributes.items():
                    found.setdefault(aspect, {}).update(dict.fromkeys(values))
            for aspect, values in facts.setting.items():
                found.setdefault(aspect, {}).update(dict.fromkeys(values))
        return {aspect: sorted(values) for aspect, values in found.items()}

    def changed(self, facts: Facts, aspect: str, random: Random) -> Facts | None:
        """Facts that differ in the aspect alone; None where the template finds nothing to change."""
        if is_caption(facts):
            said = changed_caption(facts.things[0].name, aspect, random)
            found = None if said is None else replace(facts, things=(Thing(name=said),))
        else:
            change = CHANGES.get(aspect, _in_setting if aspect in facts.setting else _attribute)
            found = change(self, facts, aspect, random)
        if found is None or difference(facts, found).aspects != (aspect,):
            return None
        return found


def changed_caption(caption: str, aspect: str, random: Random) -> str | None:
    """A caption with one word of the aspect exchanged for another, or with "no" where it denies nothing yet."""
    if aspect == "negation":
        words = set(re.findall(r"[\w']+", caption.lower()))
        if words & NEGATIONS:
            return None
        return ARTICLE.sub("no", caption, count=1) if ARTICLE.search(caption) else f"no {caption}"
    known = ASPECTS.get(aspect, frozenset())
    table: Mapping[str, Sequence[str]] = {word: sorted(known - {word}) for word in known}
    if aspect in ("relation", "direction"):
        table = {word: [other] for word, other in BOTH_WAYS.items()}
    there = [found for found in re.finditer(r"[\w']+", caption) if found[0].lower() in table]
    if not there:
        return None
    place = random.choice(there)
    return caption[: place.start()] + random.choice(table[place[0].lower()]) + caption[place.end() :]


Change = Callable[[Changing, Facts, str, Random], Facts | None]


def _with(facts: Facts, number: int, thing: Thing) -> Facts:
    return replace(facts, things=(*facts.things[:number], thing, *facts.things[number + 1 :]))


def _attribute(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    able = [number for number, thing in enumerate(facts.things) if len(thing.attributes.get(aspect, ())) == 1]
    if not able:
        return None
    number = random.choice(able)
    thing = facts.things[number]
    others = [one for one in changing.values.get(aspect, ()) if one != thing.value(aspect)]
    if not others:
        return None
    return _with(facts, number, replace(thing, attributes={**thing.attributes, aspect: (random.choice(others),)}))


def _object(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    there = {name for thing in facts.things for name in (thing.name, *thing.synonyms)}
    others = [name for name in changing.values["object"] if name not in there and name not in facts.absent]
    if not others or not facts.things:
        return None
    number = random.randrange(len(facts.things))
    return _with(facts, number, replace(facts.things[number], name=random.choice(others), synonyms=()))


def _number(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    able = [number for number, thing in enumerate(facts.things) if thing.count is not None]
    if not able:
        return None
    number = random.choice(able)
    thing = facts.things[number]
    return _with(facts, number, replace(thing, count=(thing.count or 0) + 1))


def _existence(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    """The last thing less: then the numbers that relations have for the others stay right."""
    last = len(facts.things) - 1
    if last < 1:
        return None
    relations = tuple(one for one in facts.relations if last not in (one.subject, *one.objects))
    events = tuple(one for one in facts.events if one.subject != last)
    return replace(facts, things=facts.things[:-1], relations=relations, events=events)


def _relation(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    """Of one axis all relations turned: what was left of another is right of it."""
    able = sorted({one.predicate for one in facts.relations if one.predicate in OPPOSITE})
    if not able:
        return None
    turned = random.choice(able)
    both = {turned: OPPOSITE[turned], OPPOSITE[turned]: turned}
    changed = (replace(one, predicate=both.get(one.predicate, one.predicate)) for one in facts.relations)
    return replace(facts, relations=tuple(changed))


def _binding(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    """Two things exchange a value."""
    for _ in range(len(facts.things) ** 2):
        one, other = random.choices(range(len(facts.things)), k=2)
        first, second = facts.things[one], facts.things[other]
        shared = sorted(
            name
            for name in first.attributes.keys() & second.attributes.keys()
            if first.value(name) != second.value(name)
        )
        if shared and first.name != second.name:
            name = random.choice(shared)
            changed = _with(facts, one, replace(first, attributes={**first.attributes, name: second.attributes[name]}))
            return _with(
                changed, other, replace(second, attributes={**second.attributes, name: first.attributes[name]})
            )
    return None


def _in_setting(changing: Changing, facts: Facts, aspect: str, random: Random) -> Facts | None:
    others = [one for one in changing.values[aspect] if one not in facts.setting[aspect]]
    return replace(facts, setting={**facts.setting, aspect: (random.choice(others),)}) if others else None


CHANGES: Mapping[str, Change] = {
    "object": _object, "number": _number, "existence": _existence, "relation": _relation, "binding": _binding,
}  # fmt: skip
