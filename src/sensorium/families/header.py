"""What networks and features write once per medium: how much of the last step is filled, and offset and scale.

A medium of any length is cut into whole steps, so the codes alone do not tell its length; a series may be about
1,000 hPa or about 0.01 g, so networks see its numbers in -1..1 (see `scaling`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensorium.families import scaling


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
        return rest + (scaling.header(self.channels) if self.floats else ())

    def steps(self, rows: int) -> int:
        """Steps that so many rows fill, the last perhaps in part."""
        return -(-rows // self.hop)

    def take(self, array: np.ndarray) -> tuple[list[int], np.ndarray]:
        """Header codes of a medium (rows, ..., channels), and the medium in whole steps and in -1..1, float32.

        Bytes stay bytes. What is missing of the last step repeats the last row.
        """
        array = np.ascontiguousarray(array)
        codes = [(len(array) - 1) % self.hop] if self.hop > 1 else []
        if self.floats:
            scales = scaling.encode(array.reshape(-1, self.channels))
            offset, scale = scaling.decode(scales)
            array = ((array.astype(np.float64) - offset) / scale).astype(np.float32)
            codes += scales.tolist()
        missing = -len(array) % self.hop if self.hop else 0
        return codes, np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array

    def give(self, codes: np.ndarray, array: np.ndarray) -> np.ndarray:
        """The inverse of `take` for what was restored: as long as the original, and in its units."""
        codes = np.asarray(codes)
        if self.hop > 1:
            array = array[: len(array) - self.hop + int(codes[0]) + 1]
            codes = codes[1:]
        if not self.floats:
            return array
        offset, scale = scaling.decode(codes)
        return (array * scale + offset).astype(np.float32)

    def features(self, book: int) -> np.ndarray:
        """(size, bumps) float32: neighbouring codes of a header's codebook mean similar things."""
        return scaling.bumps(self.books[book][1])
