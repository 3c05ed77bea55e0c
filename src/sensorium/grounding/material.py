"""What failures are looked for in: media with facts or captions, or texts alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

from sensorium.checked import told
from sensorium.data.fact_importers import READERS, gathered
from sensorium.data.facts import Facts, Medium, Thing
from sensorium.grounding.differences import Difference, described
from sensorium.types import TEXT, InputError

CAPTION = ("caption", "text")
"""Under which lines of JSONL have a text."""


@dataclass(frozen=True)
class Sample:
    """A medium, or a text alone.

    Args:
        facts: what is true of it; of a text that it says so.
        medium: its file; None of a text alone.
    """

    facts: Facts
    medium: Path | None = None

    @cached_property
    def words(self) -> str:
        return described(self.facts)

    @property
    def name(self) -> str:
        return self.facts.medium.path

    def to_json(self) -> dict[str, str]:
        return {"words": self.words} | ({"medium": str(self.medium)} if self.medium else {})


@dataclass(frozen=True)
class Pair:
    """Two samples, how far apart they are, and what differs."""

    one: Sample
    other: Sample
    distance: float
    difference: Difference

    def to_json(self) -> dict[str, Any]:
        numbers = {"distance": round(self.distance, 4), "aspects": list(self.difference.aspects)}
        return {"one": self.one.to_json(), "other": self.other.to_json(), "differs": self.difference.words} | numbers


def captioned(text: str, name: str = "") -> Sample:
    """A text alone."""
    known = Medium(modality=TEXT, path=name or text[:80])
    return Sample(Facts(medium=known, things=(Thing(name=text),), complete=("things",)))


def read_material(paths: Iterable[Path]) -> list[Sample]:
    """Samples of folders of media with captions, of files of facts, or of texts (JSONL with "caption" or "text").

    Raises:
        InputError: one is missing or of another form, media are missing, or there is nothing.
    """
    found: list[Sample] = []
    for path in paths:
        if path.is_dir():
            found += [Sample(facts, path / facts.medium.path) for facts in READERS["folder"]([path], "", path)]
        elif _is_texts(path):
            found += _texts(path)
        else:
            found += [Sample(facts, medium) for facts, medium in gathered([path])]
    if not found:
        raise InputError("there is nothing to look for failures in; give a folder with captions, or a file of facts")
    return found


def _is_texts(path: Path) -> bool:
    if not path.is_file():
        raise InputError(f"there is no folder and no file at {path}")
    with path.open("rb") as file, told(f"line 1 of {path} is no JSON", "; write one object a line"):
        first = json.loads(file.readline() or "{}")
    return isinstance(first, dict) and any(isinstance(first.get(name), str) for name in CAPTION)


def _texts(path: Path) -> list[Sample]:
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            with told(f"line {number} of {path} is no text", '; write {"caption": "..."}'):
                said = json.loads(line)
                found.append(captioned(next(said[name] for name in CAPTION if name in said), f"{path.name}:{number}"))
    return found


def halves(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Two halves by a hash of names: what pairs are looked for in, and what is kept to check on."""
    odd = [bool(crc32(one.name.encode()) % 2) for one in samples]
    return [one for one, is_odd in zip(samples, odd, strict=True) if is_odd], [
        one for one, is_odd in zip(samples, odd, strict=True) if not is_odd
    ]
