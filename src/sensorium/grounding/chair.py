"""CHAIR (Rohrbach et al. 2018, arXiv:1809.02156): things that a caption names although they are not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sensorium.evaluate.clustered import Rate, rate
from sensorium.evaluate.marks import Mark
from sensorium.grounding.wording import plural
from sensorium.types import InputError

PLURALS = {"person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice", "knife": "knives"}


@dataclass(frozen=True)
class Chair:
    """What things are called.

    Args:
        names: of all things that there may be.
        synonyms: further words for a name, e.g. {"dog": ["puppy"]}.
    """

    names: Sequence[str]
    synonyms: Mapping[str, Sequence[str]]

    @cached_property
    def _words(self) -> dict[str, str]:
        """Names by every word for them, in lower case."""
        found = {}
        for name in self.names:
            for word in (name, *self.synonyms.get(name, ())):
                for form in (word, plural(word), PLURALS.get(word, word)):
                    found.setdefault(form.lower(), name)
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._words, key=len, reverse=True)
        return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)

    def named(self, caption: str) -> list[str]:
        """The things that a caption mentions, as often as it does; of "hot dog" not the dog, if both are known."""
        return [self._words[one.lower()] for one in self._pattern.findall(caption)] if self._words else []

    def known(self, names: Iterable[str]) -> set[str]:
        """What things are called here, by any of their words."""
        return {self._words.get(name.lower(), name) for name in names}


def synonyms_of(text: str) -> dict[str, list[str]]:
    """A table of synonyms: one thing a line, its name first, then other words, with commas between.

    Raises:
        InputError: a word stands in two lines.
    """
    found: dict[str, list[str]] = {}
    seen: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, *more = (word.strip().lower() for word in line.split(","))
        for word in (name, *more):
            if seen.setdefault(word, name) != name:
                raise InputError(f"the table of synonyms has {word!r} for {seen[word]!r} and for {name!r}; keep one")
        found[name] = more
    return found


@dataclass(frozen=True)
class ChairScores:
    """Args:
    instances: share of mentions that are made up (CHAIR_i).
    captions: share of captions with a made-up thing (CHAIR_s).
    coverage: share of what is there that is named.
    """

    instances: float
    captions: Rate
    coverage: float

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> ChairScores:
        """Over captions as `sensorium.grounding.marking` marks them."""
        mentions = sum(mark.more["mentions"] for mark in marks)
        made_up = sum(len(mark.more["made_up"]) for mark in marks)
        there = sum(mark.more["there"] for mark in marks)
        covered = sum(mark.more["covered"] for mark in marks)
        wrong = rate([float(bool(mark.more["made_up"])) for mark in marks], [mark.medium for mark in marks])
        return cls(made_up / mentions if mentions else 0.0, wrong, covered / there if there else 0.0)

    def to_json(self) -> dict[str, Any]:
        numbers = {"instances": round(self.instances, 4), "coverage": round(self.coverage, 4)}
        return {**numbers, "captions": self.captions.to_json()}
