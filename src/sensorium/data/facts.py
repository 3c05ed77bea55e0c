"""What is true of a medium, in one small form that every source of labelled media can produce; see docs/facts.md.

A renderer knows all of it; annotations of others (scene graphs, lists of labelled boxes) fill what they know. One JSON
object a line. Places are in px of the medium, x to the right and y down, a corner x1, y1 lies just outside; times are
in seconds from its start. What is derived (counts, where a thing is at some time) is computed, not written down.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from sensorium.checked import NAME, Range, checked, told
from sensorium.files import atomic_file
from sensorium.types import InputError

VERSION = 1
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
"""Predicates of which one excludes the other; each also says the other of the two things exchanged."""
PX = Annotated[float, Range(-(2**20), 2**20)]
TIME_S = Annotated[float, Range(0, 10**7)]
INDEX = Annotated[int, Range(0, 2**16)]
Box = tuple[PX, PX, PX, PX]


@dataclass(frozen=True, kw_only=True)
class Medium:
    """Which medium the facts are of.

    Args:
        modality: its name, as in conversations.
        path: of its file, relative to the facts' file; of a folder of frames, in the order of their names.
        width_px, height_px: that places refer to; 0 for media without.
        duration_s: 0 for what stands still.
        rate_hz: of frames, 0 where not known.
    """

    modality: NAME
    path: str
    width_px: Annotated[int, Range(0, 2**20)] = 0
    height_px: Annotated[int, Range(0, 2**20)] = 0
    duration_s: TIME_S = 0.0
    rate_hz: Annotated[float, Range(0, 10**6)] = 0.0


@dataclass(frozen=True, kw_only=True)
class Thing:
    """An object that is seen or heard.

    Args:
        name: what it is.
        synonyms: further right names.
        attributes: values by aspect (colour, material, size, state, ...; "other" where the source does not say which).
        count: how many such things this entry stands for; None for a crowd that nobody counted.
        box: x0, y0, x1, y1 around all of it, at the first moment it is there; None where nobody says.
        track: (seconds, x0, y0, x1, y1) while it is there, times rising; between them the box changes evenly.
    """

    name: NAME
    synonyms: tuple[NAME, ...] = ()
    attributes: Mapping[str, tuple[NAME, ...]] = field(default_factory=dict)
    count: Annotated[int, Range(1, 2**20)] | None = 1
    box: Box | None = None
    track: tuple[tuple[TIME_S, PX, PX, PX, PX], ...] = ()

    def value(self, aspect: str) -> str:
        """The first value of an aspect; "" where there is none. "name" is an aspect, too."""
        return self.name if aspect == "name" else next(iter(self.attributes.get(aspect, ())), "")

    def has(self, wanted: Mapping[str, str]) -> bool:
        """Whether it is, or has among its values, all that is wanted by aspect."""
        return all(value in self._values(aspect) for aspect, value in wanted.items())

    def _values(self, aspect: str) -> tuple[str, ...]:
        return (self.name, *self.synonyms) if aspect == "name" else tuple(self.attributes.get(aspect, ()))

    def box_at(self, time_s: float) -> Box | None:
        """Where it is at a time; None when it is not there."""
        if not self.track:
            return self.box
        if not self.track[0][0] <= time_s <= self.track[-1][0]:
            return None
        after = next(n for n, point in enumerate(self.track) if point[0] >= time_s)
        (t0, *before), (t1, *then) = self.track[max(after - 1, 0)], self.track[after]
        share = (time_s - t0) / (t1 - t0) if t1 > t0 else 0.0
        x0, y0, x1, y1 = (a + share * (b - a) for a, b in zip(before, then, strict=True))
        return x0, y0, x1, y1


@dataclass(frozen=True, kw_only=True)
class Relation:
    """The thing number ``subject`` stands in a relation to others, of which "between" has two.

    It holds all the time. ``OPPOSITE`` lists predicates that exclude each other.
    """

    subject: INDEX
    predicate: NAME
    objects: Annotated[tuple[INDEX, ...], Range(1, 8)]


@dataclass(frozen=True, kw_only=True)
class Event:
    """What the thing number ``subject`` does from ``start_s`` to ``end_s``, to the end of its change.

    Args:
        what: a verb in the third person: "moves", "grows", "appears".
        direction: where to, if it goes anywhere.
    """

    subject: INDEX
    what: NAME
    direction: NAME = ""
    start_s: TIME_S
    end_s: TIME_S


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that is known of one medium.

    Args:
        setting: values by aspect of the whole: its background, its place, its weather.
        absent: names of things that somebody looked for and did not find.
        complete: which lists name all there is ("things", "relations", "events", and names of aspects): what they do
            not name is then not so. Of the others nothing can be concluded from silence.
        source, licence: where it is from, under which terms.
        split: side of the split.

    Raises:
        InputError: a number points at no thing, times or corners are out of order, or two facts contradict each other.
    """

    version: Literal[1] = VERSION
    medium: Medium
    things: tuple[Thing, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()
    setting: Mapping[str, tuple[NAME, ...]] = field(default_factory=dict)
    absent: tuple[NAME, ...] = ()
    complete: tuple[NAME, ...] = ()
    source: str = ""
    licence: str = ""
    split: NAME = ""

    def __post_init__(self) -> None:
        problem = next(_problems(self), None)
        if problem is not None:
            raise InputError(f"the facts of {self.medium.path!r} are wrong: {problem}")

    def which(self, wanted: Mapping[str, str]) -> list[int]:
        """Numbers of the things that have all that is wanted, by aspect ("name" is one)."""
        return [number for number, thing in enumerate(self.things) if thing.has(wanted)]

    def count(self, wanted: Mapping[str, str]) -> int | None:
        """How many things have it; None where nobody knows: a crowd, or what is not complete."""
        counts = [self.things[number].count for number in self.which(wanted)]
        needed = {"things", *wanted} - {"name"}
        known = needed <= set(self.complete) and None not in counts
        return sum(one for one in counts if one is not None) if known else None

    def holds(self, subject: int, predicate: str, objects: tuple[int, ...]) -> bool | None:
        """Whether a relation holds; None where nobody knows."""
        if _normal(subject, predicate, objects) in self._said:
            return True
        other = OPPOSITE.get(predicate)
        turned = other is not None and _normal(subject, other, objects) in self._said
        return False if turned or "relations" in self.complete else None

    @cached_property
    def _said(self) -> frozenset[Stated]:
        return frozenset(_normal(one.subject, one.predicate, one.objects) for one in self.relations)

    def to_json(self) -> dict[str, Any]:
        """What was not said is left out."""
        return {"version": self.version} | _plain(self)

    @classmethod
    def from_json(cls, said: Any, where: str = "the facts") -> Facts:
        """The inverse of `to_json`.

        Raises:
            InputError: it is of another form, or the facts are wrong.
        """
        return checked(said, cls, where)


Stated = tuple[int, str, tuple[int, ...]]


def _normal(subject: int, predicate: str, objects: tuple[int, ...]) -> Stated:
    """The same said the other way round, if that comes first: "left of" for "right of"."""
    other = OPPOSITE.get(predicate, predicate)
    return (objects[0], other, (subject,)) if other < predicate and len(objects) == 1 else (subject, predicate, objects)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kept = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: _plain(said) for one, said in kept if said != _default(one)}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _default(one: Any) -> Any:
    return {} if callable(one.default_factory) else one.default


