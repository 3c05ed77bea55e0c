"""Series for the shared encoder, beside pictures: the training halves of the recipe sensors, each in a changed view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from recipes.rivals.lessons import Lessons
from recipes.sensors.sets import Example
from recipes.sensors.tasks import changed
from torch import Tensor

SAMPLES, CHANNELS = 512, 12


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


class SeriesBeside:
    """Lessons on pictures with as many series beside them, of every set equally many.

    Args:
        pictures: whose questions and answers these are.
        examples: series that may be trained on.

    Attributes:
        texts: what is told of series.
    """

    def __init__(self, pictures: Lessons, examples: Sequence[Example]):
        self.questions, self.answers = pictures.questions, pictures.answers
        self.texts = tuple(dict.fromkeys(map(told, examples)))
        self._pictures, self._examples = pictures, examples
        self._at = {text: number for number, text in enumerate(self.texts)}
        counts = Counter(one.source.name for one in examples)
        self._odds = np.array([1 / (len(counts) * counts[one.source.name]) for one in examples])

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """As of pictures, with ``series`` (B, 512, 12) and the number ``text`` (B,) of what is told of each."""
        chosen = [self._examples[number] for number in rng.choice(len(self._examples), size, p=self._odds)]
        series = torch.from_numpy(np.stack([fitted(changed(one.values, rng)) for one in chosen]))
        text = torch.tensor([self._at[told(one)] for one in chosen])
        return self._pictures.sample(rng, size) | {"series": series, "text": text}
