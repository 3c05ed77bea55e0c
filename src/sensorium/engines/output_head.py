"""The output head, computed only for the ids that may be sampled. Legend: B rows, H hidden, V candidates."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sensorium.model.head import final_logits
from sensorium.stream import Ranges


class OutputHead:
    """Rows of a causal LM's output head.

    Args:
        lm: a `transformers` causal LM. A head that is not a plain matrix (an adapter on it, quantised) is computed
            whole and cut afterwards.
    """

    def __init__(self, lm: Any):
        self._module = lm.get_output_embeddings()
        self._config = lm.config.get_text_config()
        self._ids: dict[Ranges, torch.Tensor] = {}

    def logits(self, hidden_BH: torch.Tensor, ranges: Ranges) -> torch.Tensor:
        """(B, V) final logits of the ids in ``ranges``, in that order, float32."""
        parts = self._sliced(hidden_BH, ranges) if type(self._module) is nn.Linear else self._cut(hidden_BH, ranges)
        raw_BV = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return final_logits(self._config, raw_BV).float()

    def full(self, hidden_BH: torch.Tensor) -> torch.Tensor:
        """(B, whole vocabulary) final logits, float32."""
        return final_logits(self._config, self._module(hidden_BH)).float()

    def _sliced(self, hidden_BH: torch.Tensor, ranges: Ranges) -> list[torch.Tensor]:
        weight, bias = self._module.weight, self._module.bias
        if bias is None:
            return [F.linear(hidden_BH, weight[start:stop]) for start, stop in ranges]
        return [F.linear(hidden_BH, weight[start:stop], bias[start:stop]) for start, stop in ranges]

    def _cut(self, hidden_BH: torch.Tensor, ranges: Ranges) -> list[torch.Tensor]:
        whole_BV = self._module(hidden_BH)
        return [whole_BV[:, start:stop] for start, stop in ranges]

    def ids(self, ranges: Ranges) -> torch.Tensor:
        """(V,) the ids that the columns of `logits` stand for."""
        if ranges not in self._ids:
            self._ids[ranges] = torch.cat([torch.arange(start, stop) for start, stop in ranges])
        return self._ids[ranges]
