"""Where the rows of new tokens start: at words, or at what the model says before a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs import Layout
from sensorium.model.grow import Grown
from sensorium.model.rows import CodebookRows
from sensorium.stream.said import Said
from sensorium.types import InputError

SURE = 11.0
"""Nats by which codes outweigh words where a code comes; the less, the more a place that is only half told apart costs.
Measured on SmolLM2: 9.7 nats a code instead of 12.5 with none, for 0.06 nats a word."""
RIDGE = 0.01
START_LR = 4e-3


def start_at_words(
    grown: Grown, known: Said, codecs: Sequence[str], steps: int = 800, batch: int = 512, seed: int = 0
) -> float:
    """Start input rows so that a medium's codes together point to the words that are said of it, and to no others.

    A text stands where the mean of its tokens' embeddings does, every channel counted by its spread. The rows learn to
    tell, by the mean over a medium's codes, its text among all (the contrast of CLIP, Radford et al. 2021,
    arXiv:2103.00020, with the LLM's embeddings on the side of the text). No layer of the LLM runs, so a medium costs
    next to nothing. The rows end as far from the mean of the text rows as those are: this is where training starts.

    Args:
        known: media with their codes, and what is said of them. Rows of codes that no medium has follow from what they
            share with others, where the codec tells features, or stay in the middle.
        codecs: names of those whose rows start.
        steps, batch: of the contrast.

    Returns:
        The mean loss of the last tenth of the steps, in nats a medium; guessing evenly costs the logarithm of the
        number of texts.

    Raises:
        InputError: fewer than two texts are said of media of these codecs.
    """
    layouts = [layout for layout in grown.vocabulary.layouts if layout.name in codecs]
    opens = [layout.open_id for layout in layouts]
    media = [number for number, ids in enumerate(known.media) if ids[0] in opens]
    if len(set(known.text[media].tolist())) < 2:
        raise InputError(
            f"rows of {' and '.join(codecs)} can start at words only where at least two short texts are said of media "
            "that stand alone in a turn"
        )
    table_VH = grown.embedding.weight.detach().float().cpu()
    mean_H, spread_H = table_VH.mean(0), table_VH.std(0)
    words_TH = torch.stack([table_VH[list(text)].mean(0) for text in known.texts])
    words_TH = F.normalize((words_TH - mean_H) / spread_H, dim=1)
    random = torch.Generator().manual_seed(seed)
    rows = _Even(grown, layouts, random)
    places = [rows.places(known.media[number]) for number in media]
    own_N = torch.from_numpy(known.text[media])
    optimizer = torch.optim.Adam(rows.parameters(), lr=START_LR)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    losses = []
    for _ in range(steps):
        chosen = torch.randint(len(places), (batch,), generator=random)
        seen_BH = F.normalize(rows.mean_of([places[number] for number in chosen.tolist()]), dim=1)
        loss = F.cross_entropy(seen_BH @ words_TH.T * rows.sharpness.exp(), own_N[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
        losses.append(loss.item())
    rows.write(mean_H, spread_H, float((table_VH - mean_H).norm(dim=1).mean()))
    return float(np.mean(losses[-max(1, steps // 10) :]))


class _Even(nn.Module):
    """Input rows of some codecs, their markers left out, as distances from the middle in channels of even spread."""

    def __init__(self, grown: Grown, layouts: Sequence[Layout], random: torch.Generator):
        super().__init__()
        self.written: list[CodebookRows] = []
        self.free, self.shared, self.features = nn.ParameterList(), nn.ParameterList(), []
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())
        self._place = np.full(grown.vocabulary.size, -1)
        total, width = 0, grown.embedding.weight.shape[1]
        for layout in layouts:
            for book, part in enumerate(grown.embedding.rows.of(layout.name)[1:]):
                features: Any = part.features if part.shared is not None else torch.zeros(part.size, 0)
                self.written.append(part)
                self.features.append(features.cpu())
                self.free.append(torch.zeros(part.size, width))
                self.shared.append(0.05 * torch.randn(features.shape[1], width, generator=random))
                first = layout.range(book)[0]
                self._place[first : first + part.size] = total + np.arange(part.size)
                total += part.size

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Which rows a medium's ids are."""
        found = self._place[ids]
        return found[found >= 0]

    def forward(self) -> Tensor:
        """(rows, H)."""
        return torch.cat([a + f @ b for a, f, b in zip(self.free, self.features, self.shared, strict=True)])

    def mean_of(self, places: Sequence[np.ndarray]) -> Tensor:
        """(B, H) means over the rows of each medium."""
        starts = np.cumsum([0, *(len(one) for one in places[:-1])])
        return F.embedding_bag(torch.from_numpy(np.concatenate(places)), self(), torch.from_numpy(starts), mode="mean")

    @torch.no_grad()
    def write(self, mean_H: Tensor, spread_H: Tensor, norm: float) -> None:
        """Into the model, as far from the mean as ``norm`` on average."""
        rows_NH = self() * spread_H
        rows_NH = mean_H + rows_NH * (norm / rows_NH.norm(dim=1).mean().clamp(min=1e-9))
        for part, own_NH in zip(self.written, rows_NH.split([len(one) for one in self.free]), strict=True):
            part.start_at(own_NH.to(part.free.device))


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
    counts = torch.bincount(codes_N, minlength=part.size).float()
    features: Any = part.features
    if features is None or not ((features == 0) | (features == 1)).all():
        return torch.log_softmax(torch.log(counts + 1), 0)
    return torch.log_softmax(features @ torch.log(features.T @ counts + 1), 0)
