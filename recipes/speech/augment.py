"""Changes that leave what is said as it is: gain, noise, a room, speed; for whoever listens to more than clean clips.

All are pure functions of mono samples (samples,) float32 and a random generator; what comes out is clipped to -1..1.
"""

from __future__ import annotations

import numpy as np

GAIN_DB = (-18.0, 6.0)
NOISE_DB = (8.0, 35.0)  # below the speech
SPEED = (0.88, 1.14)
ROOM_S = (0.05, 0.35)  # time in which an echo falls by 60 dB
DIRECT_S = 0.003


def augmented(samples: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """As another microphone, in another room, may have heard another speaker: each change for some clips."""
    changed = samples
    if rng.random() < 0.5:
        changed = faster(changed, rng.uniform(*SPEED))
    if rng.random() < 0.4:
        changed = in_room(changed, rate_hz, rng)
    if rng.random() < 0.3:
        changed = through_telephone(changed, rate_hz, rng)
    if rng.random() < 0.6:
        changed = noisy(changed, rng.uniform(*NOISE_DB), rng)
    return louder(changed, rng.uniform(*GAIN_DB))


def louder(samples: np.ndarray, gain_db: float) -> np.ndarray:
    return np.clip(samples * np.float32(10 ** (gain_db / 20)), -1, 1).astype(np.float32)


def faster(samples: np.ndarray, speed: float) -> np.ndarray:
    """Played at another speed, which moves the pitch too, as another speaker's is moved."""
    count = max(2, round(len(samples) / speed))
    places = np.linspace(0, len(samples) - 1, count)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def noisy(samples: np.ndarray, below_db: float, rng: np.random.Generator) -> np.ndarray:
    """With noise so many decibels below the speech, coloured between white and 1/f, by chance."""
    noise = coloured(len(samples), 0.5, rng)
    loudness = _rms(samples) * 10 ** (-below_db / 20) / max(_rms(noise), 1e-9)
    return np.clip(samples + loudness * noise, -1, 1).astype(np.float32)


def coloured(count: int, darkest: float, rng: np.random.Generator) -> np.ndarray:
    """(count,) noise between white and, at most, an amplitude of 1 / f ** ``darkest``, by chance."""
    spectrum = rng.normal(size=count // 2 + 1) + 1j * rng.normal(size=count // 2 + 1)
    spectrum *= np.maximum(np.arange(count // 2 + 1), 1) ** -rng.uniform(0, darkest)
    return np.fft.irfft(spectrum, count)


def in_room(samples: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Heard in a room: with an echo that fades exponentially, as loud as before and no longer."""
    fading_s = rng.uniform(*ROOM_S)
    time_s = np.arange(round(fading_s * rate_hz)) / rate_hz
    echo = rng.normal(size=len(time_s)) * 10 ** (-3 * time_s / fading_s)
    echo[: round(DIRECT_S * rate_hz)] = 0
    echo *= rng.uniform(0.2, 0.8) / max(float(np.sqrt((echo**2).sum())), 1e-9)
    echo[0] = 1
    size = len(samples) + len(echo) - 1
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(echo, size), size)[: len(samples)]
    return np.clip(heard * _rms(samples) / max(_rms(heard), 1e-9), -1, 1).astype(np.float32)


def through_telephone(samples: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Only the band of a telephone or a small microphone, as recordings at 8 kHz have it."""
    spectrum, at_hz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / rate_hz)
    low_hz, high_hz = rng.uniform(60, 300), rng.uniform(3200, 4000)
    kept = 1 / (1 + (low_hz / np.maximum(at_hz, 1)) ** 4) / (1 + (at_hz / high_hz) ** 16)
    return np.clip(np.fft.irfft(spectrum * kept, len(samples)), -1, 1).astype(np.float32)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
