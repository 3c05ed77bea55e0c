"""Series for the shared encoder, beside pictures: the training halves of the recipe sensors, each in a changed view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from recipes.rivals.lessons import numbered
from recipes.sensors.sets import Example
from recipes.sensors.tasks import changed
from torch import Tensor

from sensorium.modalities import modality

SAMPLES, CHANNELS, WINDOW = 512, 12, 16


class SeriesBeside:
    """Series of every set equally often; see `recipes.rivals.lessons.Beside`.

    Args:
        examples: series that may be trained on.
    """

    places, numbers = SAMPLES // WINDOW, WINDOW * CHANNELS

    def __init__(self, examples: Sequence[Example]):
        self.texts, self._told = numbered([told(one) for one in examples])
        self._examples = examples
        counts = Counter(one.source.name for one in examples)
        self._odds = np.array([1 / (len(counts) * counts[one.source.name]) for one in examples])

    def sample(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        chosen = rng.choice(len(self._examples), size, p=self._odds)
        fits = [windows(changed(self._examples[number].values, rng)) for number in chosen]
        return torch.stack(fits), self._told[chosen]

    def windows(self, data: Any) -> Tensor:
        return windows(modality("series").open(data).array)


def windows(values: np.ndarray) -> Tensor:
    """(32, 192): 16 samples of all channels each."""
    return torch.from_numpy(fitted(values)).unflatten(0, (-1, WINDOW)).flatten(1)


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


def told(example: Example) -> str:
    """What is said of a series: the question of its set, and the answer."""
    return f"{example.source.question} {example.answer}"
