"""Sensor series: arrays (time, channels) float32 with a rate in Hz, names of the channels and their units.

Opens comma-separated text, Parquet and NumPy files, dicts of columns and data frames (pandas, polars, Arrow); how a
table tells rate, names and units, `tables` says. Files are written in the same form.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw
from pyarrow import csv, parquet

from sensorium.modalities import tables
from sensorium.modalities.base import COLOURS, Modality, Wish
from sensorium.modalities.words import SERIES
from sensorium.types import InputError, Signal

PARQUET = b"PAR1"
"""How its files begin."""


class Series(Modality):
    """Numbers in time; see the module's text."""

    name = "series"
    extensions = (".csv", ".parquet", ".npy")
    media_types = ("text/csv", "application/vnd.apache.parquet", "application/x-npy")
    writes: ClassVar[Mapping[str, str]] = dict(zip(extensions, media_types, strict=True))
    viewer = "series.js"
    words = SERIES

    def read(self, data: bytes, where: str, wish: Wish = Wish()) -> Signal:
        try:
            if data[:6] == b"\x93NUMPY":
                return _checked(Signal(np.load(io.BytesIO(data), allow_pickle=False)), where)
            table = parquet.ParquetFile(io.BytesIO(data)).read() if data[:4] == PARQUET else tables.from_text(data)
        except (pa.ArrowException, EOFError, MemoryError, OSError, ValueError) as error:  # every reader's own kinds
            said = str(error).partition("\n")[0]
            raise InputError(f"{where} is no table of numbers ({said}); save it again as csv or parquet") from error
        return _checked(tables.to_signal(table, where), where)

    def is_risky(self, data: bytes) -> bool:
        """Parquet: a small file may unpack to more than any memory, in a reader of native code."""
        return data[:4] == PARQUET

    def check(self, signal: Signal) -> Signal:
        return _checked(signal, "the series")

    def adopt(self, thing: Any) -> Signal:
        """A dict of columns, or a data frame."""
        if not isinstance(thing, Mapping) and not hasattr(thing, "__arrow_c_stream__"):
            return super().adopt(thing)
        try:
            return _checked(tables.to_signal(pa.table(thing), "the series"), "the series")
        except (pa.ArrowException, TypeError) as error:
            raise InputError(f"the series is no table of columns of one length ({error}); mend it") from error

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        """Resampled to a wished rate where its own is known; as many channels as are wished it must have."""
        found = signal.array.shape[1]
        if wish.channels not in (None, found):
            named = f" ({', '.join(signal.channels)})" if signal.channels else ""
            raise InputError(f"the series has {found} channels{named}, {wish.channels} are needed; choose among them")
        return signal if wish.rate_hz is None else resampled(signal, wish.rate_hz)

    def write(self, signal: Signal, media_type: str) -> bytes:
        buffer = io.BytesIO()
        if media_type.endswith("npy"):
            np.save(buffer, signal.array)
        elif media_type.endswith("parquet"):
            parquet.write_table(tables.of_signal(signal), buffer)
        else:
            named = bool(signal.rate_hz or signal.channels or signal.units)
            csv.write_csv(tables.of_signal(signal), buffer, csv.WriteOptions(include_header=named))
        return buffer.getvalue()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """Every channel as a curve in a lane of its own, from its least to its greatest value."""
        picture = Image.new("RGB", (size_px, max(1, size_px // 2)), "white")
        lane_px = picture.height / signal.array.shape[1]
        rows = np.linspace(0, len(signal.array) - 1, 4 * size_px).round().astype(int)
        for channel, values in enumerate(signal.array[rows].T.astype(float)):
            unit = (values - values.min()) / max(float(np.ptp(values)), 1e-30)
            heights = (channel + 0.95 - 0.9 * unit) * lane_px
            line = list(zip((np.arange(4 * size_px) / 4).tolist(), heights.tolist(), strict=True))
            ImageDraw.Draw(picture).line(line, fill=COLOURS[channel % len(COLOURS)])
        return np.asarray(picture)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Over what both have of time and channels: error, error by the original's deviation, Pearson's r."""
        if original.rate_hz and other.rate_hz:
            original = resampled(original, other.rate_hz)
        rows, columns = np.minimum(original.array.shape, other.array.shape)
        a, b = (one.array[:rows, :columns].astype(float) for one in (original, other))
        rmse = float(np.sqrt(np.mean((a - b) ** 2)))
        deviations = a.std(0) * b.std(0)
        both = ((a - a.mean(0)) * (b - b.mean(0))).mean(0)
        r = np.divide(both, deviations, out=np.all(a == b, axis=0).astype(float), where=deviations > 0)
        return {"rmse": rmse, "nrmse": rmse / max(float(a.std()), 1e-30), "correlation": float(r.mean())}


def resampled(signal: Signal, rate_hz: float) -> Signal:
    """At another rate: means over the new steps when it is lower, which keeps out what it cannot show, else lines."""
    array, rate = signal.array, signal.rate_hz
    if rate is None or np.isclose(rate, rate_hz, rtol=1e-6):
        return signal
    count = round(len(array) * rate_hz / rate)
    if count < 2:
        raise InputError(f"the series of {len(array) / rate:g} s is too short for {rate_hz:g} Hz; give a longer piece")
    edges = np.arange(count + 1) * (rate / rate_hz)
    if rate_hz > rate:
        columns = [np.interp(edges[:-1], np.arange(len(array)), column) for column in array.T]
    else:
        totals = np.cumsum(np.vstack([np.zeros((1, array.shape[1])), array]), axis=0, dtype=np.float64)
        sums = [np.diff(np.interp(edges, np.arange(len(totals)), column)) for column in totals.T]
        columns = [column / np.diff(np.minimum(edges, len(array))) for column in sums]
    return replace(signal, array=np.stack(columns, 1).astype(np.float32), rate_hz=rate_hz)


def _checked(signal: Signal, where: str) -> Signal:
    array, names, rate = np.asarray(signal.array), signal.channels, signal.rate_hz
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind not in "fiub" or not array.size:
        raise InputError(f"{where} must be numbers with the shape (time, channels), not {array.dtype} {array.shape}")
    if len(array) == 1:
        raise InputError(f"{where} has one sample, and a series at least two; give a longer piece")
    for said, given in (("names", names), ("units", signal.units)):
        if len(given) not in (0, array.shape[1]):
            raise InputError(f"{where} has {array.shape[1]} channels but {len(given)} {said}; give one for each")
    if rate is not None and not 0 < rate < np.inf:
        raise InputError(f"{where} has a rate of {rate} Hz; give one above 0")
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        at = f"sample {row + 1} of channel {repr(names[column]) if names else column + 1}"
        raise InputError(f"{where} has {array[row, column]} for a number at {at}; fill or cut the gap")
    return Signal(values, None if rate is None else float(rate), tuple(names), tuple(signal.units))


series = Series()
