"""The moods: which drawings show them, which words tell them, and whether they are positive; see ``moods.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sensorium.data.table import Side, split_of

POLARITIES = ("positive", "negative", "neutral")
TESTED = 0.2
"""Share of words that are for tests."""


@dataclass(frozen=True, kw_only=True)
class Mood:
    """One of them.

    Args:
        polarity: "positive", "negative" or "neutral".
        faces: roots of the names of drawings.
        words: what a speaker says of himself.
    """

    polarity: str
    faces: tuple[str, ...]
    words: tuple[str, ...]


MOODS: Mapping[str, Mood] = {
    name: Mood(polarity=told["polarity"], faces=tuple(told["faces"]), words=tuple(told["words"]))
    for name, told in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}
MOOD_OF_ROOT: Mapping[str, str] = {root: name for name, mood in MOODS.items() for root in mood.faces}


def side_of(word: str) -> Side:
    """The side of the split of a word, by a hash of its beginning: "happy", "unhappily" and "happiness" lie on one.

    The names of the moods themselves, and what begins as they do, are trained on.
    """
    return "train" if _beginning(word) in _NAMES else split_of(f"mood {_beginning(word)}", test=TESTED, val=0)


def _beginning(word: str) -> str:
    return re.sub(r"^(?:un|dis|in|im|ir)(?=\w{4})", "", word)[:4]


_NAMES = frozenset(map(_beginning, MOODS))
