"""What a text tells of: names and values that the facts have. Two turns that tell of the same thing are kept apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sensorium.data.facts import Facts
from sensorium.grounding.wording import plural


@dataclass(frozen=True)
class Named:
    """Args:
    names, values: single words, in the singular.
    bare: something is called a "thing" only, so that its values stand for it.
    """

    names: frozenset[str]
    values: frozenset[str]
    bare: bool = False

    def meets(self, other: Named) -> bool:
        """Whether both may tell of the same thing."""
        return bool(self.names & other.names) or ((self.bare or other.bare) and bool(self.values & other.values))


@dataclass(frozen=True)
class Words:
    """The words of names and values that facts have."""

    facts: Sequence[Facts]

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return _singular(name for one in self.facts for thing in one.things for name in (thing.name, *thing.synonyms))

    @cached_property
    def _values(self) -> Mapping[str, str]:
        things = (thing for one in self.facts for thing in one.things)
        return _singular(value for thing in things for values in thing.attributes.values() for value in values)

    def named(self, text: str) -> Named:
        said = _split(text)
        names, values = (frozenset(known[one] for one in said if one in known) for known in (self._names, self._values))
        return Named(names, values, bare="thing" in said)


def _singular(phrases: Iterable[str]) -> Mapping[str, str]:
    words = {word for one in set(phrases) for word in _split(one)}
    return {plural(word): word for word in words} | {word: word for word in words}


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
