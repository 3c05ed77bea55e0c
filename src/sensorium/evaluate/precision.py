"""What rounding the weights does to a model, measured where it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sensorium.engines.onnx_engine import session
from sensorium.evaluate.values import Share
from sensorium.model.onnx_export import IDS, LOGITS, MASK, WHOLE, cached_onnx
from sensorium.stream import Rendered
from sensorium.types import InputError

MOST_KL_NATS = 0.05
MOST_LOST = 0.01


@dataclass(frozen=True)
class Drift:
    """How far a precision moves a model from its own float32.

    Args:
        kl_nats: mean Kullback-Leibler divergence of the next id's distribution from that in float32.
        agreement: positions with the same likeliest id, of all positions that were compared.
        accuracy: positions whose likeliest id is the one that the answer has, in float32.
        rounded_accuracy: the same in the precision.
    """

    kl_nats: float
    agreement: Share
    accuracy: Share
    rounded_accuracy: Share

    @property
    def lost(self) -> float:
        """How much of the accuracy the precision costs; negative where it gains."""
        return self.accuracy.value - self.rounded_accuracy.value


@torch.inference_mode()
def drift(lm: Any, precision: str, samples: Sequence[Rendered]) -> Drift:
    """Compare a model's ONNX graph with torch at every id of the answers in ``samples``.

    Raises:
        InputError: there is no answer in the samples, or see `cached_onnx`.
    """
    graph = session(cached_onnx(lm, precision) / WHOLE, torch.get_num_threads())
    divergences, likeliest = [], []
    for sample in samples:
        places = torch.from_numpy(np.flatnonzero(sample.mask[1:]))
        ids = sample.ids[None].astype(np.int64)
        exact = lm(torch.from_numpy(ids)).logits[0, places].float().log_softmax(-1)
        rounded = torch.from_numpy(_logits(graph, ids))[0, places].log_softmax(-1)
        divergences.append((exact.exp() * (exact - rounded)).sum(-1))
        likeliest.append(torch.stack([exact.argmax(-1), rounded.argmax(-1), torch.from_numpy(ids[0])[places + 1]]))
    if not sum(map(len, divergences)):
        raise InputError("no answer to compare a precision on; give conversations with an assistant's messages")
    exact_N, rounded_N, said_N = torch.cat(likeliest, dim=1)
    return Drift(
        kl_nats=float(torch.cat(divergences).mean()),
        agreement=_share(exact_N == rounded_N),
        accuracy=_share(exact_N == said_N),
        rounded_accuracy=_share(rounded_N == said_N),
    )


def _share(true_N: torch.Tensor) -> Share:
    return Share(int(true_N.sum()), len(true_N))


def check_precision(
    lm: Any,
    precision: str,
    samples: Sequence[Rendered],
    most_kl_nats: float = MOST_KL_NATS,
    most_lost: float = MOST_LOST,
) -> Drift:
    """See `drift`.

    Raises:
        InputError: the model drifts further than ``most_kl_nats``, or loses more than ``most_lost`` of its accuracy.
    """
    found = drift(lm, precision, samples)
    if found.lost > most_lost:
        raise InputError(
            f"{precision} makes this model worse: the likeliest token is the answer's at "
            f"{found.rounded_accuracy.value:.1%} of the places, in fp32 at {found.accuracy.value:.1%}, and "
            f"{most_lost:.1%} may be lost; use fp32"
        )
    if found.kl_nats > most_kl_nats:
        raise InputError(
            f"{precision} changes this model too much: a divergence of {found.kl_nats:.3g} nats per token, "
            f"{most_kl_nats:.3g} are allowed; use fp32"
        )
    return found


def _logits(graph: Any, ids_1T: np.ndarray) -> np.ndarray:
    feeds = {IDS: ids_1T, MASK: np.ones_like(ids_1T)}
    for one in graph.get_inputs():
        if one.name not in feeds:
            _, heads, _, size = one.shape
            feeds[one.name] = np.zeros((1, heads, 0, size), dtype=np.float32)
    return graph.run([LOGITS], feeds)[0]
