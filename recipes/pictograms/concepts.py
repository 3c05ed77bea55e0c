"""The pictures table as the tasks see it: pictures grouped by what they show.

The sources' side writes ``pictures.parquet`` and the pixels; here rows become, by their English name, `Concept`
objects. A concept is sampled, not a file: a waving hand in 30 skin tones is one concept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from sensorium.data.table import Pool, Row, grouped, read_rows
from sensorium.evaluate import nearest
from sensorium.files import cache_dir
from sensorium.types import InputError

DEFAULT_STYLES = ("fluent-flat", "noto", "twemoji", "emojione")  # flags are in the last two only
EMOJI_STYLES = (*DEFAULT_STYLES, "fluent", "noto-v1", "fxemoji")
MAKE = "python -m recipes pictograms data"


@dataclass(frozen=True, kw_only=True)
class Picture(Row):
    """One drawing: ``medium`` is its row in the pixels file, ``label`` its name without skin tone, ``group`` its root.

    Args:
        family, style: who drew it, and in which finish.
        category: of what it shows.
        names, tags: by language; in English.
        toned: whether it is a skin-tone variant.
        named: where the label is from: "emoji", "own", or "" where there is none.
        colour: name of the colour of most of it, where there is one (`main_colour`).
    """

    family: str = ""
    style: str = ""
    category: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    toned: bool = False
    named: str = "emoji"
    colour: str = ""


@dataclass(frozen=True)
class Concept:
    """Everything that bears one English name."""

    label: str
    pictures: tuple[Picture, ...]

    @property
    def category(self) -> str:
        return self.pictures[0].category

    @property
    def root(self) -> str:
        return self.pictures[0].group

    @cached_property
    def names(self) -> dict[str, str]:
        """Names by language; English is the label."""
        found: dict[str, str] = {}
        for picture in self.pictures:
            found.update({k: v for k, v in picture.names.items() if v and k not in found and not picture.toned})
        return {**found, "en": self.label}

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """English tags in the order given, without the words of the name itself."""
        found = dict.fromkeys(tag for picture in self.pictures for tag in picture.tags)
        return tuple(tag for tag in found if tag and tag.lower() != self.label.lower() and len(tag) <= 24)

    @cached_property
    def plain(self) -> tuple[Picture, ...]:
        """The pictures that are no skin-tone variants (all of them when there are only variants)."""
        return tuple(p for p in self.pictures if not p.toned) or self.pictures

    @cached_property
    def toned(self) -> tuple[Picture, ...]:
        return tuple(p for p in self.pictures if p.toned)

    @cached_property
    def by_style(self) -> dict[str, tuple[Picture, ...]]:
        styles = dict.fromkeys(p.style for p in self.plain)
        return {style: tuple(p for p in self.plain if p.style == style) for style in styles}

    @property
    def default_style(self) -> str | None:
        """The style drawn when none is asked for; None for what no emoji set shows, such as clip art's own names."""
        return next((style for style in DEFAULT_STYLES if style in self.by_style), None)

    @property
    def default_picture(self) -> Picture | None:
        """What is drawn when no style is asked for."""
        style = self.default_style
        return self.by_style[style][0] if style else None


def folder() -> Path:
    """Where the table, the pixels, the codes and the models of this recipe lie."""
    return cache_dir() / "pictograms"


def load_pictures(path: Path | None = None, named: Sequence[str] = ("emoji",)) -> list[Picture]:
    """The rows of the pictures table whose label is an emoji's; with ``named`` also "own" names and "" (none).

    Raises:
        InputError: the table is missing or lacks a column.
    """
    return [one for one in read_rows(path or folder() / "pictures.parquet", Picture, MAKE) if one.named in named]


def load_pixels() -> np.ndarray:
    """(pictures, 64, 64, 3) uint8, read from disk as needed."""
    path = folder() / "pixels-64.npy"
    if not path.exists():
        raise InputError(f"there are no pixels at {path}; make them with `{MAKE}`")
    return np.load(path, mmap_mode="r")


def concepts_of(pictures: Iterable[Picture]) -> list[Concept]:
    """Pictures grouped by label, in the order in which labels first occur."""
    return [Concept(label, tuple(group)) for label, group in grouped(pictures, lambda one: one.label).items()]


