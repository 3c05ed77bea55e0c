"""Losses: how well a batch is predicted, in total and per kind of token.

Legend: B rows, T tokens of a row, H hidden size, N positions with a target, K kinds of the vocabulary, V ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sensorium.types import InputError

LOGITS_AT_ONCE = 2**28  # 1 GiB in float32


class Batch(NamedTuple):
    """A packed batch on the training device.

    Args:
        where_N: positions with a target, as indices into the flattened (B * T) tokens; worked out on the host,
            so that no step waits for the device.
        targets_N: their targets.
    """

    ids_BT: Tensor
    position_ids_BT: Tensor
    where_N: Tensor
    targets_N: Tensor

    @classmethod
    def of(cls, packed: Any, rows: slice, device: torch.device) -> Batch:
        """The given rows of a `sensorium.data.PackedBatch`."""
        targets = packed.targets[rows].ravel()
        where = np.flatnonzero(targets >= 0)
        arrays = (packed.ids[rows], packed.position_ids[rows], where, targets[where])
        return cls(*(torch.from_numpy(np.ascontiguousarray(a)).to(device, non_blocking=True) for a in arrays))


class BatchLoss(NamedTuple):
    """What a loss function returns. The step minimises the sum of ``total`` over the sum of ``weight``, each over
    all processes.

    Args:
        total: () weighted sum over positions, in nats; has a gradient.
        weight: () sum of the weights.
        nats_K: (kinds,) unweighted sum of the loss per kind, for the log.
        tokens_K: (kinds,) number of targets per kind.
    """

    total: Tensor
    weight: Tensor
    nats_K: Tensor
    tokens_K: Tensor


Loss = Callable[[Any, Batch], BatchLoss]


class NextTokenLoss:
    """Cross-entropy of the next token over the whole vocabulary.

    Only positions with a target meet the output head. Where their logits would fill more than
    ``logits_at_once`` numbers they are made chunk by chunk, and made again in the backward pass.

    Args:
        weights: weight of a kind's tokens, by the kind's name; 1 for kinds not named.
        logits_at_once: most logits held in memory.
    """

    def __init__(self, weights: Mapping[str, float] | None = None, logits_at_once: int = LOGITS_AT_ONCE):
        self.weights = dict(weights or {})
        self.logits_at_once = logits_at_once
        self._tables: dict[Any, tuple[Tensor, Tensor]] = {}

    def __call__(self, grown: Any, batch: Batch) -> BatchLoss:
        hidden_BTH = grown.hidden(batch.ids_BT, batch.position_ids_BT)
        hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, batch.where_N)
        loss_N = self._token_loss(grown, hidden_NH, batch.targets_N)
        kind_V, weight_K = self._table(grown.vocabulary, loss_N.device)
        kind_N = kind_V[batch.targets_N]
        weight_N = weight_K[kind_N]
        zeros_K = torch.zeros_like(weight_K)
        return BatchLoss(
            total=(loss_N * weight_N).sum(),
            weight=weight_N.sum(),
            nats_K=zeros_K.index_add(0, kind_N, loss_N.detach()),
            tokens_K=zeros_K.index_add(0, kind_N, torch.ones_like(weight_N)),
        )

    def _token_loss(self, grown: Any, hidden_NH: Tensor, targets_N: Tensor) -> Tensor:
        chunk = max(1, self.logits_at_once // grown.vocabulary.size)
        if len(targets_N) <= chunk:
            return grown.token_loss(hidden_NH, targets_N)
        pairs = zip(hidden_NH.split(chunk), targets_N.split(chunk), strict=True)
        return torch.cat([checkpoint(grown.token_loss, *pair, use_reentrant=False) for pair in pairs])

    def _table(self, vocabulary: Any, device: torch.device) -> tuple[Tensor, Tensor]:
        """(V,) kind of every id and (K,) weight of every kind."""
        key = (vocabulary, device)
        if key not in self._tables:
            unknown = sorted(self.weights.keys() - set(vocabulary.kinds))
            if unknown:
                known = ", ".join(vocabulary.kinds)
                raise InputError(f"the loss weighs {unknown[0]!r}, which this model does not have; it has {known}")
            kinds = torch.from_numpy(vocabulary.kind_of(np.arange(vocabulary.size)))
            weights = torch.tensor([self.weights.get(kind, 1.0) for kind in vocabulary.kinds])
            self._tables[key] = (kinds.to(device), weights.to(device))
        return self._tables[key]


default_loss = NextTokenLoss()
