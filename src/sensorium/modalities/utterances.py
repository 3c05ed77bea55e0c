"""Utterances: where a recording is not silent, between its pauses, none of them longer than may be.

Legend: T samples, C channels, N frames.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sensorium.types import InputError, Signal

FRAME_S = 0.02
PAUSE_S = 0.4
"""Shorter ones lie within what is said."""
EDGE_S = 0.12
"""Of a pause, what stays with the piece before it and with the one after it."""
SILENT_DB = -60.0
"""Below full scale; a recording that is nowhere louder holds nothing."""
DEEP_DB, SHARE, WITHIN_DB = -80.0, 0.35, 25.0
"""A pause is below so much of the way from the quiet to the loudest frame, and so far below the latter at least."""
CALM = 7
"""Frames over which the quietest place of a long piece is looked for."""


class Span(NamedTuple):
    """A piece of a recording, in seconds from its beginning."""

    start_s: float
    end_s: float


def spans(signal: Signal, longest_s: float) -> list[Span]:
    """The pieces of a recording that are not silent, in order; they do not overlap.

    Args:
        signal: (T, C) or (T,) numbers in -1..1, with a rate.
        longest_s: a piece that would be longer is cut at the quietest place of its second half.

    Raises:
        InputError: the signal has no rate, or no piece may be as long as two frames.
    """
    if not signal.rate_hz or longest_s < 2 * FRAME_S:
        raise InputError(f"pauses are looked for in a medium with a rate, in pieces of {2 * FRAME_S:g} s and more")
    lasting_s = len(signal.array) / signal.rate_hz
    level_N = levels_db(signal)
    runs = [piece for run in _runs(level_N) for piece in _cut(run, level_N, int(longest_s / FRAME_S))]
    return [Span(start * FRAME_S, min(stop * FRAME_S, lasting_s)) for start, stop in runs]


def levels_db(signal: Signal) -> np.ndarray:
    """(N,) how loud each frame is, below full scale; the last may be shorter than the others."""
    assert signal.rate_hz
    array_TC = signal.array.reshape(len(signal.array), -1)
    rows = max(1, round(FRAME_S * signal.rate_hz))
    starts = np.arange(0, len(array_TC), rows)
    power_T = np.einsum("tc,tc->t", array_TC, array_TC, dtype=np.float32) / array_TC.shape[1]
    power_N = np.add.reduceat(power_T, starts) / np.diff(np.append(starts, len(array_TC)))
    return 10 * np.log10(np.maximum(power_N, 1e-12))


def _runs(level_N: np.ndarray) -> list[tuple[int, int]]:
    """First frame and one past the last of what lies between pauses."""
    loudest = float(level_N.max())
    if loudest < SILENT_DB:
        return []
    quiet = max(float(np.percentile(level_N, 10)), DEEP_DB)
    heard_N = level_N >= min(quiet + SHARE * (loudest - quiet), loudest - WITHIN_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard_N.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    apart = starts[1:] - stops[:-1] >= PAUSE_S / FRAME_S
    edge = round(EDGE_S / FRAME_S)
    firsts = np.append(starts[:1], starts[1:][apart]) - edge
    lasts = np.append(stops[:-1][apart], stops[-1:]) + edge
    return [(max(0, int(a)), min(len(level_N), int(b))) for a, b in zip(firsts, lasts, strict=True)]


def _cut(run: tuple[int, int], level_N: np.ndarray, longest: int) -> list[tuple[int, int]]:
    start, stop = run
    pieces = []
    while stop - start > longest:
        first, last = start + longest // 2, start + longest
        calm = np.convolve(level_N[first:last], np.ones(CALM) / CALM, mode="same")[: last - first]
        at = first + int(calm.argmin()) + 1
        pieces.append((start, at))
        start = at
    return [*pieces, (start, stop)]
