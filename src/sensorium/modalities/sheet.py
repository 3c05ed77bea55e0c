"""A contact sheet: many media at a glance, each as its modality previews it, with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sensorium.files import atomic_file
from sensorium.modalities import modality
from sensorium.types import Part

TILE_PX, CAPTION_PX, COLUMNS = 96, 26, 10
BAND_COLUMNS = 16
GOOD, BAD = (40, 160, 70), (210, 60, 50)


def contact_sheet(
    media: Sequence[Part], captions: Sequence[str], path: str | PathLike[str], passed: Sequence[bool | None] = ()
) -> None:
    """Write a PNG of tiles, ten a row, with their captions; under what passed a green line, else a red one.

    Args:
        media: parts with data.
        passed: one for each medium, None for no line; empty for none at all.
    """
    rows = -(-len(media) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE_PX, rows * (TILE_PX + CAPTION_PX)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(9)
    marks = passed or [None] * len(media)
    for number, (part, caption, mark) in enumerate(zip(media, captions, marks, strict=True)):
        x, y = number % COLUMNS * TILE_PX, number // COLUMNS * (TILE_PX + CAPTION_PX)
        sheet.paste(_tile(part), (x + 4, y + 4))
        pen.text((x + 4, y + TILE_PX - 1), _two_lines(caption), fill="black", font=font, spacing=1)
        if mark is not None:
            line = (x + 4, y + TILE_PX - 3, x + TILE_PX - 5, y + TILE_PX - 3)
            pen.line(line, fill=GOOD if mark else BAD, width=2)
    with atomic_file(path) as out:
        sheet.save(out, format="PNG")


def _tile(part: Part, side_px: int = TILE_PX - 8) -> Image.Image:
    kind = modality(part.modality)
    shown = Image.fromarray(np.asarray(kind.preview(kind.open(part.data), side_px)))
    scale = side_px / max(shown.size)
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    return shown.resize(size, Image.Resampling.NEAREST)


def _two_lines(text: str, width: int = 19) -> str:
    words, lines = text.split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) >= width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(line[:width] for line in lines[:2])


def in_bands(rows: Sequence[Sequence[np.ndarray]], columns: int = BAND_COLUMNS) -> np.ndarray:
    """Pictures (H, W, 3) as bands: first those of ``rows[0]``, under each its counterparts of the other rows."""
    height, width = (max(picture.shape[axis] for row in rows for picture in row) for axis in (0, 1))
    columns = min(columns, len(rows[0]))
    bands = []
    for start in range(0, len(rows[0]), columns):
        for row in rows:
            band = np.full((height, width * columns, 3), 255, np.uint8)
            for place, picture in enumerate(row[start : start + columns]):
                band[: picture.shape[0], place * width : place * width + picture.shape[1]] = picture
            bands.append(band)
        bands.append(np.full((6, width * columns, 3), 160, np.uint8))
    return np.concatenate(bands[:-1])


def save_bands(rows: Sequence[Sequence[np.ndarray]], path: Path) -> None:
    """`in_bands` as a PNG file."""
    Image.fromarray(in_bands(rows)).save(path, optimize=True)
