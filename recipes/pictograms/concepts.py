"""The pictures table as the tasks see it: pictures grouped by what they show.

The sources' side writes ``pictures.parquet``; here its rows become `Picture` objects and, by their English
name, `Concept` objects. A concept is sampled, not a file: a waving hand in 30 skin tones is one concept.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from sensorium.files import cache_dir
from sensorium.types import InputError

DEFAULT_STYLES = ("fluent-flat", "noto", "twemoji", "emojione")  # flags are in the last two only
EMOJI_STYLES = (*DEFAULT_STYLES, "fluent", "noto-v1", "fxemoji")
TONE = re.compile(r"[:,] ?(?:(?:medium-)?(?:light|dark)|medium) skin tone")
COLUMNS = ("picture", "family", "style", "label", "names_json", "tags_json", "category", "root", "skin_tone", "split")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One drawing. ``picture`` is its row in the pixels file; ``toned`` tells a skin-tone variant.

    ``colour`` is the name of the colour of most of it, where there is one (see `recipes.pictograms.colours`).
    """

    picture: int
    family: str
    style: str
    label: str
    category: str
    root: str
    split: str
    names: Mapping[str, str]
    tags: tuple[str, ...]
    toned: bool = False
    held_out: bool = False
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
        return self.pictures[0].root

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


def load_pictures(path: Path | None = None, named: Sequence[str] = ("emoji",)) -> list[Picture]:
    """The rows of the pictures table whose label is an emoji's; with ``named`` also "own" names and "" (none).

    Raises:
        InputError: the table is missing or lacks a column.
    """
    import pyarrow.parquet as parquet

    path = path or cache_dir() / "pictograms" / "pictures.parquet"
    if not path.exists():
        raise InputError(f"there is no pictures table at {path}; make it with `python -m recipes.pictograms pictures`")
    table = parquet.read_table(path)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise InputError(f"the pictures table {path} lacks the columns {', '.join(missing)}; make it again")
    return [picture_of(row) for row in table.to_pylist() if row.get("named", "emoji") in named]


def picture_of(row: Mapping[str, Any]) -> Picture:
    """A row of the table as a `Picture`; a skin tone in the name is taken out of it."""
    label = row.get("base_label") or TONE.sub("", row["label"])
    return Picture(
        picture=int(row["picture"]),
        family=row["family"],
        style=row["style"],
        label=label,
        category=row["category"] or "",
        root=row["root"],
        split=row["split"],
        names=json.loads(row["names_json"] or "{}"),
        tags=tuple(json.loads(row["tags_json"] or "[]")),
        toned=bool(row["skin_tone"]) or label != row["label"],
        held_out=bool(row.get("held_out", False)),
    )


def concepts_of(pictures: Iterable[Picture]) -> list[Concept]:
    """Pictures grouped by label, in the order in which labels first occur."""
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.label, []).append(picture)
    return [Concept(label, tuple(group)) for label, group in groups.items()]


class Concepts(Sequence[Concept]):
    """The concepts that may be trained on, with the odds of drawing each.

    A concept's weight falls with the number of names that share its root (the 25 families of emoji are one
    idea), with being a flag, when few families drew it, and most when no emoji set knows it (clip art, icons).
    """

    def __init__(self, pictures: Iterable[Picture]):
        self._items = concepts_of(p for p in pictures if p.label and p.split == "train" and not p.held_out)
        if not self._items:
            raise InputError("the pictures table holds no training pictures; make it again")
        roots: dict[str, int] = {}
        for concept in self._items:
            roots[concept.root] = roots.get(concept.root, 0) + 1
        weights = [_weight(concept, roots[concept.root]) for concept in self._items]
        total = sum(weights)
        self._cumulative = list(accumulate(weight / total for weight in weights))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._items)

    @cached_property
    def emoji(self) -> list[Concept]:
        """The concepts that an emoji set draws."""
        return [concept for concept in self._items if concept.default_style]

    @cached_property
    def by_label(self) -> dict[str, Concept]:
        return {concept.label: concept for concept in self._items}

    @cached_property
    def by_category(self) -> dict[str, list[Concept]]:
        groups: dict[str, list[Concept]] = {}
        for concept in self._items:
            groups.setdefault(concept.category, []).append(concept)
        return groups

    @cached_property
    def by_last_word(self) -> dict[str, list[Concept]]:
        """Concepts that differ in a word only, such as the hearts: the hard choices."""
        groups: dict[str, list[Concept]] = {}
        for concept in self._items:
            groups.setdefault(concept.label.split()[-1], []).append(concept)
        return groups

    def pick(self, uniform: float) -> Concept:
        """The concept at ``uniform`` (0 to 1) of the weighted list."""
        return self._items[min(bisect_right(self._cumulative, uniform), len(self) - 1)]


def _weight(concept: Concept, same_root: int) -> float:
    if concept.default_style is None:
        return 0.1 / same_root**0.5
    families = len({picture.family for picture in concept.pictures})
    flag = 0.5 if concept.label.startswith("flag") else 1.0
    return flag * (0.3, 0.6, 1.0)[min(families, 3) - 1] / same_root**0.5
