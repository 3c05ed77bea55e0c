"""Tables of columns in time as signals and back: a column of times tells the rate, brackets in the header the units.

A header reads ``time [s],ax [m/s2],ay [m/s2]``. Times may be numbers (seconds, or another unit in brackets) or moments
(``2026-01-31 12:00:00``), and lie evenly.
"""

from __future__ import annotations

import io
import re

import numpy as np
import pyarrow as pa
from pyarrow import compute, csv

from sensorium.types import InputError, Signal

TIMES = ("time", "t", "timestamp", "datetime", "seconds")
SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
UNEVEN = 0.05
"""How far a step between two times may be from the middle one, as a share of it."""


def from_text(data: bytes) -> pa.Table:
    """Text separated by commas, semicolons (then with decimal commas) or tabs, with or without a header."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = lines[0] if lines else ""
    mark = next((mark for mark in ";\t" if mark in first), ",")
    bare = all(_is_number(cell) for cell in first.split(mark))
    decimals = csv.ConvertOptions(decimal_point="," if mark == ";" and "," in "".join(lines[1:2]) else ".")
    reading = csv.ReadOptions(autogenerate_column_names=bare)
    parsing, content = csv.ParseOptions(delimiter=mark), io.BytesIO("\n".join([*lines, ""]).encode())
    table = csv.read_csv(content, reading, parsing, decimals)
    return table.rename_columns([""] * table.num_columns) if bare else table


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip(' "').replace(",", "."))
    except ValueError:
        return False
    return True


def to_signal(table: pa.Table, where: str) -> Signal:
    """Columns (time, channels) with their rate, names and units.

    Raises:
        InputError: text in a column of numbers, an empty cell, or times that are not even; it names row and column.
    """
    if not table.num_rows:
        raise InputError(f"{where} has no rows; give a table with numbers")
    rate, columns, names, units = None, [], [], []
    for at, (label, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        name, unit = _name_and_unit(label)
        if rate is None and (pa.types.is_temporal(column.type) or (name.lower() in TIMES and unit in SECONDS)):
            rate = _rate_hz(column, SECONDS.get(unit, 1.0), where)
            continue
        columns.append(_numbers(column, name or str(at + 1), where))
        names.append(name)
        units.append(unit)
    if not columns:
        raise InputError(f"{where} has no column of numbers; give one for each channel")
    return Signal(np.stack(columns, 1), rate, tuple(names) if any(names) else (), tuple(units) if any(units) else ())


def of_signal(signal: Signal) -> pa.Table:
    """The inverse of `to_signal`; channels without a name get their number."""
    count = signal.array.shape[1]
    names = signal.channels or [f"channel {at + 1}" for at in range(count)]
    units = signal.units or [""] * count
    labels = [f"{name} [{unit}]" if unit else name for name, unit in zip(names, units, strict=True)]
    columns = [pa.array(column) for column in np.ascontiguousarray(signal.array.T)]
    if signal.rate_hz is not None:
        times = np.arange(len(signal.array)) / signal.rate_hz  # not rounded: at high rates that moves the rate
        labels, columns = ["time [s]", *labels], [pa.array(times), *columns]
    return pa.Table.from_arrays(columns, names=labels)


def _name_and_unit(label: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.*?)\s*\[([^\]]*)\]", label.strip())
    return (found[1], found[2].strip()) if found else (label.strip(), "")


def _numbers(column: pa.ChunkedArray, name: str, where: str) -> np.ndarray:
    column = column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        wrong = next(row for row, cell in enumerate(column.to_pylist()) if cell and not _is_number(cell))
        raise InputError(
            f"{where} has {column[wrong].as_py()[:40]!r} in row {wrong + 1} of column {name!r}, where numbers are; "
            "mend it, or leave the column out"
        )
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise InputError(f"{where} has {kind} in column {name!r}, not numbers; leave the column out")
    if column.null_count:
        row = compute.index(column.is_null(), True).as_py()
        raise InputError(f"{where} has no number in row {row + 1} of column {name!r}; fill or cut the gap")
    return column.to_numpy().astype(np.float64)


def _nanoseconds(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    try:
        return column.cast(pa.timestamp("ns")).cast(pa.int64())
    except pa.ArrowException as error:
        raise InputError(f"{where} has times as {column.type}; give seconds, or moments with their date") from error


def _rate_hz(column: pa.ChunkedArray, seconds: float, where: str) -> float | None:
    if pa.types.is_temporal(column.type):
        column, seconds = _nanoseconds(column, where), 1e-9
    steps = np.diff(_numbers(column, "time", where))
    if not len(steps):
        return None
    middle = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - middle) > UNEVEN * abs(middle))
    if middle <= 0 or len(uneven):
        row = int(uneven[0]) + 2 if len(uneven) else 2
        raise InputError(
            f"{where} has no even rate: at row {row} the time steps by {steps[row - 2] * seconds:.6g} s, elsewhere by "
            f"{middle * seconds:.6g}; bring it to one rate, or leave the times out and give rate_hz"
        )
    return float(f"{1 / (float(steps.mean()) * seconds):.9g}")
