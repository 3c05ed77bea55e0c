"""Whether a model does as it is told: instructions of which a few lines of code see whether an answer follows them.

The kinds of IFEval (Zhou et al. 2023, arXiv:2311.07911), strictly: an answer counts as it is, but for blanks around it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("instructions.toml")
BULLET = re.compile(r"^\s*[-*•] +\S", re.MULTILINE)
NUMBERED = re.compile(r"^\s*\d+[.)] +\S", re.MULTILINE)
FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)


@dataclass(frozen=True)
class Instruction:
    """What is asked, and what tells whether an answer does it.

    Args:
        wanted: arguments of `CHECKS` by name; all of them must hold.
        example: an answer that follows.
    """

    prompt: str
    wanted: Mapping[str, Any]
    example: str

    def followed(self, answer: str) -> bool:
        """An empty answer follows nothing."""
        said = answer.strip()
        return bool(said) and all(CHECKS[name](said, value) for name, value in self.wanted.items())


@cache
def instructions() -> tuple[Instruction, ...]:
    """Those of this package, in the order of its file."""
    found = []
    for entry in _file()["instruction"]:
        wanted = {name: value for name, value in entry.items() if name not in ("prompt", "example")}
        assert wanted and wanted.keys() <= CHECKS.keys(), entry
        found.append(Instruction(entry["prompt"], wanted, entry["example"]))
    return tuple(found)


@cache
def plain_prompts() -> tuple[str, ...]:
    """Prompts without a constraint, of which only the answers themselves are compared."""
    return tuple(_file()["plain"])


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def _between(count: int, bounds: list[int]) -> bool:
    low, high = bounds
    return low <= count <= high


def _lines(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.strip()]


def _sentences(said: str) -> int:
    return len([one for one in re.split(r"(?<=[.!?])[\"')\]]*\s+", said) if re.search(r"\w", one)])


def _has(said: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", said, re.IGNORECASE))


def _json_keys(said: str, keys: list[str]) -> bool:
    fenced = FENCE.match(said)
    try:
        found = json.loads(fenced[1] if fenced else said)
    except ValueError:
        return False
    return isinstance(found, dict) and sorted(found) == sorted(keys)


def _number(said: str, bounds: list[int]) -> bool:
    found = re.fullmatch(r"(\d{1,9})\.?", said)
    return found is not None and _between(int(found[1]), bounds)


def _items(said: str, count: int) -> bool:
    items = said.split(",")
    return len(items) == count and all(map(str.strip, items))


CHECKS: dict[str, Callable[[str, Any], bool]] = {
    "words": lambda said, bounds: _between(len(re.findall(r"\w+(?:['’-]\w+)*", said)), bounds),
    "sentences": lambda said, bounds: _between(_sentences(said), bounds),
    "lines": lambda said, bounds: _between(len(_lines(said)), bounds),
    "paragraphs": lambda said, count: len(re.split(r"\n\s*\n", said)) == count,
    "bullets": lambda said, count: len(BULLET.findall(said)) == count,
    "numbered": lambda said, count: len(NUMBERED.findall(said)) == count,
    "items": _items,
    "case": lambda said, case: said.isupper() if case == "upper" else said.islower(),
    "starts": lambda said, words: said.startswith(words),
    "ends": lambda said, words: said.endswith(words),
    "contains": lambda said, words: all(_has(said, word) for word in words),
    "lacks": lambda said, words: not any(_has(said, word) for word in words),
    "without": lambda said, character: character not in said.lower(),
    "repeats": lambda said, counts: all(_has(said, word) >= least for word, least in counts.items()),
    "one_of": lambda said, answers: said.rstrip(".!").lower() in answers,
    "number": _number,
    "json_keys": _json_keys,
    "quoted": lambda said, _: len(said) > 2 and said[0] == said[-1] == '"',
    "title": lambda said, _: re.search(r"<<[^\n<>]+>>", said) is not None,
    "placeholders": lambda said, least: len(re.findall(r"\[[^\[\]\n]+\]", said)) >= least,
    "highlighted": lambda said, least: len(re.findall(r"\*[^\s*](?:[^*\n]*[^\s*])?\*", said)) >= least,
    "postscript": lambda said, _: re.search(r"^\s*P\.S\.", said, re.MULTILINE) is not None,
}
"""What a stripped, non-empty answer must have, by the name that the file gives it.

``words``, ``sentences``, ``lines`` and ``number`` take the least and the most; ``paragraphs``, ``bullets``,
``numbered`` and ``items`` an exact number, ``placeholders`` and ``highlighted`` the least one; ``repeats`` the least
number by word.
"""
