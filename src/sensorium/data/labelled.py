"""Batches of labelled media, sampled evenly: what codecs and judges are trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor

from sensorium.data.table import Pool, R, even_weights

Change = Callable[[Tensor, np.random.Generator], Tensor]


class Labelled(Generic[R]):
    """Media of a table and their labels, sampled per label: first a label, then a source, then a medium.

    Args:
        media: (N, ...) array, row = number of the medium; may be a memory map.
        rows: those to draw from.
        to_net: a batch of media as the network wants it.
        source: what of a row to sample evenly after its label.
        classes: what else tells a row's class, by name, beside its label, whose name is "name".
        tags: further words of a row, beside those of its label.
        evenness: 1 draws every label equally often; 0 by its number of sources.

    Attributes:
        classes: the different classes, in order, by name.
        words: words that several labels share, in labels and tags.
    """

    def __init__(
        self,
        media: np.ndarray,
        rows: Sequence[R],
        to_net: Callable[[Tensor], Tensor],
        source: Callable[[R], Hashable],
        classes: Mapping[str, Callable[[R], str]],
        tags: Callable[[R], Iterable[str]] = lambda row: (),
        evenness: float = 1.0,
    ):
        told = {"name": [row.label for row in rows]} | {name: [of(row) for row in rows] for name, of in classes.items()}
        found = {name: np.unique(values, return_inverse=True) for name, values in told.items()}
        self.classes = {name: values.tolist() for name, (values, _) in found.items()}
        self._numbers = {name: numbers for name, (_, numbers) in found.items()}
        self._media = np.ascontiguousarray(media[[row.medium for row in rows]])
        self.words, self._word_shares = word_shares(self.classes["name"], [(row.label, tags(row)) for row in rows])
        self._pool = Pool(rows, even_weights(rows, lambda row: row.label, source, evenness))
        self._to_net = to_net

    def __len__(self) -> int:
        return len(self._media)

    @property
    def counts(self) -> list[int]:
        """Of every kind of class, and of the words."""
        return [*map(len, self.classes.values()), len(self.words)]

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Any]:
        """A batch: ``x`` for the network, class numbers (B,) under their names, ``words`` shares (B, words)."""
        rows = self._pool.draw(rng, size)
        batch = {name: torch.from_numpy(numbers[rows]) for name, numbers in self._numbers.items()}
        batch["words"] = torch.from_numpy(self._word_shares[self._numbers["name"][rows]])
        return batch | {"x": self._to_net(torch.from_numpy(self._media[rows]))}

    def changed(self, change: Change) -> Callable[[np.random.Generator, int], dict[str, Any]]:
        """`sample` followed by a random change of the media."""

        def sample(rng: np.random.Generator, size: int) -> dict[str, Any]:
            batch = self.sample(rng, size)
            return batch | {"x": change(batch["x"], rng)}

        return sample


def word_shares(
    labels: Sequence[str], told: Iterable[tuple[str, Iterable[str]]], least: int = 4
) -> tuple[list[str], np.ndarray]:
    """Words that several labels share, and how each label divides among them, (labels, words).

    Args:
        told: labels with further texts.
        least: how many labels must share a word.
    """
    said: dict[str, set[str]] = {label: set(re.findall(r"\w{2,}", label.lower())) for label in labels}
    for label, texts in told:
        said[label].update(word for text in texts for word in re.findall(r"\w{2,}", text.lower()))
    counts = Counter(word for words in said.values() for word in words)
    words = sorted(word for word, count in counts.items() if count >= least)
    at = {word: i for i, word in enumerate(words)}
    share = np.zeros((len(labels), len(words)), np.float32)
    for i, label in enumerate(labels):
        share[i, [at[word] for word in said[label] if word in at]] = 1
    return words, share / np.maximum(share.sum(1, keepdims=True), 1)
