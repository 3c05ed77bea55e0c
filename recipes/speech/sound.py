"""Sounds of the recipe: opened as the modality opens them, of one channel."""

from __future__ import annotations

from os import PathLike

from sensorium.modalities import Wish, modality
from sensorium.types import Signal

AUDIO = "audio"


def read_sound(path: str | PathLike[str]) -> Signal:
    """A file at its own rate; InputError where it cannot be read."""
    return modality(AUDIO).open(path, Wish(channels=1))


def at_rate(sound: Signal, rate_hz: float) -> Signal:
    """A sound of one channel at another rate."""
    return modality(AUDIO).fit(sound, Wish(rate_hz=rate_hz, channels=1))
