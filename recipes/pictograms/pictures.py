"""The pictures table: every drawing as 64 x 64 pixels with its names, its concept and its side of the split.

Written to ``cache_dir()/pictograms``: ``pictures.parquet`` (one row per picture), ``pixels-64.npy`` (uint8, N x 64 x 64
x 3, row = the column ``medium``) and ``ATTRIBUTION.md``. A set, once drawn, is kept, so a second run is quick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from recipes.pictograms.clipart import clipart_drawings
from recipes.pictograms.concepts import Picture, folder
from recipes.pictograms.emoji import EmojiNames
from recipes.pictograms.icons import Namer, flag_drawings, icon_drawings
from recipes.pictograms.sets import Drawing, emoji_drawings, emoji_names
from recipes.pictograms.sources import SOURCES, Source
from recipes.pictograms.split import split_of

from sensorium.data.fetch import attribution
from sensorium.data.table import write_rows
from sensorium.data.views import remembered
from sensorium.files import atomic_file
from sensorium.modalities.drawings import SIZE_PX, draw, new_pictures, place_all

DRAWING_VERSION = 1  # raise it when `sensorium.modalities.drawings` draws differently
ABOUT = """
Pictures were drawn from these sets at 64 x 64 pixels on white, cut to their ink and centred. Names, tags and
groups: Unicode CLDR through emojibase-data (MIT; Unicode licence).
"""

Say = Callable[[str], None]


def make(sources: Sequence[Source] = SOURCES, say: Say = print) -> Path:
    """Fetch, draw and describe all sources; the folder of the table.

    Raises:
        InputError: a package cannot be fetched, resvg is missing, or the disk is full.
    """
    readers = _readers()
    rows: list[Picture] = []
    pixels: list[np.ndarray] = []
    seen: set[bytes] = set()
    for source in sources:
        drawings = readers[source.kind](source)
        kept = new_pictures(_drawn(source, drawings, say), seen, repeats=source.kind == "emoji")
        rows += [picture_of(drawings[index], source, len(rows) + n) for n, (index, _) in enumerate(kept)]
        pixels += [picture for _, picture in kept]
        say(f"{source.style}: {len(kept)} pictures; {len(drawings) - len(kept)} blank, not drawable or repeated")
    write(rows, np.stack(pixels), sources)
    return folder()


def _readers() -> dict[str, Callable[[Source], list[Drawing]]]:
    """How to read each kind of set."""
    emoji, proper = emoji_names(), emoji_names(short_codes=False)
    namer = Namer(EmojiNames(emoji.emoji), proper)
    return {
        "emoji": lambda source: emoji_drawings(source, emoji),
        "icons": lambda source: icon_drawings(source, namer),
        "flags": lambda source: flag_drawings(source, emoji),
        "clipart": lambda source: clipart_drawings(source, namer),
    }


def _drawn(source: Source, drawings: Sequence[Drawing], say: Say) -> np.ndarray:
    """uint8 (N, 64, 64, 3); all zeros where a drawing cannot be drawn. Kept on disk until a drawing changes."""

    def make() -> np.ndarray:
        say(f"{source.style}: drawing {len(drawings)} pictures")
        blank = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
        pictures = place_all(draw(drawing.svg, source.fit) for drawing in drawings)
        return np.stack([blank if picture is None else picture for picture in pictures])

    return remembered(folder() / "drawn" / f"{source.package.stem}.npz", digest_of(drawings, source.fit), make)


def digest_of(drawings: Iterable[Drawing], fit: bool = False) -> str:
    """What the pixels of a set depend on: its drawings, in order, and the way of drawing."""
    digest = hashlib.sha256(f"way of drawing {DRAWING_VERSION}{' fit' * fit}".encode())
    for drawing in drawings:
        digest.update(drawing.svg.encode())
    return digest.hexdigest()


def picture_of(drawing: Drawing, source: Source, number: int) -> Picture:
    """The row of the table; a skin tone in the name is left out of the label."""
    return Picture(
        medium=number,
        label=drawing.base_label,
        group=drawing.root,
        split=split_of(drawing.root, drawing.category),
        held_out=source.held_out,
        source=f"{source.package.name}: {drawing.key}",
        licence=source.licence,
        family=source.family,
        style=source.style,
        category=drawing.category,
        names=drawing.names,
        tags=drawing.tags,
        toned=bool(drawing.skin_tone) or drawing.base_label != drawing.label,
        named=drawing.named,
    )


def write(rows: Sequence[Picture], pixels: np.ndarray, sources: Iterable[Source]) -> None:
    """Put the table, the pixels and the attributions in place, each whole or not at all."""
    with atomic_file(folder() / "pixels-64.npy") as path:
        np.save(path, pixels)
    write_rows(rows, folder() / "pictures.parquet")
    with atomic_file(folder() / "ATTRIBUTION.md") as path:
        path.write_text(attribution([source.credit for source in sources], ABOUT), encoding="utf-8")
