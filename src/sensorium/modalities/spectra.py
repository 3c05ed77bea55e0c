"""Spectra of sound as the ear has them: power in mel bands, and a picture of it.

Mel: 2595 log10(1 + f / 700) (O'Shaughnessy 1987). Legend: N frames, S samples of a frame, F frequencies, B bands.
"""

from __future__ import annotations

import numpy as np

WINDOW_S, HOP_S = 0.025, 0.01
FLOOR_DB = -80.0
"""Of a band, beside a sine of full level; what is quieter counts as silence."""
TOGETHER = 256
"""Frames whose spectra are taken at once."""
SHADES = ((8, 6, 24), (72, 22, 104), (164, 42, 100), (232, 92, 52), (252, 176, 60), (254, 248, 196))
"""From silence to the loudest."""


def mel_matrix(rate_hz: float, size: int, bands: int) -> np.ndarray:
    """Triangles (B, F) that sum the F = size // 2 + 1 powers of a spectrum into bands from 0 Hz to half the rate."""
    ends_mel = np.linspace(0, 2595 * np.log10(1 + rate_hz / 1400), bands + 2)
    ends_hz = 700 * (10 ** (ends_mel / 2595) - 1)[:, None]
    rises_BF = (np.fft.rfftfreq(size, 1 / rate_hz) - ends_hz[:-1]) / np.diff(ends_hz, axis=0)
    return np.minimum(rises_BF[:-1], 1 - rises_BF[1:]).clip(min=0).astype(np.float32)


def mel_db(samples: np.ndarray, rate_hz: float, bands: int = 64) -> np.ndarray:
    """Power in mel bands (N, B) float32 in dB, a Hann window of 25 ms every 10 ms, at least `FLOOR_DB`."""
    size = max(16, round(WINDOW_S * rate_hz))
    starts = np.arange(0, len(samples), max(1, round(HOP_S * rate_hz))) - size // 2
    return _db(_mel_power(samples, starts, size, rate_hz, bands))


def picture(samples: np.ndarray, rate_hz: float, width_px: int, height_px: int) -> np.ndarray:
    """A spectrogram (H, W, 3) uint8, low tones below; a column of a long sound shows a few moments of its time."""
    size, moments = max(16, round(0.04 * rate_hz)), 4
    starts = ((np.arange(width_px * moments) + 0.5) * len(samples) / (width_px * moments)).astype(int) - size // 2
    power = _mel_power(samples, starts, size, rate_hz, height_px).reshape(width_px, moments, height_px).mean(1)
    db = _db(power)
    light = ((db - FLOOR_DB) / max(float(db.max()) - FLOOR_DB, 20.0)).T[::-1]
    marks = np.linspace(0, 1, len(SHADES))
    return np.stack([np.interp(light, marks, shade) for shade in np.transpose(SHADES)], -1).round().astype(np.uint8)


def _db(power: np.ndarray) -> np.ndarray:
    return (10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))).astype(np.float32)


def _mel_power(samples: np.ndarray, starts: np.ndarray, size: int, rate_hz: float, bands: int) -> np.ndarray:
    """(N, B) of the frames that begin at ``starts``, beyond the ends silence; 1 is a sine of full level."""
    window = np.hanning(size + 1)[:-1].astype(np.float32) * 4 / size
    points = 4 * 2 ** int(np.ceil(np.log2(size)))  # so many that every band holds one
    matrix_FB = mel_matrix(rate_hz, points, bands).T
    matrix_FB /= np.maximum(matrix_FB.max(0), 1e-9) * points / size * 1.5
    found = []
    for at in range(0, len(starts), TOGETHER):
        index_NS = starts[at : at + TOGETHER, None] + np.arange(size)
        inside = (index_NS >= 0) & (index_NS < len(samples))
        frames_NS = np.where(inside, samples[index_NS.clip(0, len(samples) - 1)], 0) * window
        found.append(np.square(np.abs(np.fft.rfft(frames_NS, points))) @ matrix_FB)
    return np.concatenate(found)
