"""A loss that keeps the words of the base: where nothing is learned, a model goes on as its base would.

An adapter that learns to tell of media also changes what is said after them. The base has no part in that: it is the
same model with its adapter off, reads the same codes by the same rows, and is as sure of English as ever. So it is the
teacher (learning without forgetting, Li and Hoiem 2016, arXiv:1606.09282; distillation, Hinton et al. 2015,
arXiv:1503.02531), of all words that follow a medium and are not learned: those of users, and answers that are only
read (`sensorium.types.Message`).

Legend: B rows, T tokens of a row, H hidden size, M positions whose words are kept, X ids of text, V ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sensorium.data.packing import Batch
from sensorium.training.losses import Among, BatchLoss, NextTokenLoss
from sensorium.types import InputError

MOST, SHARE = 128, 1 / 3
"""Positions of a batch, and share of the batches, which cost a third more."""


class KeptWordsLoss(NextTokenLoss):
    """Cross-entropy of the next token, and beside it the divergence from the base of words that are not learned.

    Args:
        keep: weight of such a word against a learned one.
        share: of the batches whose words are kept, taken by chance, 0 to 1.
        most: words of a batch; of more, so many are taken by chance.
        weights, among: see `NextTokenLoss`.
    """

    def __init__(
        self,
        weights: Mapping[str, float] | None = None,
        keep: float = 1.0,
        share: float = SHARE,
        most: int = MOST,
        among: Among = "all",
    ):
        super().__init__(weights, among=among)
        self.keep, self.share, self.most = keep, share, most

    def __call__(self, grown: Any, batch: Batch) -> BatchLoss:
        """As of `NextTokenLoss`; what is kept is not told by kind.

        Raises:
            InputError: the model has no adapter, so that no base is left in it, or changes its logits after the head.
        """
        hidden_BTH = grown.hidden(batch.ids_BT, batch.position_ids_BT)
        found = self.of_hidden(grown, batch, hidden_BTH)
        if float(torch.rand(())) >= self.share:
            return found
        where_M = said_after_media(batch, grown.vocabulary.text_size)
        if not len(where_M):
            return found
        where_M = where_M[torch.randperm(len(where_M), device=where_M.device)[: self.most]]
        divergence = self.keep * self._divergence(grown, batch, hidden_BTH, where_M)
        return found._replace(total=found.total + divergence, weight=found.weight + self.keep * len(where_M))

    def _divergence(self, grown: Any, batch: Batch, hidden_BTH: Tensor, where_M: Tensor) -> Tensor:
        """() sum of the divergences of the model from its base, in nats."""
        blocks = grown.output_rows()
        if not grown.has_adapter or blocks is None:
            raise InputError('words are kept by a model that learns with learn="adapter"; leave keep at 0')
        text_size = grown.vocabulary.text_size
        with torch.no_grad():
            base_BTH = grown.base_hidden(batch.ids_BT, batch.position_ids_BT)
            rows_XH = blocks[0][:text_size]
            base_MX = (base_BTH.flatten(0, 1)[where_M] @ rows_XH.to(base_BTH.dtype).T).float().log_softmax(-1)
        hidden_MH = hidden_BTH.flatten(0, 1).index_select(0, where_M)
        own_MV = torch.cat([hidden_MH @ block.to(hidden_MH.dtype).T for block in blocks], 1).float().log_softmax(-1)
        return (base_MX.exp() * (base_MX - own_MV[:, :text_size])).sum()


def loss_of(weights: Mapping[str, float], among: Among = "all", keep: float = 0.0) -> NextTokenLoss:
    """The loss that keeps words, or, where they have no weight, the plain one."""
    return KeptWordsLoss(weights, keep, among=among) if keep else NextTokenLoss(weights, among=among)


def said_after_media(batch: Batch, text_size: int) -> Tensor:
    """(M,) positions, as indices into the flattened tokens, whose next id is a word that is not learned, after a
    medium of the same document."""
    ids_BT, position_BT = batch.ids_BT, batch.position_ids_BT
    place_BT = torch.arange(ids_BT.shape[1], device=ids_BT.device).expand_as(ids_BT)
    last_code_BT = torch.where(ids_BT >= text_size, place_BT, -1).cummax(1).values
    wanted_BT = last_code_BT >= place_BT - position_BT
    goes_on_BT = position_BT[:, 1:] == position_BT[:, :-1] + 1
    wanted_BT[:, :-1] &= goes_on_BT & (ids_BT[:, 1:] < text_size)
    wanted_BT[:, -1] = False
    wanted = wanted_BT.flatten()
    wanted[batch.where_N] = False
    return wanted.nonzero()[:, 0]