class Concepts(Pool[Concept]):
    """The concepts that may be trained on, with the odds of drawing each.

    A concept's weight falls with the number of names that share its root (the 25 families of emoji are one
    idea), with being a flag, when few families drew it, and most when no emoji set knows it (clip art, icons).
    """

    def __init__(self, pictures: Iterable[Picture]):
        found = concepts_of(one for one in pictures if one.label and one.trainable)
        roots = Counter(concept.root for concept in found)
        super().__init__(found, [_weight(concept, roots[concept.root]) for concept in found])

    @cached_property
    def emoji(self) -> list[Concept]:
        """The concepts that an emoji set draws."""
        return [concept for concept in self if concept.default_style]

    @cached_property
    def by_label(self) -> dict[str, Concept]:
        return {concept.label: concept for concept in self}

    @cached_property
    def by_category(self) -> dict[str, list[Concept]]:
        return grouped(self, lambda concept: concept.category)

    @cached_property
    def by_last_word(self) -> dict[str, list[Concept]]:
        """Concepts that differ in a word only, such as the hearts: the hard choices."""
        return grouped(self, lambda concept: concept.label.split()[-1])


def _weight(concept: Concept, same_root: int) -> float:
    if concept.default_style is None:
        return 0.1 / same_root**0.5
    families = len({picture.family for picture in concept.pictures})
    flag = 0.5 if concept.label.startswith("flag") else 1.0
    return flag * (0.3, 0.6, 1.0)[min(families, 3) - 1] / same_root**0.5


class Gallery:
    """All pictures with their pixels, and what evaluation asks of them.

    Args:
        pictures, pixels: those of the table, where not given.
    """

    def __init__(self, pictures: Sequence[Picture] | None = None, pixels: np.ndarray | None = None):
        self.pictures = load_pictures() if pictures is None else pictures
        self.pixels = load_pixels() if pixels is None else pixels
        self.concepts = Concepts(self.pictures)

    def shown(self, pictures: Iterable[Picture]) -> np.ndarray:
        """(pictures, 64, 64, 3) uint8."""
        return np.asarray(self.pixels[[one.medium for one in pictures]])

    def held_out(self, count: int, seed: int = 0) -> list[Picture]:
        """One held-out-family drawing for each of at most ``count`` concepts that training has seen."""
        known = {concept.label for concept in self.concepts.emoji}
        return self._one_each((p for p in self.pictures if p.held_out and p.label in known), count, seed)

    def unseen(self, count: int, seed: int = 0, held_out: bool = False) -> list[Picture]:
        """One drawing for each of at most ``count`` test concepts, from the training families or the held-out ones."""
        styles = {p.style for p in self.pictures if p.held_out == held_out and (held_out or p.style in EMOJI_STYLES)}
        tested = (p for p in self.pictures if p.split == "test" and p.style in styles and p.category)
        return self._one_each(tested, count, seed)

    def _one_each(self, pictures: Iterable[Picture], count: int, seed: int) -> list[Picture]:
        random, found = Random(seed), concepts_of(p for p in pictures if not p.toned)
        return [random.choice(concept.pictures) for concept in random.sample(found, min(count, len(found)))]

    def drawable(self, count: int, seed: int, known: Collection[str] | None = None) -> list[Concept]:
        """At most ``count`` concepts drawn in the default style that are ``known``; if None, such of the test split."""
        tested = (p for p in self.pictures if p.split == "test" and not p.held_out and not p.toned)
        pool = concepts_of(tested) if known is None else [one for one in self.concepts if one.label in known]
        pool = [concept for concept in pool if concept.default_style]
        return Random(seed).sample(pool, min(count, len(pool)))

    def nearest(self, shown: Sequence[Picture], k: int = 5) -> list[list[str]]:
        """The ``k`` different names of emoji whose training drawings are nearest in pixels."""
        return self.nearest_to(self.shown(shown), k)

    def nearest_to(self, pixels: np.ndarray, k: int = 5) -> list[list[str]]:
        """As `nearest`, of pictures (N, 64, 64, 3) uint8."""
        train = [picture for concept in self.concepts.emoji for picture in concept.plain]
        asked, known = (shown / np.float32(255) for shown in (pixels, self.shown(train)))
        return nearest(asked, known, [picture.label for picture in train], k)
