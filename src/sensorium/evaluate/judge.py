"""Judges of what a model makes: classifiers trained apart from it, and plain neighbours."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sensorium.evaluate.results import Results
from sensorium.evaluate.values import Mean, top
from sensorium.files import atomic_file
from sensorium.types import InputError


class Judge(ABC):
    """Names for media.

    Attributes:
        labels: the names it knows.
    """

    labels: Sequence[str]

    @abstractmethod
    def log_probs(self, media: Sequence[np.ndarray]) -> np.ndarray:
        """(media, labels) log-probabilities."""

    def ranks(self, media: Sequence[np.ndarray], labels: Sequence[str]) -> list[int]:
        """How many names the judge holds likelier than the true one (0 = its first choice)."""
        scores = self.log_probs(media)
        true = [self.labels.index(label) for label in labels]
        return [int((row > row[index]).sum()) for row, index in zip(scores, true, strict=True)]

    def top(self, media: Sequence[np.ndarray], k: int = 5) -> list[list[str]]:
        """The ``k`` likeliest names of each, best first."""
        best = np.argsort(-self.log_probs(media), axis=1)[:, :k]
        return [[self.labels[index] for index in row] for row in best]


class Classifier(Judge):
    """A network that was trained to name media.

    Args:
        labels: the names, in the order of its logits.
        net: (B, ...) from ``prepare`` to logits (B, labels).
        prepare: a batch of media of one shape as the network wants it.
    """

    def __init__(self, labels: Sequence[str], net: nn.Module, prepare: Callable[[Tensor], Tensor]):
        self.labels, self.net, self.prepare = list(labels), net.eval(), prepare

    @torch.no_grad()
    def log_probs(self, media: Sequence[np.ndarray]) -> np.ndarray:
        batches = (np.stack(media[at : at + 256]) for at in range(0, len(media), 256))
        logits = [self.net(self.prepare(torch.from_numpy(batch))) for batch in batches]
        return torch.cat(logits).log_softmax(-1).numpy()

    def save(self, folder: Path) -> None:
        with atomic_file(folder / "judge.safetensors") as path:
            save_file({name: value.contiguous() for name, value in self.net.state_dict().items()}, path)
        with atomic_file(folder / "judge.json") as path:
            path.write_text(json.dumps({"labels": self.labels}, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(
        cls, folder: Path, net: Callable[[int], nn.Module], prepare: Callable[[Tensor], Tensor], make: str
    ) -> Classifier:
        """A judge that `save` wrote.

        Args:
            net: the network for a number of labels.
            make: the command that trains it, for the message.

        Raises:
            InputError: it has not been trained.
        """
        if not (folder / "judge.json").exists():
            raise InputError(f"no judge in {folder}; train it with `{make}`")
        labels = json.loads((folder / "judge.json").read_text(encoding="utf-8"))["labels"]
        made = net(len(labels))
        made.load_state_dict(load_file(folder / "judge.safetensors"))
        return cls(labels, made, prepare)


def judged(
    results: Results, measure: str, judge: Judge, shown: Mapping[str, Sequence[np.ndarray]], labels: Sequence[str]
) -> dict[str, list[int]]:
    """Whether a judge takes media for what they are to show, first of all names and among the first five.

    Args:
        shown: media by condition (what a model made, the real ones, another's), in the order of ``labels``.

    Returns:
        the rank of every label, by condition.
    """
    ranks = {condition: judge.ranks(media, labels) for condition, media in shown.items()}
    for condition, own in ranks.items():
        for k in (1, 5):
            results.add(f"{measure}, judged top-{k}", condition, top(own, k), labels)
    return ranks


def attempted(
    results: Results,
    judge: Judge,
    made: Sequence[Sequence[np.ndarray]],
    labels: Sequence[str],
    condition: str,
    distance: Callable[[Any, Any], float],
    unit: str,
) -> None:
    """Several attempts at each label: they must be good, and they must differ.

    Args:
        made: for each label its attempts, at least two.
        distance: of two attempts, in ``unit``.
    """
    each = [label for label, attempts in zip(labels, made, strict=True) for _ in attempts]
    judged(results, "attempt", judge, {condition: [one for attempts in made for one in attempts]}, each)
    results.add("attempts that differ, share", condition, Mean.of([distinctness(attempts) for attempts in made]))
    results.add("difference of two attempts", condition, Mean.of([spread(one, distance) for one in made], unit))


def nearest(asked: np.ndarray, known: np.ndarray, labels: Sequence[str], k: int = 5) -> list[list[str]]:
    """The ``k`` different labels of the known arrays nearest to each asked one (Euclidean), nearest first.

    Args:
        asked, known: (N, ...) and (M, ...) of one shape, any dtype.
        labels: (M,) of the known ones.
    """
    flat_ND = np.asarray(asked, np.float32).reshape(len(asked), -1)
    slices = (np.asarray(known[at : at + 1024], np.float32) for at in range(0, len(known), 1024))
    parts = (part.reshape(len(part), -1) for part in slices)
    # Less the squares of the asked ones, which do not change the order.
    distances_NM = np.concatenate([(part * part).sum(1) - 2 * flat_ND @ part.T for part in parts], axis=1)
    return [list(islice(dict.fromkeys(labels[i] for i in row), k)) for row in np.argsort(distances_NM, axis=1)]


def distinctness(attempts: Sequence[np.ndarray]) -> float:
    """How many different ones there are among attempts at one thing, as a share from 0 (all alike) to 1."""
    kinds = {(array.shape, array.tobytes()) for array in map(np.ascontiguousarray, attempts)}
    return (len(kinds) - 1) / max(1, len(attempts) - 1)


def spread(attempts: Iterable[Any], distance: Callable[[Any, Any], float]) -> float:
    """Mean distance between two attempts at one thing."""
    return float(np.mean([distance(one, other) for one, other in combinations(attempts, 2)]))
