"""Recordings of people with what they say, to test with: fetched when a model is measured, never trained on.

* `NAMES`: 66 animals named by one speaker for the stamps of Tux Paint, a word or two each.
* `PROMPTS`: sentences of a telephone exchange, studio recordings of one speaker at 8 kHz.
* `BOOKS`: five sentences of an audio book and five hands of cards, of two speakers, at 16 kHz.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from recipes.speech import sources

from sensorium.data.fetch import Package, fetch
from sensorium.types import InputError

SENTENCE_WORDS, SENTENCE_LETTERS = (3, 14), 80
NAMED = {"wildboar": "wild boar", "mountaingoat": "mountain goat", "tucan": "toucan", "nandou": "nandu"}
_PROMPT = re.compile(r"([\w-]+): ([A-Z][A-Za-z,.;!?' -]*)")
_UTTERANCE = re.compile(r"(?:<s> )?(.*?) *(?:</s>)? *\(([\w-]+)\)")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a person says in a file; ``source`` is one of "names", "prompts" and "books"."""

    path: Path
    text: str
    source: str


def names(place: Path | None = None) -> list[Recording]:
    """Spoken names of animals, by path."""
    root = _fetched(sources.STAMPS, place)
    return [
        Recording(path=path, text=NAMED.get(word := path.name.removesuffix("_desc.ogg"), word), source="names")
        for path in sorted(root.rglob("*_desc.ogg"))
    ]


def prompts(place: Path | None = None, texts: Path | None = None) -> list[Recording]:
    """Prompts that are one utterance of a few plain words, by name."""
    root = _fetched(sources.PROMPTS, place)
    (listed,) = _fetched(sources.PROMPT_TEXTS, texts).rglob("core-sounds-en.txt.gz")
    sounds = {path.stem: path for path in sorted(root.rglob("*.wav")) if "silence" not in path.parts}
    with gzip.open(listed, "rt", encoding="utf-8") as lines:
        found = [_PROMPT.fullmatch(line.strip()) for line in lines]
    said = {one[1]: one[2] for one in found if one}
    fewest, most = SENTENCE_WORDS
    return [
        Recording(path=sounds[name], text=text, source="prompts")
        for name, text in sorted(said.items())
        if name in sounds and fewest <= len(text.split()) <= most and len(text) <= SENTENCE_LETTERS
    ]


def books(place: Path | None = None) -> list[Recording]:
    """Sentences of an audio book, and hands of cards."""
    root = _fetched(sources.BOOKS, place)
    lists = [*root.rglob("librivox/transcription"), *root.rglob("cards/cards.transcription")]
    found: list[Recording] = []
    for listed in lists:
        for text, name in _UTTERANCE.findall(listed.read_text(encoding="utf-8")):
            found.append(Recording(path=listed.parent / f"{name}.wav", text=text.strip(), source="books"))
    return found


def sentences(count: int, seed: int = 0) -> list[Recording]:
    """All of `books`, and of `prompts` as many as make up ``count``.

    Raises:
        InputError: there are not so many.
    """
    first = books()
    return (first + some(prompts(), count - len(first), seed))[:count]


def some(recordings: Iterable[Recording], count: int, seed: int = 0) -> list[Recording]:
    """``count`` recordings, by chance; InputError where there are fewer."""
    pool = list(recordings)
    if count > len(pool):
        raise InputError(f"there are {len(pool)} recordings of people, not {count}; ask for fewer")
    return Random(seed).sample(pool, max(0, count))


def _fetched(package: Package, place: Path | None) -> Path:
    return place or fetch(package)
