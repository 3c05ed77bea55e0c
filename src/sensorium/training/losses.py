"""Losses: how well a batch is predicted, in total and per kind of token.

Legend: B rows, T tokens of a row, H hidden size, N positions with a target, K kinds of the vocabulary, V ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sensorium.data.packing import Batch
from sensorium.training.cross_entropy import cross_entropy
from sensorium.types import InputError

Among = Literal["all", "kind"]
LOGITS_AT_ONCE = 2**28  # 1 GiB in float32


class BatchLoss(NamedTuple):
    """What a loss function returns. The step minimises the sum of ``total`` over the sum of ``weight``, each over
    all processes.

    Args:
        total: () weighted sum over positions, in nats; has a gradient.
        weight: () sum of the weights.
        nats_K: (kinds,) unweighted sum of the loss per kind, for the log.
        tokens_K: (kinds,) number of targets per kind.
        kinds: their names, where the model does not name them; always the same.
    """

    total: Tensor
    weight: Tensor
    nats_K: Tensor
    tokens_K: Tensor
    kinds: tuple[str, ...] = ()


Loss = Callable[[Any, Any], BatchLoss]


class NextTokenLoss:
    """Cross-entropy of the next token.

    Only positions with a target meet the output head. Where their logits would fill more than ``logits_at_once``
    numbers they are made chunk by chunk.

    Args:
        weights: weight of a kind's tokens, by the kind's name; 1 for kinds not named.
        logits_at_once: most logits held in memory.
        among: what the next token competes with. ``"all"``: every id, so that the model, once exported, is as sure of
            where a medium opens and ends without a grammar as with one. ``"kind"``: the ids that the grammar allows
            there; a text token (markers of media are such) meets text and the markers, a code the codes of its
            codebook. That saves the larger part of the head, but tells the model nothing about ids that the grammar
            rules out: an export that runs without the grammar (plain `transformers`, llama.cpp) may then write a code
            among words. Choose it for models that are used through Sensorium's engines.
    """

    def __init__(
        self,
        weights: Mapping[str, float] | None = None,
        logits_at_once: int = LOGITS_AT_ONCE,
        among: Among = "all",
    ):
        if among not in get_args(Among):
            raise InputError(f"among must be one of {', '.join(get_args(Among))}, not {among!r}")
        self.weights = dict(weights or {})
        self.logits_at_once, self.among = logits_at_once, among
        self._tables: dict[Any, Any] = {}

    def __call__(self, grown: Any, batch: Batch) -> BatchLoss:
        return self.of_hidden(grown, batch, grown.hidden(batch.ids_BT, batch.position_ids_BT))

    def of_hidden(self, grown: Any, batch: Batch, hidden_BTH: Tensor) -> BatchLoss:
        """The loss where the last hidden states are known."""
        hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, batch.where_N)
        kind_V, weight_K = self._table(grown.vocabulary, hidden_NH.device)
        kind_N = kind_V[batch.targets_N]
        weight_N = weight_K[kind_N]
        total, loss_N = self._losses(grown, hidden_NH, batch.targets_N, weight_N)
        zeros_K = torch.zeros_like(weight_K)
        return BatchLoss(
            total=total,
            weight=weight_N.sum(),
            nats_K=zeros_K.index_add(0, kind_N, loss_N.detach()),
            tokens_K=zeros_K.index_add(0, kind_N, torch.ones_like(weight_N)),
        )

    def _losses(self, grown: Any, hidden_NH: Tensor, targets_N: Tensor, weight_N: Tensor) -> tuple[Tensor, Tensor]:
        """() weighted sum with a gradient, and (N,) the loss of every token."""
        rows = getattr(grown, "output_rows", None)
        blocks = None if rows is None else rows()
        if blocks is None:  # a model that changes its logits after the head
            loss_N = self._token_loss(grown, hidden_NH, targets_N)
            return (loss_N * weight_N).sum(), loss_N
        if torch.is_autocast_enabled(hidden_NH.device.type):
            hidden_NH = hidden_NH.to(torch.get_autocast_dtype(hidden_NH.device.type))
        if self.among == "all":
            return cross_entropy(hidden_NH, blocks, targets_N, weight_N, self.logits_at_once)
        return self._among_kinds(grown.vocabulary, blocks, hidden_NH, targets_N, weight_N)

    def _among_kinds(
        self, vocabulary: Any, blocks: Sequence[Tensor], hidden_NH: Tensor, targets_N: Tensor, weight_N: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `_losses`, group by group of ids that compete."""
        groups, group_V, index_V = self._groups(vocabulary, targets_N.device)
        group_N, index_N = group_V[targets_N], index_V[targets_N]
        total, loss_N = hidden_NH.new_zeros((), dtype=torch.float32), torch.zeros_like(weight_N)
        for number, ranges in enumerate(groups):
            here = (group_N == number).nonzero()[:, 0]
            if len(here):
                rows = [_rows(blocks, start, stop) for start, stop in ranges]
                part = (hidden_NH[here], rows, index_N[here], weight_N[here])
                own, loss_n = cross_entropy(*part, self.logits_at_once)
                total, loss_N = total + own, loss_N.index_copy(0, here, loss_n)
        return total, loss_N

    def _groups(self, vocabulary: Any, device: torch.device) -> Any:
        """`competing`, and (V,) the group of every id and (V,) its place in the group."""
        key = ("groups", vocabulary, device)
        if key not in self._tables:
            groups = competing(vocabulary)
            group_V, index_V = torch.zeros(2, vocabulary.size, dtype=torch.int64)
            for number, ranges in enumerate(groups):
                ids = torch.cat([torch.arange(start, stop) for start, stop in ranges])
                group_V[ids], index_V[ids] = number, torch.arange(len(ids))
            self._tables[key] = (groups, group_V.to(device), index_V.to(device))
        return self._tables[key]

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


def competing(vocabulary: Any) -> list[list[tuple[int, int]]]:
    """Groups of ids, as ranges; what the grammar allows at a place lies in one group, and no id is in two.

    Text with the markers of media, and each codebook, the first of a frame together with the closing marker where a
    medium may be longer or shorter.
    """
    text, books = [(0, vocabulary.text_size)], []
    for layout in vocabulary.layouts:
        free = layout.min_codes < layout.max_codes
        text.append((layout.open_id, layout.open_id + (1 if free else 2)))
        for book in range(len(layout.sizes)):
            closing = [(layout.close_id, layout.close_id + 1)] if free and book == layout.header_codes else []
            books.append([*closing, layout.range(book)])
    return [text, *books]


def _rows(blocks: Sequence[Tensor], start: int, stop: int) -> Tensor:
    """Rows ``start`` to ``stop`` of the blocks one after the other; they lie in one block."""
    for block in blocks:
        if start < len(block):
            return block[start:stop]
        start, stop = start - len(block), stop - len(block)
    raise AssertionError("no such row")


default_loss = NextTokenLoss()
