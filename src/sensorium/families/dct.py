"""The `dct` family: windows of rows as the first coefficients of their discrete cosine transform, scaled and rounded.

For series and continuous actions; smooth ones need far fewer codes than row by row. The idea of FAST (Pertsch et al.
2025, arXiv 2501.09747), without its byte-pair merges: every window has as many codes as every other, so that a grammar
can tell where one ends. Legend: N windows, W rows of a window, C columns, Q coefficients of a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from sensorium.checked import Range
from sensorium.codecs import CodecStream
from sensorium.families import scaling
from sensorium.families.rows import Columns, Ends, Frames, Gathered, RowsCodec, learned
from sensorium.types import InputError, Signal

TAIL = 0.999
"""Share of all coefficients that learned limits hold; the others are clipped."""


class DCTCodec(RowsCodec):
    """Rows of numbers to coefficients of windows and back; a frame is a window, its low frequencies first.

    Args:
        columns: names of the columns, or how many there are.
        window: rows of a window, W.
        kept: coefficients of each column that are written, Q; higher frequencies are left out.
        bins: levels of a coefficient.
        limits: greatest size of each coefficient (Q,), those beyond are clipped; empty for the greatest that there can
            be. `learn` finds those that are common.
        exact: whether the header tells how many rows of the last window count. Without, a medium is lengthened to whole
            windows, and can be decoded while it is still being written.
        ranges: as in `RowsCodec`.
        max_frames: most windows.
        rows: ``shared``, ``units``, ``rate_hz``, ``frame``, ``name``, ``modality``, ``use`` of `RowsCodec`.
    """

    family: ClassVar[str] = "dct"
    suits: ClassVar[tuple[str, ...]] = ("series", "actions")

    def __init__(
        self,
        columns: Columns = 1,
        *,
        window: Annotated[int, Range(2, 2**10)] = 16,
        kept: Annotated[int, Range(1, 2**10)] = 8,
        bins: Annotated[int, Range(3, 2**16)] = 64,
        limits: Sequence[Annotated[float, Range(1e-30, 1e30)]] = (),
        exact: bool = True,
        ranges: Sequence[Ends | None] = (),
        max_frames: Frames = 64,
        **rows: Any,
    ):
        super().__init__(columns, ranges=ranges, **rows)
        name = self._named["name"]
        if not 1 <= kept <= window or window < 2 or bins < 3 or len(limits) not in (0, kept):
            raise InputError(f"codec {name!r} needs 1 to {window} coefficients, a limit for each, and at least 3 bins")
        self.window, self.kept, self.bins, self.exact = window, kept, bins, exact
        self.limits = tuple(float(limit) for limit in limits) or (window**0.5,) * kept
        self._step_Q = np.array(self.limits) / ((bins - 1) // 2)
        at_W, order_Q = np.arange(window) + 0.5, np.arange(kept)[:, None]
        self._basis_QW = np.cos(np.pi / window * order_Q * at_W) * np.where(order_Q, 2 / window, 1 / window) ** 0.5
        self.facts = self._facts(
            codebook_sizes=(bins,) * (kept * self.columns),
            header=(("rest", window),) if exact else (),
            max_frames=max_frames,
            frame_rate_hz=None if self.rate_hz is None else self.rate_hz / window,
            hop=window,
        )

    @classmethod
    def learn(cls, media: Iterable[Signal], learning: Any = None, *, codes: int | None = None, **names: Any) -> Self:
        """A codec for media like these: columns, units, rate and length are theirs, and the limits of coefficients.

        Args:
            learning: nothing here takes time; its ``codes`` count where none are given.
            codes: levels of a coefficient.
            names: of the codec, and anything else of the constructor.

        Raises:
            InputError: there are no media.
        """
        media = list(media) if isinstance(media, Iterator) else media
        given = learned(media, names, codes or getattr(learning, "codes", None))
        rows, _ = given.pop("rows"), given.pop("categories")
        probe: dict[str, Any] = {**given, "max_frames": 1}
        first = cls(**probe)
        given.setdefault("max_frames", -(-rows // first.window))
        fitted = (first.fitted([signal])[0].array for signal in media)
        found = [first._coefficients(rows_TC, first._scales(rows_TC)) for rows_TC in fitted]
        sizes_Q = np.quantile(np.abs(np.concatenate(found)), TAIL, axis=(0, 2))
        return cls(**{"limits": np.maximum(sizes_Q, 1e-6 * first.window**0.5).tolist(), **given})

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(signal) for signal in self.fitted(signals)]

    def _encode(self, signal: Signal) -> np.ndarray:
        self._check_length(signal, 2, self.facts.max_frames * self.window)
        scales = self._scales(signal.array)
        rest = [-len(signal.array) % self.window] if self.exact else []
        return self.layout.join([*scales, *rest], self._frames(signal.array, scales))

    def _coefficients(self, rows_TC: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """(N, Q, C) of rows, whose last is repeated to the end of its window."""
        low_C, high_C = self._ends(scales)
        unit_TC = (rows_TC.astype(np.float64).clip(low_C, high_C) - low_C) / (high_C - low_C) * 2 - 1
        padded_TC = np.pad(unit_TC, ((0, -len(unit_TC) % self.window), (0, 0)), mode="edge")
        return self._basis_QW @ padded_TC.reshape(-1, self.window, self.columns)

    def _frames(self, rows_TC: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """(N, Q * C) codes."""
        levels_NQC = np.round(self._coefficients(rows_TC, scales) / self._step_Q[:, None]) + (self.bins - 1) // 2
        return levels_NQC.clip(0, self.bins - 1).reshape(len(levels_NQC), -1).astype(np.int64)

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [self._decode(*self.layout.split(one)) for one in codes]

    def _decode(self, header: np.ndarray, frames: np.ndarray) -> Signal:
        rows_TC = self._rows(frames, header)
        rest = int(header[-1]) if self.exact else 0
        return self._signal(rows_TC[: max(2, len(rows_TC) - rest)])

    def _rows(self, frames: np.ndarray, header: np.ndarray) -> np.ndarray:
        """(N * W, C) rows of whole windows."""
        low_C, high_C = self._ends(header[:-1] if self.exact else header)
        levels_NQC = frames.reshape(-1, self.kept, self.columns) - (self.bins - 1) // 2
        unit_NWC = self._basis_QW.T @ (levels_NQC * self._step_Q[:, None])
        return low_C + (unit_NWC.reshape(-1, self.columns).clip(-1, 1) + 1) / 2 * (high_C - low_C)

    def stream(self) -> CodecStream | None:
        return None if self.exact else _DCTStream(self)

    def features(self, codebook: int) -> np.ndarray:
        """Smooth bumps along the size of the coefficient."""
        return scaling.bumps(self.bins)

    def config(self) -> dict[str, Any]:
        shape = {"window": self.window, "kept": self.kept, "bins": self.bins, "limits": list(self.limits)}
        return super().config() | shape | {"exact": self.exact, "max_frames": self.facts.max_frames}


class _DCTStream(CodecStream):
    """Window by window."""

    def __init__(self, codec: DCTCodec):
        self.codec, self.gathered = codec, Gathered(codec)
        self.rows_TC = np.zeros((0, codec.columns))

    def push(self, signal: Signal) -> np.ndarray:
        self.codec._check_pushed(signal)
        (fitted,) = self.codec.fitted([signal])
        rows_TC = np.concatenate([self.rows_TC, fitted.array])
        whole = len(rows_TC) // self.codec.window * self.codec.window
        self.rows_TC = rows_TC[whole:]
        return self._codes(rows_TC[:whole])

    def finish(self) -> np.ndarray:
        return self._codes(self.rows_TC)

    def _codes(self, rows_TC: np.ndarray) -> np.ndarray:
        return self.codec._frames(rows_TC, np.zeros(0)).ravel() if len(rows_TC) else np.zeros(0, np.int64)

    def pull(self, codes: np.ndarray) -> Signal | None:
        frames = self.gathered.frames(codes)
        if not len(frames) or self.gathered.header is None:
            return None
        return self.codec._signal(self.codec._rows(frames, self.gathered.header))
