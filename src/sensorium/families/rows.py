"""What families of rows of numbers share: what the columns are, their ranges (fixed, or in the header), their length.

Legend: T rows, C columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from sensorium.checked import NAME, RATE_HZ, Range, checked_arguments
from sensorium.codecs import Codec, Facts, Use
from sensorium.families import scaling
from sensorium.modalities import Wish, modality
from sensorium.types import InputError, Signal

Ends = tuple[float, float]
"""Least and greatest number of a column."""
Columns = Annotated[Sequence[str], Range(1, 2**10)] | Annotated[int, Range(1, 2**10)]
Measure = Annotated[float, Range(1e-9, 1e9)]
Frames = Annotated[int, Range(1, 2**24)]
UNUSED = ("minutes", "checkpoint", "say")
"""Arguments of learning that a family without training has no use for."""


class RowsCodec(Codec):
    """Rows of numbers, the range of each column fixed or written in the header, once per medium.

    Args:
        columns: names of the columns, or how many there are.
        ranges: (least, greatest) of each column, numbers beyond are clipped; None for a column whose range goes into
            the header, so that the same codec takes millivolts and kilometres. Empty: all go there.
        shared: columns in the header have one scale together, e.g. the axes of one sensor.
        units, rate_hz, frame: of what is decoded, see `Signal`; media are brought to this rate and frame.
        name, modality, use: see `Facts`.
    """

    def __init__(
        self,
        columns: Columns = 1,
        *,
        ranges: Sequence[Ends | None] = (),
        shared: bool = False,
        units: Sequence[str] = (),
        rate_hz: RATE_HZ | None = None,
        frame: tuple[Measure, Measure] | None = None,
        name: NAME = "series",
        modality: NAME = "series",
        use: Use = "both",
    ):
        self.columns = columns if isinstance(columns, int) else len(columns)
        self.channels = () if isinstance(columns, int) else tuple(columns)
        self.ranges = tuple(one and (float(one[0]), float(one[1])) for one in ranges or (None,) * self.columns)
        self.units, self.rate_hz, self.shared = tuple(units), rate_hz, shared
        self.frame = None if frame is None else (float(frame[0]), float(frame[1]))
        self._named: dict[str, Any] = {"name": name, "modality": modality, "use": use}
        _check(name, self.columns, self.ranges, self.units)
        self._free = np.array([one is None for one in self.ranges])

    def _facts(self, **given: Any) -> Facts:
        """Facts with what follows from the columns; ``header`` adds to that of the scales."""
        scaled = min(int(self._free.sum()), 1) if self.shared else int(self._free.sum())
        size = None if self.frame is None else (round(self.frame[1]), round(self.frame[0]))
        wish = Wish(rate_hz=self.rate_hz, channels=self.columns, size=size)
        given["header"] = (*(scaling.header(scaled) if scaled else ()), *given.get("header", ()))
        return Facts(**self._named, wish=wish, **given)

    def _scales(self, values_TC: np.ndarray) -> np.ndarray:
        """Header codes of the ranges of columns."""
        if not self._free.any():
            return np.zeros(0, np.int64)
        free = values_TC[:, self._free]
        return scaling.encode(free.reshape(-1, 1) if self.shared else free, f"the {self.facts.modality}")

    def _ends(self, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest number of every column, (C,) each, of the header codes that `_scales` gives."""
        low_C, high_C = np.array([one or (0.0, 1.0) for one in self.ranges]).T
        if self._free.any():
            offset, scale = scaling.decode(scales)
            low_C[self._free], high_C[self._free] = offset - scale, offset + scale
        return low_C, high_C

    def _signal(self, values_TC: np.ndarray, labels: tuple[str, ...] = ()) -> Signal:
        signal = Signal(values_TC.astype(np.float32), self.rate_hz, self.channels, self.units, self.frame, labels)
        return modality(self.facts.modality).mend(signal)

    def _check_lasting(self, signal: Signal) -> None:
        """Nothing: `_check_length` says more, of rows."""

    def _check_length(self, signal: Signal, least: int, most: int) -> None:
        """InputError when a medium has fewer or more rows than the codec takes; it says how to cut."""
        rows, rate = len(signal.array), signal.rate_hz
        if least <= rows <= most:
            return
        told, limit = (f" ({rows / rate:g} s at {rate:g} Hz)", f" ({most / rate:g} s)") if rate else ("", "")
        cut = f"cut it into pieces of {most} rows, or take a codec with a lower rate or more frames"
        raise InputError(
            f"the {modality(self.facts.modality).called} has {rows} rows{told}, codec {self.facts.name!r} takes "
            f"{least} to {most}{limit}; {'give a longer one' if rows < least else cut}"
        )

    def _check_pushed(self, signal: Signal) -> None:
        if self.facts.header or (signal.rate_hz and signal.rate_hz != self.facts.wish.rate_hz):
            raise InputError(
                f"codec {self.facts.name!r} must see a medium to its end, for its range or rate; encode it whole"
            )

    def header_features(self, codebook: int) -> np.ndarray | None:
        return scaling.bumps(self.facts.header[codebook][1])

    def config(self) -> dict[str, Any]:
        ranges = [None if one is None else list(one) for one in self.ranges]
        rows = {"columns": list(self.channels) or self.columns, "ranges": ranges, "shared": self.shared}
        frame = None if self.frame is None else list(self.frame)
        return rows | {"units": list(self.units), "rate_hz": self.rate_hz, "frame": frame} | self._named

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> RowsCodec:
        return cls(**checked_arguments(cls, config, "config"))


