"""What happens in a series, computed from its numbers; what a model says or writes is checked by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRENDS = ("falls", "stays level", "rises")
PLACES = ("at the beginning", "in the middle", "at the end")
MOST = 9  # peaks and periods that are counted out; beyond is "many"
_STEP = 0.25  # a peak stands out by so much of the range on both sides; a trend moves by as much


@dataclass(frozen=True)
class Shape:
    """Of the channel that varies most; ``peaks`` and ``cycles`` (0 = none) are counts."""

    trend: str
    peaks: int
    cycles: int
    place: str


def shape_of(values: np.ndarray) -> Shape:
    """The facts of a series (time, channels) with at least two samples."""
    x = values[:, np.ptp(values, axis=0).argmax()].astype(np.float64)
    place = PLACES[min(2, 3 * int(x.argmax()) // len(x))]
    return Shape(trend(x), peaks(x), cycles(x), place)


def trend(x: np.ndarray) -> str:
    """Whether the mean of the last fifth lies a quarter of the range above or below that of the first fifth."""
    fifth = max(1, len(x) // 5)
    change = x[-fifth:].mean() - x[:fifth].mean()
    return TRENDS[1 + int(np.sign(change)) * bool(abs(change) > _STEP * np.ptp(x))]


def peaks(x: np.ndarray) -> int:
    """How often the series rises by a quarter of its range and then falls by as much again."""
    step, count, rising, turn = _STEP * np.ptp(x), 0, False, x[0]
    for value in x if step else ():
        turn = max(turn, value) if rising else min(turn, value)
        if rising and turn - value >= step:
            count, rising, turn = count + 1, False, value
        elif not rising and value - turn >= step:
            rising, turn = True, value
    return count


def period(x: np.ndarray) -> int:
    """Samples in a period: where the autocorrelation is highest after its first low, if above a half; else 0.

    A straight line is taken off first; a period must fit twice.
    """
    time = np.arange(len(x))
    x = x - np.polyval(np.polyfit(time, x, 1), time)
    alike = (np.correlate(x, x, "full")[len(x) - 1 :] / (len(x) - time))[: len(x) // 2 + 1]
    turns = np.flatnonzero(np.diff(np.sign(alike)))  # down through nought, up again, down again
    if len(turns) < 2:
        return 0
    high = alike[turns[1] + 1 : turns[2] + 1 if len(turns) > 2 else None]
    return int(turns[1] + 1 + high.argmax()) if high.max() > 0.5 * alike[0] else 0


def cycles(x: np.ndarray) -> int:
    """How many periods fit into the series, rounded; 0 when there is none."""
    lag = period(x) if len(x) > 7 else 0
    return round(len(x) / lag) if lag else 0


def made(wish_peaks: int, wish_trend: str, length: int, rng: np.random.Generator) -> np.ndarray:
    """A made-up series (length, 1) of roughly that shape: bumps or a wave on a slope, with noise.

    What it really shows is what ``shape_of`` says, not what was wished for.
    """
    time = (np.arange(length) + 0.5) / length
    slope = (TRENDS.index(wish_trend) - 1) * rng.uniform(0.5, 1.5)
    wave = _bumps(time, wish_peaks, rng) if rng.random() < 0.5 else _wave(time, wish_peaks, rng)
    noise = rng.normal(0, rng.choice([0.01, 0.03, 0.06]), length)
    return (slope * time + wave + noise)[:, None].astype(np.float32)


def _bumps(time: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    places = (np.arange(count) + 0.5 + rng.uniform(-0.2, 0.2, count)) / max(count, 1)
    heights, width = rng.uniform(0.7, 1.3, count), 0.22 / max(count, 1)
    return (heights * np.exp(-(((time[:, None] - places) / width) ** 2))).sum(1)


def _wave(time: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return 0.5 * bool(count) * np.sin(2 * np.pi * (count * time - rng.uniform(0.0, 0.1)) - np.pi / 2)
