"""How loud a sound is: written once, so that networks hear and make sounds of one loudness."""

from __future__ import annotations

import numpy as np

from sensorium.types import InputError, Signal

LOUDNESSES = np.geomspace(1e-4, 1, 48)
"""Root mean squares of sounds, about 1.7 dB apart."""


def unit_loud(samples: np.ndarray) -> tuple[int, np.ndarray]:
    """Code of the nearest loudness, and samples (float32) whose root mean square is 1; silence stays silent."""
    loudness = max(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))), float(LOUDNESSES[0]))
    return int(np.abs(np.log(LOUDNESSES / loudness)).argmin()), (samples / loudness).astype(np.float32)


def whole_frames(signal: Signal, rows: int, codec: str) -> tuple[int, np.ndarray]:
    """Code of the loudness of a fitted sound, and its samples (S,) at unit loudness, silence added to whole frames.

    Args:
        rows: samples of a frame.
        codec: its name, for messages.

    Raises:
        InputError: it has other channels than one, or no samples.
    """
    loudness, samples = unit_loud(samples_of(signal, codec))
    return loudness, np.pad(samples, (0, -len(samples) % rows))


def samples_of(signal: Signal, codec: str) -> np.ndarray:
    """(S,) samples of a fitted sound, one after the other in memory.

    Args:
        codec: its name, for messages.

    Raises:
        InputError: it has other channels than one, or no samples.
    """
    array = signal.array
    if array.ndim != 2 or array.shape[1] != 1 or array.dtype.kind != "f" or not len(array):
        raise InputError(
            f"codec {codec!r} takes samples (any, 1) of numbers, not {array.dtype} {array.shape}; "
            "open the medium with its modality first"
        )
    return np.ascontiguousarray(array[:, 0])
