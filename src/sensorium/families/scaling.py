"""Offset and scale of a medium in a few codes of the header, so that numbers of any size become numbers in -1..1.

The scale lies on a grid of even steps of its logarithm; the offset is counted in eighths of the scale and written in
two digits of base `BASE`, the coarse one first. Where the offset is so large beside the range that the digits do not
suffice, a larger scale is taken: precision goes before the numbers do.
"""

from __future__ import annotations

import numpy as np

from sensorium.types import InputError

SCALES, LEAST, MOST = 256, 1e-9, 1e9
GRID = np.geomspace(LEAST, MOST, SCALES)
BASE = 64
LIMIT = BASE**2 // 2 - 1
PER_SCALE = 8
"""Steps of the offset in a scale."""
PARTS = (("scale", SCALES), ("offset", BASE), ("fine", BASE))
"""What is written for every column."""
ROOM = 1 + 1e-6
"""A little more scale than needed, so that rounding in float32 leaves the ends inside."""


def header(columns: int) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the header's codebooks, column by column."""
    if columns == 1:
        return PARTS
    return tuple((f"{name}{column}", size) for column in range(columns) for name, size in PARTS)


def encode(values: np.ndarray, what: str = "the medium") -> np.ndarray:
    """Header codes (columns * 3,) of columns (time, columns).

    Raises:
        InputError: numbers beyond the largest scale.
    """
    low, high = values.min(0).astype(np.float64), values.max(0).astype(np.float64)
    middle, half = (high + low) / 2, (high - low) / 2
    needed = np.maximum(half / (1 - 0.5 / PER_SCALE), np.abs(middle) * PER_SCALE / LIMIT) * ROOM
    if needed.max() > MOST:
        largest = float(np.abs(values).max())
        raise InputError(f"{what} has numbers up to {largest:.3g}, too large to scale; give it in a larger unit")
    scale = np.searchsorted(GRID, needed)
    count = np.round(middle / GRID[scale] * PER_SCALE).astype(np.int64) + LIMIT + 1
    return np.stack([scale, count // BASE, count % BASE], 1).ravel()


def decode(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale of every column, (columns,) float64, of header codes."""
    scale, coarse, fine = codes.reshape(-1, len(PARTS)).T
    return (coarse * BASE + fine - LIMIT - 1) / PER_SCALE * GRID[scale], GRID[scale]


def bumps(size: int, bumps: int = 16) -> np.ndarray:
    """(size, bumps) float32: smooth bumps along the range, so that neighbouring codes are alike."""
    centres, at = np.linspace(0, 1, bumps), np.linspace(0, 1, size) if size > 1 else np.zeros(1)
    return np.exp(-(((at[:, None] - centres) * bumps) ** 2)).astype(np.float32)
