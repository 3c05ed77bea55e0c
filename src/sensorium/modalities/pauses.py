"""Cutting long sound into parts at its pauses, a block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from sensorium.types import InputError, Signal

STEP_S, PAUSE_S = 0.02, 0.2
SILENCE_DB = -70


@dataclass(frozen=True)
class Piece:
    """A part of a longer sound, and the second of it at which the part begins."""

    start_s: float
    signal: Signal


def cut(blocks: Iterable[np.ndarray], rate_hz: float, longest_s: float) -> Iterator[Piece]:
    """Blocks (samples, channels) of one sound as parts that follow each other without a gap.

    A part ends in the middle of the quietest 0.2 s of its second half; the later of two that are as quiet.

    Raises:
        InputError: parts of less than a second are asked for.
    """
    if not longest_s >= 1:
        raise InputError(f"a sound is cut into parts of a second or more, not of {longest_s:g} s")
    longest, start, held = int(longest_s * rate_hz), 0, list[np.ndarray]()
    for block in blocks:
        held.append(block)
        while sum(map(len, held)) > longest:
            array = np.concatenate(held)
            end = _pause(array[:longest], rate_hz)
            yield Piece(start / rate_hz, Signal(array[:end], rate_hz))
            start, held = start + end, [array[end:]]
    if sum(map(len, held)):
        yield Piece(start / rate_hz, Signal(np.concatenate(held), rate_hz))


def _pause(array: np.ndarray, rate_hz: float) -> int:
    """The sample at which to cut, in the second half."""
    step = max(1, int(STEP_S * rate_hz))
    steps = len(array) // step
    power = np.square(array[: steps * step]).reshape(steps, -1).mean(1)
    wide = round(PAUSE_S / STEP_S)
    level_db = 10 * np.log10(np.convolve(power, np.full(wide, 1 / wide), "same") + 10 ** (SILENCE_DB / 10))
    quiet = level_db[steps // 2 : steps - wide // 2].round()
    return (steps // 2 + len(quiet) - 1 - int(quiet[::-1].argmin())) * step
