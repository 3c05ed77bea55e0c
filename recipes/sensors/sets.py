"""The labelled sets and the series to forecast, and which part of them is for what.

The official halves are kept. A fifth of each class of a training half, chosen by a hash, is for validation: nothing is
ever chosen by looking at a test half. What the sets show, in words, stands in ``sets.toml``.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from recipes.sensors.sources import folder, read_column, read_ts

from sensorium.data.table import grouped

VALIDATION = 0.2
_TOLD: dict[str, list[dict[str, Any]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """One set with classes.

    Args:
        name: of its folder and files.
        question: asks for the class.
        classes: in words, in the order of their labels in the files.
        first: the label of the first class; None when the files hold the words themselves.
        rate_hz, channels, units: as in `Signal`, where they are known.
    """

    name: str
    question: str
    classes: tuple[str, ...]
    first: int | None = None
    wheel: str = "aeon"
    rate_hz: float | None = None
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def word(self, label: str) -> str:
        return label.lower() if self.first is None else self.classes[int(label) - self.first]


@dataclass(frozen=True, eq=False)
class Example:
    """A labelled series: ``values`` (time, channels) float32; ``answer`` is its class in words."""

    source: LabelledSet
    half: str
    index: int
    values: np.ndarray = field(repr=False)
    answer: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(f"{self.source.name}/{self.half}/{self.index}".encode()).digest()


@dataclass(frozen=True, kw_only=True)
class ForecastSeries:
    """A long series to forecast with a rolling origin.

    Args:
        title: what it is, in words.
        file, column: where it stands in the wheel.
        season: samples in a period, known or the first high of the autocorrelation.
        horizon, origins: samples to forecast, and how often, each time ``horizon`` later, the last to the end.
        every: the mean over so many samples is one sample.
    """

    name: str
    title: str
    file: str
    column: str
    season: int
    horizon: int
    origins: int
    every: int = 1
    wheel: str = "aeon"
    rate_hz: float | None = None

    @cached_property
    def values(self) -> np.ndarray:
        """(time,) float32."""
        values = read_column(folder(self.wheel) / self.file, self.column)
        whole = len(values) // self.every * self.every
        return values[:whole].reshape(-1, self.every).mean(1)

    def rolling(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(history, what came next) at every origin, the earliest first."""
        values, h = self.values, self.horizon
        starts = [len(values) - h * back for back in range(self.origins, 0, -1)]
        return [(values[:start], values[start : start + h]) for start in starts]

    @property
    def known(self) -> np.ndarray:
        """What may be trained on: all before the first origin."""
        return self.rolling()[0][0]


def _tuples(told: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}


SETS = tuple(LabelledSet(**_tuples(told)) for told in _TOLD["labelled"])
SERIES = tuple(ForecastSeries(**told) for told in _TOLD["forecast"])


@cache
def half(name: str, which: str) -> tuple[Example, ...]:
    """The official "train" or "test" half of a set, in the file's order."""
    source = next(one for one in SETS if one.name == name)
    rows = read_ts(folder(source.wheel) / name / f"{name}_{which.upper()}.ts")
    return tuple(Example(source, which, i, values, source.word(label)) for i, (values, label) in enumerate(rows))


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(train, validation) of a training half: of each class at least one series and about a fifth, by hash."""
    groups = grouped(sorted(examples, key=lambda one: one.digest), lambda one: one.answer).values()
    chosen = {one for group in groups for one in group[: max(1, round(VALIDATION * len(group)))]}
    return [one for one in examples if one not in chosen], [one for one in examples if one in chosen]
