"""Where the rows of new tokens start: at words, or at what the model says before a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensorium.model.grow import Grown
from sensorium.model.rows import CodebookRows

SURE = 11.0
"""Nats by which codes outweigh words where a code comes; the less, the more a place that is only half told apart costs.
Measured on SmolLM2: 9.7 nats a code instead of 12.5 with none, for 0.06 nats a word."""
RIDGE = 0.01


def start_at_words(grown: Grown, codec: str, codes_NK: np.ndarray, names: Sequence[str], ridge: float = 1.0) -> None:
    """Start a codec's input rows so that a medium's codes together point to the words of its name.

    Ridge regression maps the features of known media's codes to the mean embedding of the tokens of their names (a
    linear translation between two embedding spaces, as in Mikolov et al., arXiv 1309.4168); every code gets its share
    of that map, times the number of codes. This is only where training starts.

    Args:
        codec: name of the codec; its media have one frame, and its codebooks have features.
        codes_NK: codes of N media in K codebooks.
        names: what each of the media is called.
    """
    rows = grown.embedding.rows.of(codec)[1:]
    table = grown.embedding.weight.detach()
    mean = table.mean(0)
    codes = torch.from_numpy(np.asarray(codes_NK, np.int64))
    features: list[Any] = [part.features for part in rows]
    seen = torch.cat([one[codes[:, i]] for i, one in enumerate(features)], dim=1)
    told = {name: _name_embedding(grown, table, name) for name in set(names)}
    wanted = torch.stack([told[name] for name in names]) - mean
    solved = torch.linalg.solve(seen.T @ seen + ridge * torch.eye(seen.shape[1]), seen.T @ wanted)
    with torch.no_grad():
        for part, shared in zip(rows, solved.chunk(len(rows)), strict=True):
            part.shared.copy_(len(rows) * shared)
            part.free.copy_(mean.expand_as(part.free))


@torch.no_grad()
def start_at_places(grown: Grown, hidden_NH: Tensor, targets_N: Tensor, codecs: Sequence[str]) -> None:
    """Start the output rows of codecs so that a code is likely where a code comes, and as likely as it is often.

    Rows that start anywhere else have to learn that first, and for hundreds of steps a model knows less of a code than
    guessing among the codes would. For each codebook, ridge regression finds the direction of the hidden states from
    which its codes are predicted (the linear discriminant of these places and all others); a code's row is that
    direction, as long as it takes to outweigh the words there, and longer by the logarithm of the code's share. Shares
    are those of the codebook's features, whatever the features have in common counted together.

    Args:
        hidden_NH: (N, H) last hidden states of the model on some of the data.
        targets_N: (N,) the id that follows each.
        codecs: names of those that start, which are written; codebooks of which the data have nothing stay as they are.
    """
    hidden_NH, V = hidden_NH.float(), grown.vocabulary.text_size
    H = hidden_NH.shape[1]
    gram_HH = hidden_NH.T @ hidden_NH
    gram_HH += RIDGE * gram_HH.trace() / H * torch.eye(H, device=hidden_NH.device)
    for layout in grown.vocabulary.layouts:
        if layout.name not in codecs:
            continue
        for book, part in enumerate(grown.head.rows.of(layout.name)[1:]):
            first, last = layout.range(book)
            here_N = (targets_N >= first) & (targets_N < last)
            if not here_N.any():
                continue
            direction_H = torch.linalg.solve(gram_HH, hidden_NH.T @ here_N.float())
            words_N = torch.logsumexp(grown.logits(hidden_NH[here_N])[:, :V].float(), dim=1)
            shares = _log_shares(part, targets_N[here_N] - first)
            part.start_at((words_N.mean() + SURE + shares)[:, None] * direction_H)


def _log_shares(part: CodebookRows, codes_N: Tensor) -> Tensor:
    """(codes,) logarithm of how often each code comes, by its features where it has some that say what it has."""
    counts = torch.bincount(codes_N, minlength=len(part.free)).float()
    features: Any = part.features
    if features is None or not ((features == 0) | (features == 1)).all():
        return torch.log_softmax(torch.log(counts + 1), 0)
    return torch.log_softmax(features @ torch.log(features.T @ counts + 1), 0)


def _name_embedding(grown: Grown, table: Tensor, name: str) -> Tensor:
    return table[grown.tokenizer(name, add_special_tokens=False)["input_ids"]].mean(0)
