"""What families write once per medium: how much of the last step is filled, and what numbers are measured in.

A medium of any length is cut into whole steps, so the codes alone do not tell its length; a series may be about
1,000 hPa or about 0.01 g, so bins and networks see it with its mean taken off and divided by its spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCALES = 128
"""Codes of a spread, half an octave apart, from 2 ** -32 to 2 ** 31.5."""
DIGITS = 256
"""Codes of each of the two digits of an offset, which is counted in eighths of the spread."""
EIGHTH = 8


@dataclass(frozen=True, kw_only=True)
class Header:
    """Codes written before the frames.

    Args:
        hop: rows of a step along a free first axis; 0 for media of one fixed size.
        channels: of the last axis.
        floats: whether numbers are scaled, each channel by itself.
    """

    hop: int = 0
    channels: int = 1
    floats: bool = False

    @property
    def books(self) -> tuple[tuple[str, int], ...]:
        """Name and size of each codebook, as `Facts` wants them."""
        rest = (("rest", self.hop),) if self.hop > 1 else ()
        if not self.floats:
            return rest
        marks = [""] if self.channels == 1 else [f".{channel}" for channel in range(self.channels)]
        parts = (("scale", SCALES), ("offset", DIGITS), ("fine", DIGITS))
        return rest + tuple((f"{part}{mark}", size) for mark in marks for part, size in parts)

    def steps(self, rows: int) -> int:
        """Steps that so many rows fill, the last perhaps in part."""
        return -(-rows // self.hop)

    def take(self, array: np.ndarray) -> tuple[list[int], np.ndarray]:
        """Header codes of a medium (rows, ..., channels), and the medium in whole steps and scaled, float32.

        Bytes stay bytes. What is missing of the last step repeats the last row.
        """
        array = np.ascontiguousarray(array)  # sums in another order would give another code
        codes: list[int] = []
        if self.hop > 1:
            codes.append((len(array) - 1) % self.hop)
        if self.floats:
            axes = tuple(range(array.ndim - 1))
            wide = array.astype(np.float64)
            found = [_measured(mean, spread) for mean, spread in zip(wide.mean(axes), wide.std(axes), strict=True)]
            codes += [code for one in found for code in one]
            spread, offset = self._scales(np.array(found).ravel())
            array = ((wide - offset) / spread).astype(np.float32)
        return codes, self._whole(array)

    def give(self, codes: np.ndarray, array: np.ndarray) -> np.ndarray:
        """The inverse of `take` for what was restored: as long as the original, and in its units."""
        codes = np.asarray(codes)
        if self.hop > 1:
            array = array[: len(array) - self.hop + int(codes[0]) + 1]
            codes = codes[1:]
        if not self.floats:
            return array
        spread, offset = self._scales(codes)
        return (array * spread + offset).astype(np.float32)

    def features(self, book: int) -> np.ndarray:
        """(size, 1) float32: neighbouring codes of a header's codebook mean similar things."""
        return np.linspace(-1, 1, self.books[book][1], dtype=np.float32)[:, None]

    def _whole(self, array: np.ndarray) -> np.ndarray:
        missing = -len(array) % self.hop if self.hop else 0
        return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array

    def _scales(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(channels,) spread and offset."""
        scale, high, low = codes.reshape(self.channels, 3).T
        spread = 2.0 ** ((scale - SCALES / 2) / 2)
        return spread, (high * DIGITS + low - DIGITS**2 / 2) * spread / EIGHTH


def _measured(mean: float, spread: float) -> tuple[int, int, int]:
    """Codes of a channel. Where the mean lies too many spreads from zero to be counted, the spread is widened."""
    least = abs(mean) * EIGHTH / (DIGITS**2 / 2 - 1)
    wanted = max(spread, least, 2.0 ** (-SCALES / 4))
    scale = min(int(np.ceil(2 * np.log2(wanted) + SCALES / 2 - 1e-9)), SCALES - 1)
    count = round(mean * EIGHTH / 2.0 ** ((scale - SCALES / 2) / 2)) + DIGITS**2 // 2
    return max(scale, 0), *divmod(int(np.clip(count, 0, DIGITS**2 - 1)), DIGITS)
