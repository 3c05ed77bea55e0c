"""Batches and losses of networks that are no language models: codecs, judges, readers.

Two functions tell what there is to learn: one draws a batch, one turns a batch into named terms of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sensorium.training.losses import BatchLoss

Sample = Callable[[np.random.Generator, int], Any]
"""(random numbers, examples) to a batch: a tensor, or a mapping of tensors, whose first axis counts examples."""
TermsOf = Callable[[Any, Any], Mapping[str, Tensor]]
"""(network, batch) to named means over the batch, whose sum is minimised."""


@dataclass(frozen=True)
class Examples:
    """A batch as the loop takes it.

    Args:
        content: what `Sample` gave.
        rows: examples in it.
    """

    content: Any
    rows: int

    @property
    def tokens(self) -> int:
        """What the log counts."""
        return self.rows

    def to(self, device: torch.device, rows: slice = slice(None)) -> Any:
        if isinstance(self.content, Mapping):
            return {name: _part(value, device, rows) for name, value in self.content.items()}
        return _part(self.content, device, rows)


def _part(value: Any, device: torch.device, rows: slice) -> Any:
    if not isinstance(value, Tensor):
        return value
    return (value if rows == slice(None) else value[rows]).to(device)


class Drawn:
    """Endless batches drawn at random; goes on exactly where it was.

    Args:
        sample: see `Sample`.
        batch: examples at a time.
    """

    def __init__(self, sample: Sample, batch: int, seed: int = 0):
        self.sample, self.batch = sample, batch
        self.rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Examples]:
        return self

    def __next__(self) -> Examples:
        return Examples(self.sample(self.rng, self.batch), self.batch)

    def state_dict(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]


class Terms:
    """A loss made of named terms, told apart in the log."""

    def __init__(self, terms_of: TermsOf):
        self.terms_of = terms_of

    def __call__(self, net: nn.Module, batch: Any) -> BatchLoss:
        terms = self.terms_of(net, batch)
        first = next(iter(batch.values())) if isinstance(batch, Mapping) else batch
        values_K = torch.stack([term.float() for term in terms.values()])
        count = values_K.new_tensor(float(len(first)))
        return BatchLoss(
            total=values_K.sum() * count,
            weight=count,
            nats_K=values_K.detach() * count,
            tokens_K=count.expand(len(values_K)),
            kinds=tuple(terms),
        )
