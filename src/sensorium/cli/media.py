"""Media given to and written by commands."""

from __future__ import annotations

from pathlib import Path

from sensorium.types import InputError, Reply


def save_media(reply: Reply, out: Path | None) -> list[Path]:
    """Write the media of a reply to ``out``, then ``out-2``, ``out-3`` ...; the paths written."""
    media = [part for part in reply.parts if not part.is_text]
    if not media:
        return []
    if out is None:
        raise InputError("the model wrote a medium; give --out FILE to keep it, or --want text to have words only")
    paths = [out if number == 1 else out.with_stem(f"{out.stem}-{number}") for number in range(1, len(media) + 1)]
    for part, path in zip(media, paths, strict=True):
        part.save(path)
    return paths