def _problems(facts: Facts) -> Iterator[str]:
    """What is wrong, sentence by sentence; the first one is told."""
    count = len(facts.things)
    yield from _problems_of_things(facts)
    for relation in facts.relations:
        if max(relation.subject, *relation.objects) >= count:
            yield f"a relation ({relation.predicate}) names a thing that is not among the {count}"
        if relation.subject in relation.objects:
            yield f"thing {relation.subject} is {relation.predicate} itself"
        other = OPPOSITE.get(relation.predicate, "")
        if other and _normal(relation.subject, other, relation.objects) in facts._said:
            yield f"thing {relation.subject} is both {relation.predicate} and {other} thing {relation.objects[0]}"
    for event in facts.events:
        if event.subject >= count:
            yield f"an event ({event.what}) names thing {event.subject}, which is not among the {count}"
        if event.start_s > event.end_s:
            yield f"an event ({event.what}) ends before it starts"


def _problems_of_things(facts: Facts) -> Iterator[str]:
    for number, thing in enumerate(facts.things):
        points = [(0.0, *thing.box)] if thing.box else []
        for _, x0, y0, x1, y1 in (*points, *thing.track):
            if x0 > x1 or y0 > y1:
                yield f"thing {number} ({thing.name}) has a box with swapped corners; the first is top left"
        times = [point[0] for point in thing.track]
        if times != sorted(times):
            yield f"thing {number} ({thing.name}) has a track whose times do not rise"
        for name in (thing.name, *thing.synonyms):
            if name in facts.absent:
                yield f"thing {number} ({name}) is there and is said to be absent"


def write_facts(facts: Iterable[Facts], path: str | PathLike[str]) -> None:
    """Write them as JSONL, whole or not at all."""
    with atomic_file(path) as out, out.open("w", encoding="utf-8") as file:
        for one in facts:
            file.write(json.dumps(one.to_json(), ensure_ascii=False) + "\n")


def read_facts(path: str | PathLike[str]) -> Iterator[Facts]:
    """The facts of a file of JSONL, line by line.

    Raises:
        InputError: the file cannot be read, or a line is no JSON, of another form, or contradicts itself.
    """
    if not Path(path).is_file():
        raise InputError(f"there is no file of facts at {path}")
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"line {number} of {path}"
            with told(f"{where} is no JSON", "; write one object of facts a line"):
                said = json.loads(line)
            with told(where):
                found = Facts.from_json(said, "it")
            yield found
