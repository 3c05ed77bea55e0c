"""Sound files as signals: (samples, 1) float32 with a rate."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike

import numpy as np

from sensorium.types import InputError, Signal


def read_sound(path: str | PathLike[str], rate_hz: float | None = None) -> Signal:
    """A file that libsndfile reads, made mono.

    Args:
        rate_hz: it is brought to; its own where not given.

    Raises:
        InputError: it cannot be read.
    """
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} is no sound that can be read ({error}); make it again") from error
    sound = Signal(samples.mean(1, keepdims=True), float(rate))
    return sound if rate_hz is None else at_rate(sound, rate_hz)


def at_rate(sound: Signal, rate_hz: float) -> Signal:
    """A mono sound at another rate."""
    import soxr

    assert sound.rate_hz, "a sound has a rate"
    if sound.rate_hz == rate_hz:
        return sound
    samples = soxr.resample(sound.array.reshape(-1), sound.rate_hz, rate_hz)
    return Signal(samples[:, None].astype(np.float32), float(rate_hz))


def read_sounds(paths: Iterable[str | PathLike[str]]) -> list[Signal]:
    return [read_sound(path) for path in paths]
