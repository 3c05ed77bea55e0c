"""Media for an earlier turn, and the words that stand in their place where a model cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from sensorium.codecs import Layout
from sensorium.modalities import modality, modality_of
from sensorium.senses import Senses
from sensorium.types import Conversation, Part, as_message

DRAWN_STEPS = 16
"""Steps of a drawn medium of a free length, at most."""


@dataclass(frozen=True)
class Shown:
    """A medium, encoded, and the words that stand in its place where a base is asked."""

    part: Part
    words: str


def media_of(senses: Senses, paths: Iterable[Path]) -> list[Shown]:
    """Files as media, with the names of the files as words.

    Raises:
        InputError: a file cannot be opened, or the model has no codec that reads it.
    """
    found = []
    for path in paths:
        kind = modality_of(path)
        (part,) = senses.encode(Conversation((as_message("user", Part(kind.name, path)),))).parts()
        found.append(Shown(part, f"[{kind.called}: {path.stem.replace('-', ' ').replace('_', ' ')}]"))
    return found


def drawn_media(senses: Senses, count: int = 4) -> list[Shown]:
    """Media of codes drawn evenly, the same every time, of all codecs that read in turn; none where no codec does.

    They are no real media: a model that finds its way with them may be another with real ones.
    """
    readers = [layout for layout in senses.vocabulary.layouts if layout.facts.use != "write"]
    return [_drawn(readers[number % len(readers)], number) for number in range(count if readers else 0)]


def _drawn(layout: Layout, number: int) -> Shown:
    rng, header = np.random.default_rng(crc32(f"{layout.name} {number}".encode())), layout.header_codes
    codes = min(layout.max_codes, max(layout.min_codes, header + DRAWN_STEPS * layout.step_codes)) - header
    books = layout.sizes[header:]
    drawn = layout.join(
        rng.integers(0, layout.sizes[:header]), rng.integers(0, books, (codes // len(books), len(books)))
    )
    kind = modality(layout.facts.modality)
    return Shown(Part(kind.name, None, drawn, layout.name), f"[{kind.called}]")
