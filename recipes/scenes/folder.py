"""Folders that a recipe fills with media of its own making: how they are made stands there, and does not change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sensorium.files import atomic_file
from sensorium.types import InputError


def claim(folder: Path, name: str, media: str, said: Mapping[str, object]) -> None:
    """Note how the media of a folder are made; numbers of them may grow, the rest may not change.

    Args:
        name: of the note, a JSON file.
        media: what they are called in messages.

    Raises:
        InputError: the folder holds media made otherwise.
    """
    note, told = folder / name, json.dumps(said, indent=1)
    if note.exists() and note.read_text(encoding="utf-8") != told:
        raise InputError(f"{folder} holds {media} made with other options (see {name} there); choose another --out")
    write_text(note, told)


def write_text(path: Path, text: str) -> None:
    """Whole or not at all."""
    with atomic_file(path) as out:
        out.write_text(text, encoding="utf-8")
