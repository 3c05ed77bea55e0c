"""Log-mel spectra of one voice made to sound like others, elsewhere: what networks that listen learn from.

Everything is done on spectra (N, M), where it costs next to nothing: the length of the vocal tract (Jaitly and
Hinton 2013), the pace, the microphone, noise, and missing pieces (SpecAugment, arXiv 1904.08779).
"""

from __future__ import annotations

import numpy as np

from sensorium.families.spectra import FLOOR, MIDDLE, SPREAD

WARP = (0.8, 1.25)
"""Of the bands: shorter and longer vocal tracts."""
PACE = (0.8, 1.3)
TILT = 0.5
"""Deviation of a microphone's curve over the bands, in units of the spectra."""
NOISE = (-45.0, -6.0)
"""Level of noise in dB against a root mean square of 1."""


def varied(mel_NM: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another telling of the same; three in ten stay as they are."""
    if rng.random() < 0.3:
        return mel_NM
    mel_NM = _warped(mel_NM, rng.uniform(*PACE), np.exp(rng.uniform(*np.log(WARP))))
    mel_NM = mel_NM + _curve(mel_NM.shape[1], rng)
    mel_NM = _in_noise(mel_NM, rng)
    return _masked(mel_NM, rng)


def _warped(mel_NM: np.ndarray, pace: float, warp: float) -> np.ndarray:
    """Stretched in time and along the bands, by lines between neighbours."""
    rows, bands = mel_NM.shape
    times = np.linspace(0, rows - 1, max(round(rows / pace), 1))
    places = np.clip(np.arange(bands) * warp, 0, bands - 1)
    return _between(_between(mel_NM, times).T, places).T


def _between(array: np.ndarray, places: np.ndarray) -> np.ndarray:
    low = np.floor(places).astype(int)
    share = (places - low)[:, None].astype(np.float32)
    return array[low] * (1 - share) + array[np.minimum(low + 1, len(array) - 1)] * share


def _curve(bands: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth curve: five knots, lines between them."""
    return np.interp(np.linspace(0, 4, bands), np.arange(5), rng.normal(0, TILT, 5)).astype(np.float32)


def _in_noise(mel_NM: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of a random colour, that comes and goes; sizes add up by their squares."""
    level = 10 ** (rng.uniform(*NOISE) / 20)
    slow = np.interp(np.arange(len(mel_NM)), np.linspace(0, len(mel_NM), 6), rng.normal(0, 0.5, 6))
    colour = np.exp(SPREAD * _curve(mel_NM.shape[1], rng) + slow[:, None] + rng.normal(0, 0.3, mel_NM.shape))
    # A band of white noise at this level has a size of about 20 with the usual settings.
    sizes = np.exp(mel_NM * SPREAD + MIDDLE)
    return ((np.log(np.sqrt(sizes**2 + (20 * level * colour) ** 2) + FLOOR / 10) - MIDDLE) / SPREAD).astype(np.float32)


def _masked(mel_NM: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to two stretches of bands, and one of time in every second or so, become the mean."""
    mel_NM, mean = mel_NM.copy(), mel_NM.mean()
    for _ in range(rng.integers(0, 3)):
        wide = rng.integers(1, 14)
        first = rng.integers(0, max(mel_NM.shape[1] - wide, 1))
        mel_NM[:, first : first + wide] = mean
    for _ in range(rng.integers(0, 1 + len(mel_NM) // 100 + 1)):
        first = rng.integers(0, len(mel_NM))
        mel_NM[first : first + rng.integers(1, 9)] = mean
    return mel_NM
