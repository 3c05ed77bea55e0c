"""Modalities by name. Built-in and outside ones come through the same entry points."""

from __future__ import annotations

import re
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from sensorium import plugins
from sensorium.modalities.base import Modality, Wish
from sensorium.source import Source
from sensorium.types import InputError, Part, Signal

__all__ = ["Modality", "Wish", "medium", "modality", "modality_names", "modality_of", "named_by"]

FILE_NAME = re.compile(r"[^\s?!]+\.\w{1,8}")


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


def named_by(text: str) -> str | None:
    """The modality whose file a text names and says nothing else, e.g. of ``"cat.png"``; None of any other text."""
    text = text.strip()
    if not FILE_NAME.fullmatch(text):
        return None
    try:
        return modality_of(text).name
    except InputError:
        return None


def medium(name: str, data: Any, **meaning: Any) -> Part:
    """A part of a modality.

    Args:
        data: see `Part`.
        meaning: what the data do not say, e.g. ``rate_hz=100``, ``units=("m/s2",)``: fields of `Signal`. With any, the
            medium is opened here.

    Raises:
        InputError: the medium cannot be opened, or a field is unknown.
    """
    if not meaning:
        return Part(name, data)
    kind = modality(name)
    source = Source.of(data, kind.called)
    try:
        # what is said of an array may be what makes it a medium, e.g. its rate
        meant = replace(source.data if isinstance(source.data, Signal) else kind.open(source), **meaning)
    except TypeError as error:
        raise InputError(f"a {kind.called} cannot be told {', '.join(meaning)} ({error}); see Signal") from error
    return Part(name, kind.check(meant))


def modality_names() -> tuple[str, ...]:
    return plugins.names(plugins.MODALITIES)
