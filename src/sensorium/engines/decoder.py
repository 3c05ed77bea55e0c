"""A causal LM without its head, fed piece by piece with a KV cache. Legend: B rows, T ids, H hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import DynamicCache

from sensorium.engines.turn import Ids
from sensorium.model.adapter import Adapter


class Decoder(Protocol):
    """A batch being written: it remembers what every row has read so far."""

    def read(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """Feed the same number of ids to every row; the hidden state after the last of them, (B, H)."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only."""
        ...


def left_padded(prompts: Sequence[Ids], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (B, T) with shorter prompts padded on the left by id 0, and the mask (B, T), True at real ids."""
    width = max(map(len, prompts))
    ids = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[False] * (width - len(prompt)) + [True] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


class PlainDecoder:
    """Any `transformers` causal LM, through its own forward.

    Args:
        lm: the model; its body is run, its head is not.
        prompts: one per row, none empty; `hidden` is the state after each.
        adapter: compute with the model's LoRA matrices, if it has any, or without.
    """

    def __init__(self, lm: Any, prompts: Sequence[Ids], adapter: bool = True):
        self._body, self._adapter, self._adapted = lm.base_model, Adapter(lm), adapter
        self._cache = DynamicCache(config=lm.config.get_text_config())
        ids_BT, mask_BT = left_padded(prompts, lm.device)
        self._mask_BT = None if bool(mask_BT.all()) else mask_BT
        self._next_B = mask_BT.sum(-1)
        position_BT = (mask_BT.cumsum(-1) - 1).clamp_(min=0)
        self.hidden = self._forward(ids_BT, position_BT)

    def read(self, ids_BT: torch.Tensor) -> torch.Tensor:
        new = ids_BT.shape[1]
        if self._mask_BT is not None:
            ones = torch.ones(ids_BT.shape, dtype=torch.bool, device=ids_BT.device)
            self._mask_BT = torch.cat([self._mask_BT, ones], dim=-1)
        position_BT = self._next_B[:, None] + torch.arange(new, device=ids_BT.device)
        self._next_B = self._next_B + new
        return self._forward(ids_BT, position_BT)

    def _forward(self, ids_BT: torch.Tensor, position_BT: torch.Tensor) -> torch.Tensor:
        with self._adapter.switched(self._adapted):
            out = self._body(
                input_ids=ids_BT,
                attention_mask=self._mask_BT,
                position_ids=position_BT,
                past_key_values=self._cache,
                use_cache=True,
            )
        return out.last_hidden_state[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        index = torch.tensor(rows, device=self._next_B.device)
        self._cache.batch_select_indices(index)
        self._next_B = self._next_B[index]
        if self._mask_BT is not None:
            self._mask_BT = self._mask_BT[index]
