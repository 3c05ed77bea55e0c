"""Modalities by name. Built-in and outside ones come through the same entry points."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from sensorium import plugins
from sensorium.modalities.base import Modality, Wish
from sensorium.types import InputError

__all__ = ["Modality", "Wish", "modality", "modality_names", "modality_of"]


def modality(name: str) -> Modality:
    """The modality registered under ``name``; ValueError lists the known ones otherwise."""
    return plugins.load(plugins.MODALITIES, name)


def modality_of(path: str | PathLike[str]) -> Modality:
    """The modality that opens files of a path's suffix.

    Raises:
        InputError: none does; the sentence lists the suffixes that are known.
    """
    suffix = Path(path).suffix.lower()
    known = {ending: name for name in reversed(modality_names()) for ending in modality(name).extensions}
    if suffix not in known:
        raise InputError(
            f"{path} is of no installed modality, by its suffix {suffix!r}; known are {', '.join(sorted(known))}"
        )
    return modality(known[suffix])


def modality_names() -> tuple[str, ...]:
    return plugins.names(plugins.MODALITIES)
