"""Series beside pictures: the training halves of the recipe sensors, each in changed views.

The shared encoder takes their samples; the ways that see through frozen encoders take the scores and the course that
the reading codec of sensors has of them before it quantises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import torch
from recipes.rivals.lessons import Turn, WindowLessons, windowed
from recipes.sensors.series import Media
from recipes.sensors.sets import Example
from recipes.sensors.tasks import ask, changed
from torch import Tensor

from sensorium.modalities import modality

SAMPLES, CHANNELS, WINDOW = 512, 12, 16
FORMS = 12
"""In which a series is asked about."""


def turns(example: Example) -> list[Turn]:
    """The question of its set, then the same with its classes in any order, and the answer."""
    forms = [example.source.question, *(ask(example.source, Random(number)) for number in range(FORMS))]
    return [(form, example.answer) for form in forms]


def series_lessons(reading: Samples | Scores) -> WindowLessons:
    """Series of every set equally often."""
    counts = Counter(one.source.name for one in reading.examples)
    odds = np.array([1 / (len(counts) * counts[one.source.name]) for one in reading.examples])
    return WindowLessons(reading, list(map(turns, reading.examples)), odds)


class Samples:
    """Windows of samples; see `recipes.rivals.lessons.Reading`.

    Args:
        examples: series that may be trained on.
    """

    places, numbers, frozen = SAMPLES // WINDOW, WINDOW * CHANNELS, ()

    def __init__(self, examples: Sequence[Example]):
        self.examples = examples

    def view(self, number: int, rng: np.random.Generator) -> Tensor:
        return self._windows(changed(self.examples[number].values, rng))

    def read(self, data: Any) -> Tensor:
        return self._windows(modality("series").open(data).array)

    def _windows(self, values: np.ndarray) -> Tensor:
        return windowed(torch.from_numpy(fitted(values)), WINDOW, self.places)


def fitted(values: np.ndarray) -> np.ndarray:
    """(512, 12) float32 of a series (time, channels): stretched in time; channels less their mean, over their spread.

    Channels that are missing are zero and those beyond 12 are left out; how long a series was is not told.
    """
    there, wanted = np.linspace(0, 1, len(values)), np.linspace(0, 1, SAMPLES)
    found = np.zeros((SAMPLES, CHANNELS), np.float32)
    for number, channel in enumerate(values.T[:CHANNELS]):
        stretched = np.interp(wanted, there, channel)
        found[:, number] = (stretched - stretched.mean()) / max(float(stretched.std()), 1e-6)
    return found


class Scores:
    """What a fitted codec makes of a series, one window; see `recipes.rivals.lessons.Reading`.

    It was fitted to the same series, which it therefore tells too well: noise is added, as where its codes are learned.

    Args:
        known: examples with the codec and what it makes of their views.
    """

    places, frozen = 1, ()

    def __init__(self, known: Media):
        self.examples, self._views, self._codec = known.examples, known.views, known.reader
        self.numbers = self._views.values_VND.shape[2]

    def view(self, number: int, rng: np.random.Generator) -> Tensor:
        values_D = self._views.values_VND[rng.integers(len(self._views.values_VND)), number].astype(np.float32)
        noise = rng.choice(self._views.noise) * rng.standard_normal(self.numbers, np.float32)
        return torch.from_numpy((values_D + noise).astype(np.float32))[None]

    def read(self, data: Any) -> Tensor:
        signal = modality("series").fit(modality("series").open(data), self._codec.facts.wish)
        return torch.from_numpy(self._codec.values([signal]))
