"""The contract that every modality keeps, as one function for its tests: also those of outside packages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sensorium.modalities.base import Modality, Wish, viewer_file
from sensorium.types import InputError, Signal

JUNK = b"\x00this is no medium of any kind\xff\xfe"
"""Bytes that no modality may take for one of its files."""


def check_modality(modality: Modality, media: Sequence[Any]) -> None:
    """Put a modality through everything the rest of the system relies on.

    Args:
        media: at least two media that `Modality.open` takes, not alike.

    Raises:
        AssertionError: with one sentence that says what the modality does not keep.
    """
    assert len(media) >= 2, "give at least two media"
    _check_names(modality)
    signals = [modality.open(medium) for medium in media]
    assert not all(signals[0] == one for one in signals[1:]), "all media are opened as the same signal"
    for signal in signals:
        _check_signal(modality, signal)
        _check_files(modality, signal)
        _check_measures(modality, signal, signals)
    _check_bad_input(modality)


def _check_names(modality: Modality) -> None:
    assert modality.name and modality.name.replace("_", "").isalnum() and modality.name == modality.name.lower(), (
        "a modality's name is one word in lower case"
    )
    for suffix in (*modality.extensions, *modality.writes):
        assert suffix.startswith(".") and suffix == suffix.lower(), f"{suffix!r} is not a suffix in lower case"
    assert modality.media_types, "media_types must name at least the kind that is written"
    assert set(modality.suffixes) <= set(modality.extensions), "what is written must be a kind that is opened"
    assert modality.media_types[0] in modality.suffixes.values(), "the preferred media type must have a suffix"
    if modality.viewer is not None and "__file__" in vars(sys.modules.get(type(modality).__module__, sys)):
        assert viewer_file(modality) is not None, f"the viewer {modality.viewer!r} does not lie beside the class"
    for language, words in modality.words.items():
        assert words.keys() <= modality.words["en"].keys(), f"{language!r} has words that English does not have"


def _check_signal(modality: Modality, signal: Signal) -> None:
    assert isinstance(signal, Signal), "open must return a Signal"
    assert isinstance(signal.array, np.ndarray), "a signal holds a numpy array"
    assert modality.check(signal) == signal, "a signal that was opened must be canonical already"
    assert modality.open(signal) == signal, "opening a canonical signal must change nothing"
    assert modality.fit(signal, Wish()) == signal, "fit must change nothing when nothing is wished"
    if signal.channels:
        assert len(signal.channels) == signal.array.shape[-1], "one name per channel"
    if signal.labels:
        assert len(signal.labels) == len(signal.array), "one label per row"
    picture = modality.preview(signal, 64)
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3, "a preview is RGB bytes"
    assert 1 <= max(picture.shape[:2]) <= 64, "a preview has at most the size asked for"
    assert modality.preview_png(signal, 64).startswith(b"\x89PNG"), "a preview can be a PNG file"


def _check_files(modality: Modality, signal: Signal) -> None:
    """What is written can be opened again, by name and by content; the preferred kind keeps what the signal means."""
    data = modality.to_bytes(signal)
    back = modality.open(data)
    assert back.array.shape == signal.array.shape, "a file of the preferred kind keeps the shape"
    assert back.array.dtype == signal.array.dtype, "a file of the preferred kind keeps the type of the numbers"
    assert back.meta().keys() >= signal.meta().keys(), "a file of the preferred kind keeps rate, names and units"
    with TemporaryDirectory() as folder:
        for suffix in modality.suffixes:
            path = Path(folder) / f"medium{suffix}"
            modality.save(signal, path)
            assert modality.open(path).array.ndim == signal.array.ndim, f"{suffix} is written but not read"
        try:
            modality.save(signal, Path(folder) / "medium.nosuchkind")
        except InputError:
            return
    raise AssertionError("saving under an unknown suffix must be refused with InputError")


def _check_measures(modality: Modality, signal: Signal, signals: Sequence[Signal]) -> None:
    same = modality.measures(signal, signal)
    assert same and all(np.isfinite(value) for value in same.values()), "measures must be finite numbers with names"
    for other in signals:
        found = modality.measures(signal, other)
        assert found.keys() == same.keys(), "measures must have the same names for all media"
        assert all(isinstance(value, float) for value in found.values()), "measures must be floats"
    assert any(modality.measures(signal, other) != same for other in signals), "no measure tells media apart"


def _check_bad_input(modality: Modality) -> None:
    for bad in (b"", JUNK, "no/such/file", "data:,x", "http://example.org/x", object(), np.zeros((0,)), np.array("x")):
        try:
            modality.open(bad)
        except InputError:
            continue
        raise AssertionError(f"{bad!r:.60} must be refused with InputError")
