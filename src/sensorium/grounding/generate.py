"""Questions written from facts: aspect by aspect, in several forms, balanced, without copies, the same for a seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import TypeVar

from sensorium.data.facts import Box, Facts
from sensorium.grounding import stems
from sensorium.grounding.balance import by_stem, groups
from sensorium.grounding.differences import described
from sensorium.grounding.question import Question, TaskName, identified
from sensorium.grounding.stems import Item, Stem
from sensorium.grounding.twins import twin_items
from sensorium.grounding.wording import WHERE, a, references
from sensorium.types import InputError

SHARES: Mapping[TaskName, float] = {
    "choice": 0.4, "groups": 0.2, "pope": 0.15, "open": 0.1, "locate": 0.1, "caption": 0.05,
}  # fmt: skip
OPTIONS = 4
NEGATIVES = 3
"""Of "pope", per medium and tier."""
MOST_DESCRIBED = 2000
"""Characters of a reference."""
DESCRIBE = "Describe what is there: name every thing."
Group = list[Question]
T = TypeVar("T")


@dataclass(frozen=True)
class Material:
    """Facts of media, and what is known over all of them.

    Args:
        paths: of the media, relative to where the questions will lie.
    """

    facts: Sequence[Facts]
    paths: Sequence[str]
    seed: int = 0

    def __post_init__(self) -> None:
        copies = [path for path, count in Counter(self.paths).items() if count > 1]
        if copies:
            raise InputError(f"{copies[0]} has facts twice; facts of one medium belong on one line")

    @cached_property
    def there(self) -> list[frozenset[str]]:
        """Names of what is there, by medium."""
        return [frozenset(name for thing in one.things for name in (thing.name, *thing.synonyms)) for one in self.facts]

    @cached_property
    def having(self) -> dict[str, list[int]]:
        """Media that have a thing of a name; frequent names first."""
        found: dict[str, list[int]] = {}
        for medium, facts in enumerate(self.facts):
            for name in dict.fromkeys(thing.name for thing in facts.things):
                found.setdefault(name, []).append(medium)
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))

    @cached_property
    def _along(self) -> dict[str, list[str]]:
        together: dict[str, Counter[str]] = {}
        for facts in self.facts:
            names = dict.fromkeys(thing.name for thing in facts.things)
            for name in names:
                together.setdefault(name, Counter()).update(other for other in names if other != name)
        return {name: [other for other, _ in counts.most_common()] for name, counts in together.items()}

    def along(self, name: str) -> Sequence[str]:
        """Names that come along with one, most often first."""
        return self._along[name]

    def random(self, *what: object) -> Random:
        return Random(":".join(map(str, (self.seed, *what))))

    def items(self) -> dict[str, dict[Stem, list[Item]]]:
        """Everything that can be asked, by aspect and stem."""
        ask: list[stems.Ask] = [
            stems.attributes, stems.objects, stems.numbers(list(self.having)), stems.relations, stems.events,
            stems.existence(self.along), stems.looks,
        ]  # fmt: skip
        found: dict[str, list[tuple[Stem, Item]]] = {}
        for medium, facts in enumerate(self.facts):
            random = self.random("items", self.paths[medium])
            for one in ask:
                for stem, item in one(medium, facts, random):
                    found.setdefault(stem.aspect, []).append((stem, item))
        return {aspect: by_stem(pairs) for aspect, pairs in found.items()}

    def question(self, medium: int, task: TaskName, aspect: str, text: str, answer: str, *, tier: str = "",
                 options: tuple[str, ...] = (), also: tuple[str, ...] = (), places: tuple[Box, ...] = (),
                 frame: tuple[float, float] | None = None) -> Question:  # fmt: skip
        """A question about the medium of a number; all else as `Question` has it."""
        found = Question(
            id="?", task=task, medium=self.paths[medium], modality=self.facts[medium].medium.modality, aspect=aspect,
            tier=tier, text=text, options=options, answer=answer, also=also, places=places, frame=frame,
        )  # fmt: skip
        return identified(found)


def generate(material: Material, count: int, tasks: Iterable[TaskName] = tuple(SHARES)) -> list[Question]:
    """About ``count`` questions, shared out among the tasks, and within them evenly among aspects and tiers.

    Fewer where the facts give no more.
    """
    found: dict[str, Question] = {}
    shares = {task: SHARES[task] for task in tasks}
    items = material.items()
    for task, share in shares.items():
        wanted = round(count * share / sum(shares.values()))
        taken = 0
        for group in in_turn(STREAMS[task](material, items)):
            if taken >= wanted:
                break
            if not any(one.id in found for one in group):
                found |= {one.id: one for one in _grouped(group)}
                taken += len(group)
    return list(found.values())


Items = Mapping[str, Mapping[Stem, Sequence[Item]]]
Stream = Callable[[Material, Items], list[Iterator[Group]]]


def in_turn(streams: Iterable[Iterator[T]]) -> Iterator[T]:
    """One of each in turn, as long as they last."""
    waiting = list(streams)
    while waiting:
        left = []
        for stream in waiting:
            one = next(stream, None)
            if one is not None:
                left.append(stream)
                yield one
        waiting = left


def _grouped(group: Group) -> Group:
    if len(group) == 1:
        return group
    name = hashlib.sha256("".join(sorted(one.id for one in group)).encode()).hexdigest()[:12]
    return [replace(one, group=name) for one in group]


def _by_aspect(task: TaskName, make: Callable[..., Group], size: int) -> Stream:
    """A stream for each aspect and tier, in which every stem has its turn."""

    def stream(material: Material, aspect: str, by: Mapping[Stem, Sequence[Item]], tier: str) -> Iterator[Group]:
        random = material.random(task, aspect, tier)
        order = random.sample(list(by), len(by))
        each = (_of_stem(stem, by[stem], tier == "hard", random) for stem in order)
        for stem, group in in_turn(each):
            yield make(material, task, tier, stem, group, random)

    def _of_stem(stem: Stem, items: Sequence[Item], hard: bool, random: Random) -> Iterator[tuple[Stem, list[Item]]]:
        return ((stem, group) for group in groups(items, size, hard, random))

    def streams(material: Material, items: Items) -> list[Iterator[Group]]:
        known = {aspect: by for aspect, by in items.items() if task != "open" or aspect != "existence"}
        found = [stream(material, aspect, by, tier) for aspect, by in known.items() for tier in ("random", "hard")]
        twins = twin_items(material.facts)
        return found + [stream(material, aspect, by, "twin") for aspect, by in twins.items() if size > 1 and by]

    return streams


def _choice(material: Material, task: TaskName, tier: str, stem: Stem, group: list[Item], random: Random) -> Group:
    truths = [item.truth for item in group]
    made = []
    for item in group:
        options = tuple(random.sample(truths, len(truths))) if task == "choice" else ()
        asked = material.question(
            item.medium, task, stem.aspect, stem.text, item.truth, options=options, also=item.also, tier=tier
        )
        made.append(asked)
    return made


def _two_by_two(material: Material, task: TaskName, tier: str, stem: Stem, group: list[Item], random: Random) -> Group:
    made = []
    for asked in group:
        text = stem.yes_no.replace("{value}", asked.truth).replace("{a value}", a(asked.truth))
        for item in group:
            answer = "yes" if item is asked else "no"
            made.append(material.question(item.medium, task, stem.aspect, text, answer, tier=tier))
    return made


def _pope(material: Material, items: Items) -> list[Iterator[Group]]:
    """Whether something is there, as POPE asks (arXiv:2305.10355): names at random, frequent ones, and those that
    often come along with what is there. Each is asked once more of a medium where it is there, so that no name is
    denied more often than another.
    """
    return [_pope_tier(material, tier) for tier in ("random", "popular", "adversarial")]


def _pope_tier(material: Material, tier: str) -> Iterator[Group]:
    random = material.random("pope", tier)
    left = {name: random.sample(media, len(media)) for name, media in material.having.items()}
    for medium in random.sample(range(len(material.facts)), len(material.facts)):
        absent = [name for name in _ordered(material, medium, tier, random) if _absent(material, medium, name)]
        for name in [name for name in absent if left[name]][:NEGATIVES]:
            text = f"Is there {a(name)}?"
            yes = material.question(left[name].pop(), "pope", "existence", text, "yes", tier=tier)
            yield [yes, material.question(medium, "pope", "existence", text, "no", tier=tier)]


def _ordered(material: Material, medium: int, tier: str, random: Random) -> list[str]:
    every = list(material.having)
    if tier == "random":
        return random.sample(every, len(every))
    if tier == "popular":
        return every
    along = Counter[str]()
    for thing in material.facts[medium].things:
        along.update({name: -place for place, name in enumerate(reversed(material.along(thing.name)))})
        along.update({name: len(every) for name in material.along(thing.name)})
    return [name for name, _ in along.most_common()]


def _absent(material: Material, medium: int, name: str) -> bool:
    facts = material.facts[medium]
    return name in facts.absent or ("things" in facts.complete and name not in material.there[medium])


def _locate(material: Material, items: Items) -> list[Iterator[Group]]:
    def stream() -> Iterator[Group]:
        random = material.random("locate")
        for medium in random.sample(range(len(material.facts)), len(material.facts)):
            facts = material.facts[medium]
            frame = float(facts.medium.width_px), float(facts.medium.height_px)
            for index, thing in enumerate(facts.things):
                words = next(references(facts, index), "")
                if words and thing.box and not thing.track and all(frame):
                    asked = material.question(
                        medium, "locate", "place", WHERE.format(words), words,
                        places=(thing.box,), frame=frame, also=(thing.name,),
                    )  # fmt: skip
                    yield [asked]
                    break

    return [stream()]


def _caption(material: Material, items: Items) -> list[Iterator[Group]]:
    def stream() -> Iterator[Group]:
        for medium in material.random("caption").sample(range(len(material.facts)), len(material.facts)):
            names = tuple(dict.fromkeys(thing.name for thing in material.facts[medium].things))
            if names and "things" in material.facts[medium].complete:
                asked = material.question(medium, "caption", "existence", DESCRIBE, ", ".join(names), also=names)
                yield [replace(asked, references=(described(material.facts[medium])[:MOST_DESCRIBED],))]

    return [stream()]


STREAMS: Mapping[TaskName, Stream] = {
    "choice": _by_aspect("choice", _choice, OPTIONS),
    "open": _by_aspect("open", _choice, OPTIONS),
    "groups": _by_aspect("groups", _two_by_two, 2),
    "pope": _pope,
    "locate": _locate,
    "caption": _caption,
}
