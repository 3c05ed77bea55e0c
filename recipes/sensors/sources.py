"""Where the series come from: the data folders inside the wheels of two libraries, and reading their files.

The sets bear no licence of their own: they are fetched by whoever runs the recipe and are never shipped. Nothing of the
libraries is run here.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from sensorium.data.fetch import Package, fetch
from sensorium.types import InputError

VERSIONS = {"aeon": "1.6.0", "sktime": "1.2.0"}


def folder(wheel: str) -> Path:
    """The data sets inside a wheel, downloaded when they are not there yet."""
    return fetch(Package(name=wheel, registry="pypi", version=VERSIONS[wheel])) / wheel / "datasets" / "data"


def read_ts(path: Path) -> list[tuple[np.ndarray, str]]:
    """The labelled series of a ``.ts`` file: ((time, channels) float32, label) in the file's order.

    Channels of one series are separated by colons, values by commas, the label stands last.

    Raises:
        InputError: a value is missing or is no number, or channels differ in length.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    rows = [line for line in lines if line and line[0] not in "#%@"]
    return [_example(row, f"{path.name}, series {number}") for number, row in enumerate(rows, 1)]


def _example(row: str, where: str) -> tuple[np.ndarray, str]:
    *channels, label = row.split(":")
    try:
        values = np.array([[float(value) for value in channel.split(",")] for channel in channels], np.float32).T
    except ValueError:
        raise InputError(f"{where}: every channel must hold equally many numbers; repair or drop the series") from None
    if not values.size or not np.isfinite(values).all():
        raise InputError(f"{where}: values are missing; fill them in or drop the series")
    return values, label.strip()


def read_column(path: Path, column: str) -> np.ndarray:
    """One column of a ``.csv`` file with a header line, (time,) float32.

    Raises:
        InputError: there is no such column, or it holds something that is not a number.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or column not in rows[0]:
        raise InputError(f"{path.name} has no column {column!r}; it has {', '.join(rows[0]) if rows else 'no rows'}")
    try:
        return np.array([float(row[column]) for row in rows], np.float32)
    except ValueError as error:
        raise InputError(f"{path.name}, column {column!r}: {error}; repair the file") from None
