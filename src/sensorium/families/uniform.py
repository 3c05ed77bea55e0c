"""The `uniform` family: rows of numbers, each number one of evenly spaced levels. Nothing is trained.

For series, boxes, actions, and whatever else comes in rows. A row may begin with a category, e.g. what a box holds.
Legend: T rows, C columns, K codebooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from sensorium.checked import Range
from sensorium.codecs import CodecStream
from sensorium.families import scaling
from sensorium.families.numbers import in_words
from sensorium.families.rows import Columns, Ends, Frames, Gathered, RowsCodec, learned
from sensorium.types import InputError, Signal

Bins = Annotated[int, Range(2, 2**16)]
Span = tuple[np.ndarray, np.ndarray]
"""Least number and distance of levels of every column, (C,) each."""


class UniformCodec(RowsCodec):
    """Rows of numbers to levels and back; a frame is a row.

    Args:
        columns: names of the columns, or how many there are.
        bins: levels of every column, or one number for each.
        ranges: as in `RowsCodec`; the ends are levels themselves.
        deltas: places of columns that grow, such as times: the steps from row to row are coded, in a range from 0.
        categories: labels that a row may have, coded before its numbers; empty when rows have none.
        max_frames, min_frames: most and fewest rows; without ``min_frames`` two, or one with categories or a frame.
        rows: ``shared``, ``units``, ``rate_hz``, ``frame``, ``name``, ``modality``, ``use`` of `RowsCodec`.
    """

    family: ClassVar[str] = "uniform"
    suits: ClassVar[tuple[str, ...]] = ("series", "boxes", "actions")

    def __init__(
        self,
        columns: Columns = 1,
        *,
        bins: Bins | Sequence[Bins] = 64,
        ranges: Sequence[Ends | None] = (),
        deltas: Sequence[Annotated[int, Range(0, 2**10)]] = (),
        categories: Sequence[str] = (),
        max_frames: Frames = 256,
        min_frames: Frames | None = None,
        **rows: Any,
    ):
        super().__init__(columns, ranges=ranges, **rows)
        self.bins = (bins,) * self.columns if isinstance(bins, int) else tuple(bins)
        self.deltas, self.categories = tuple(deltas), tuple(categories)
        self._check_bins()
        kinds = (len(self.categories),) if self.categories else ()
        self.facts = self._facts(
            codebook_sizes=(*kinds, *self.bins),
            max_frames=max_frames,
            min_frames=min_frames or (1 if self.categories or self.frame else 2),
            frame_rate_hz=self.rate_hz,
            hop=1,
        )

    def _check_bins(self) -> None:
        name = self._named["name"]
        if len(self.bins) != self.columns or min(self.bins) < 2:
            raise InputError(f"codec {name!r} needs two bins or more for each of its {self.columns} columns")
        if any((self.ranges[column] or (1.0,))[0] != 0 for column in self.deltas):
            raise InputError(f"codec {name!r}: a column of steps needs a range from 0 to the longest step")

    @classmethod
    def learn(cls, media: Iterable[Signal], learning: Any = None, *, codes: int | None = None, **names: Any) -> Self:
        """A codec for media like these: columns, units, rate, frame, labels and length are theirs.

        Args:
            learning: nothing here takes time; its ``codes`` count where none are given.
            codes: levels of each column.
            names: of the codec, and anything else of the constructor.

        Raises:
            InputError: there are no media.
        """
        given = learned(media, names, codes or getattr(learning, "codes", None))
        given["max_frames"] = given.get("max_frames") or given["rows"]
        del given["rows"]
        return cls(**given)

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(signal) for signal in self.fitted(signals)]

    def _encode(self, signal: Signal) -> np.ndarray:
        self._check_length(signal, self.facts.min_frames, self.facts.max_frames)
        scales = self._scales(signal.array)
        return self.layout.join(scales, self._frames(signal, self._span(scales), self._start())[0])

    def _span(self, scales: np.ndarray) -> Span:
        low_C, high_C = self._ends(scales)
        return low_C, (high_C - low_C) / (np.array(self.bins) - 1)

    def _start(self) -> np.ndarray:
        """(C,) what the steps of `deltas` are counted from."""
        return np.zeros(self.columns)

    def _frames(self, signal: Signal, span: Span, before_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T, K) codes of rows, and what the steps of the next rows are counted from."""
        (low_C, step_C), values_TC = span, signal.array.astype(np.float64)
        top_C, before_C = np.array(self.bins) - 1, before_C.copy()
        levels_TC = np.round((values_TC - low_C) / step_C).clip(0, top_C).astype(np.int64)
        for column in self.deltas:
            for row, value in enumerate(values_TC[:, column]):  # counted from what is decoded, so that no error grows
                level = round(float((value - before_C[column]) / step_C[column]))
                levels_TC[row, column] = min(max(level, 0), top_C[column])
                before_C[column] += levels_TC[row, column] * step_C[column]
        kinds = [self._kinds(signal)] if self.categories else []
        return np.column_stack([*kinds, levels_TC]), before_C

    def _kinds(self, signal: Signal) -> np.ndarray:
        """(T,) places of the labels among the categories."""
        known = {label: kind for kind, label in enumerate(self.categories)}
        wrong = next((label for label in signal.labels if label not in known), None)
        if wrong is not None or len(signal.labels) != len(signal.array):
            said = "a row without a label" if wrong is None else f"the label {wrong!r}"
            raise InputError(f"codec {self.facts.name!r} cannot take {said}; it knows {', '.join(self.categories)}")
        return np.array([known[label] for label in signal.labels])

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [self._decode(*self.layout.split(one)) for one in codes]

    def _decode(self, scales: np.ndarray, frames_TK: np.ndarray) -> Signal:
        return self._rows(frames_TK, self._span(scales), self._start())[0]

    def _rows(self, frames_TK: np.ndarray, span: Span, before_C: np.ndarray) -> tuple[Signal, np.ndarray]:
        """Rows of codes, and what the steps of the next rows are counted from."""
        (low_C, step_C), before_C = span, before_C.copy()
        levels_TC = frames_TK[:, -self.columns :]
        values_TC = low_C + levels_TC * step_C
        for column in self.deltas:
            values_TC[:, column] = before_C[column] + np.cumsum(levels_TC[:, column]) * step_C[column]
            before_C[column] = values_TC[-1, column]
        labels = tuple(self.categories[kind] for kind in frames_TK[:, 0]) if self.categories else ()
        return self._signal(values_TC, labels), before_C

    def stream(self) -> CodecStream:
        return _UniformStream(self)

    def features(self, codebook: int) -> np.ndarray | None:
        """Smooth bumps along the range; categories have nothing in common."""
        is_kind = bool(self.categories) and codebook == 0
        return None if is_kind else scaling.bumps(self.facts.codebook_sizes[codebook])

    def words(self, codebook: int) -> Sequence[str] | None:
        """Categories, and the numbers that levels stand for where the range of their column is fixed."""
        column = codebook - bool(self.categories)
        if column < 0:
            return self.categories
        ends = self.ranges[column]
        return None if ends is None else [in_words(value) for value in np.linspace(*ends, self.bins[column])]

    def config(self) -> dict[str, Any]:
        rows = {"bins": list(self.bins), "deltas": list(self.deltas), "categories": list(self.categories)}
        return super().config() | rows | {"max_frames": self.facts.max_frames, "min_frames": self.facts.min_frames}


class _UniformStream(CodecStream):
    """Row by row. A medium whose range stands in the header can only be pulled: it is known when all has been seen."""

    def __init__(self, codec: UniformCodec):
        self.codec, self.gathered = codec, Gathered(codec)
        self.before_C = codec._start()

    def push(self, signal: Signal) -> np.ndarray:
        self.codec._check_pushed(signal)
        (fitted,) = self.codec.fitted([signal])
        frames_TK, self.before_C = self.codec._frames(fitted, self.codec._span(np.zeros(0)), self.before_C)
        return frames_TK.ravel()

    def finish(self) -> np.ndarray:
        return np.zeros(0, np.int64)

    def pull(self, codes: np.ndarray) -> Signal | None:
        frames_TK = self.gathered.frames(codes)
        if not len(frames_TK) or self.gathered.header is None:
            return None
        rows, self.before_C = self.codec._rows(frames_TK, self.codec._span(self.gathered.header), self.before_C)
        return rows
