"""Arrays of many media in one file on disk, so that learning from them takes little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import numpy as np

from sensorium.types import InputError


class Pool:
    """Arrays that differ in length alone, one after the other in a file that goes when the pool does.

    Args:
        arrays: (rows, ...) each; gone through once.

    Raises:
        InputError: there are none, or they differ in more than their rows.
    """

    def __init__(self, arrays: Iterable[np.ndarray]) -> None:
        self._file = tempfile.TemporaryFile(prefix="sensorium-")  # noqa: SIM115
        lengths: list[int] = []
        first: np.ndarray | None = None
        for array in arrays:
            first = array if first is None else first
            if (array.shape[1:], array.dtype) != (first.shape[1:], first.dtype):
                raise InputError(
                    f"the media differ in shape: {first.dtype} {first.shape} and {array.dtype} {array.shape}; "
                    "one codec learns from media that differ in length alone"
                )
            lengths.append(len(array))
            self._file.write(np.ascontiguousarray(array).data)
        if first is None:
            raise InputError("there is no medium to learn from; give a folder, a pattern or a JSONL file that has some")
        self._file.flush()
        self.lengths = np.array(lengths)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self.rows = np.memmap(self._file, first.dtype, mode="r", shape=(int(self.lengths.sum()), *first.shape[1:]))

    def __len__(self) -> int:
        return len(self.lengths)

    def array(self, number: int) -> np.ndarray:
        start = self.starts[number]
        return self.rows[start : start + self.lengths[number]]

    def windows(
        self, rng: np.random.Generator, count: int, rows: int, step: int = 1
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows of ``rows`` rows of media drawn by chance.

        Args:
            step: windows start at multiples of it.

        Returns:
            (count, rows, ...) windows, the last row repeated where a medium is shorter; (count, rows) whether a row is
            there; (count,) numbers of the media.
        """
        numbers = rng.integers(0, len(self), count)
        room = np.maximum(self.lengths[numbers] - rows, 0) // step
        starts = rng.integers(0, room + 1) * step
        inside = np.minimum(starts[:, None] + np.arange(rows), self.lengths[numbers, None] - 1)
        there = starts[:, None] + np.arange(rows) < self.lengths[numbers, None]
        return self.rows[self.starts[numbers, None] + inside], there, numbers