class Gathered:
    """Gathers codes until the header and whole frames are there."""

    def __init__(self, codec: RowsCodec):
        self.codes = np.zeros(0, np.int64)
        self.header_codes, self.books = codec.layout.header_codes, codec.facts.codebooks
        self.header: np.ndarray | None = None

    def frames(self, codes: np.ndarray) -> np.ndarray:
        """(frames, codebooks) that are whole now; none before the header is."""
        self.codes = np.concatenate([self.codes, codes])
        if self.header is None and len(self.codes) >= self.header_codes:
            self.header, self.codes = np.split(self.codes, [self.header_codes])
        whole = 0 if self.header is None else len(self.codes) // self.books * self.books
        found, self.codes = np.split(self.codes, [whole])
        return found.reshape(-1, self.books)


def learned(media: Iterable[Signal], names: Mapping[str, Any], codes: int | None) -> dict[str, Any]:
    """Arguments of a constructor that media tell: the first what the columns are, all of them labels and ``rows``.

    Args:
        names: what is given, which goes before what is found.
        codes: levels of a number, None for the family's own.

    Raises:
        InputError: there are no media.
    """
    first, labels, rows = None, set[str](), 0
    for signal in media:
        first = first or signal
        labels |= set(signal.labels)
        rows = max(rows, len(signal.array))
    if first is None:
        raise InputError("there is no medium to learn from; give some")
    told: dict[str, Any] = {"columns": first.channels or first.array.shape[1], "units": first.units}
    told |= {"rate_hz": first.rate_hz, "categories": sorted(labels), "rows": rows}
    if first.frame is not None:
        ends = {"x": (0.0, first.frame[0]), "y": (0.0, first.frame[1])}
        told |= {"frame": first.frame, "ranges": tuple(ends.get(name[:1]) for name in first.channels)}
    told |= {} if codes is None else {"bins": codes}
    told |= {"name": names["modality"]} if "modality" in names else {}
    return told | {name: value for name, value in names.items() if name not in UNUSED}


def _check(name: str, columns: int, ranges: Sequence[Ends | None], units: Sequence[str]) -> None:
    if columns < 1 or len(ranges) != columns or len(units) not in (0, columns):
        raise InputError(
            f"codec {name!r} has {columns} columns, {len(ranges)} ranges and {len(units)} units; give as many, or none"
        )
    empty = next((one for one in ranges if one is not None and not one[0] < one[1]), None)
    if empty is not None:
        raise InputError(f"codec {name!r} has the range {empty}; the first number must be less than the second")
