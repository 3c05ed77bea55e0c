"""The stamps of Tux Paint: photos and clip art with captions, by people who drew nothing that is trained on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image
from recipes.pictograms.concepts import Gallery
from recipes.pictograms.sources import STAMPS

from sensorium.data.fetch import fetch
from sensorium.evaluate import Scorer, Share, Verdict, top
from sensorium.evaluate.scorers import asked
from sensorium.evaluate.values import Value
from sensorium.modalities.drawings import Layer, cut_out, draw, place
from sensorium.types import Conversation

LONGEST_NAME = 4  # words; longer captions are sentences
_ARTICLE = re.compile(r"^(?:an?|the|some)\s+")


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """One of them.

    Args:
        place: its path without the ending.
        word: what it shows, without an article.
        known: whether the word is among those looked for.
        pixels: (64, 64, 3) uint8, on white.
    """

    place: str
    word: str
    known: bool
    pixels: np.ndarray


def load_stamps(gallery: Gallery) -> list[Stamp]:
    """All stamps; known are words that an emoji bears.

    Raises:
        InputError: the package cannot be fetched.
    """
    folder = fetch(STAMPS.package) / "usr" / "share" / "tuxpaint" / "stamps"
    return list(read_stamps(folder, {concept.label for concept in gallery.concepts.emoji}))


def read_stamps(folder: Path, names: Collection[str]) -> Iterator[Stamp]:
    """Each once, in the order of their paths; one with two files from its SVG, or else from its PNG file."""
    for place_ in sorted({path.with_suffix("") for path in folder.rglob("*") if path.suffix in (".svg", ".png")}):
        layer = _drawn(place_.with_suffix(".svg")) or _seen(place_.with_suffix(".png"))
        if layer is not None:
            words = words_of(place_.with_suffix(".txt"))
            word = next((one for one in words if one in names), words[0])
            pixels = place(layer, usual=layer.extent)
            yield Stamp(place=place_.relative_to(folder).as_posix(), word=word, known=word in names, pixels=pixels)


def _drawn(path: Path) -> Layer | None:
    return draw(path.read_text(encoding="utf-8", errors="replace"), fit=True) if path.exists() else None


def _seen(path: Path) -> Layer | None:
    if not path.exists():
        return None
    with Image.open(path) as picture:
        return cut_out(picture)


def words_of(caption: Path) -> list[str]:
    """What a stamp may be called: by its caption where that is short, and by its file.

    ``frog-1.txt`` with "A green frog." gives ``["green frog", "frog"]``.
    """
    text = caption.read_text(encoding="utf-8", errors="replace") if caption.exists() else ""
    first = re.split(r"[.!?]", text.splitlines()[0])[0] if text else ""
    said = _ARTICLE.sub("", " ".join(first.lower().replace("’", "'").split()))
    stem = " ".join(re.sub(r"[-_\d]+", " ", caption.stem).lower().split()) or caption.stem
    return [one for one in (said, stem) if one and len(one.split()) <= LONGEST_NAME] or [stem]


@dataclass(frozen=True)
class FirstOf(Scorer):
    """Whether the right name is the likeliest of a few, the others drawn by chance.

    Args:
        names: to draw from.
        count: how many there are with the right one.
        seed: same seed, same names.
    """

    names: Sequence[str]
    count: int
    seed: int

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        found = []
        for number, one in enumerate(conversations):
            prompt, truth = asked(one)
            random = Random(f"{self.seed} {number}")
            others = random.sample([name for name in self.names if name != truth.text], self.count - 1)
            answers = random.sample([truth.text, *others], self.count)
            best = model.rank(prompt, answers, 1, adapter=True)
            found.append(Verdict.of([answers[one.index] for one in best], truth.text))
        return found

    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        share: Share = top([verdict.value for verdict in verdicts], 1)
        return [("", share)]
