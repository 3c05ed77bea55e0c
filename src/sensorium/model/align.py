"""Rows of a reading codec that start out pointing to words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensorium.model.grow import Grown


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
    rows = codebooks(grown, codec)
    table = grown.embedding.weight.detach()
    mean = table.mean(0)
    codes = torch.from_numpy(np.asarray(codes_NK, np.int64))
    seen = torch.cat([part.features[codes[:, i]] for i, part in enumerate(rows)], dim=1)
    told = {name: _name_embedding(grown, table, name) for name in set(names)}
    wanted = torch.stack([told[name] for name in names]) - mean
    solved = torch.linalg.solve(seen.T @ seen + ridge * torch.eye(seen.shape[1]), seen.T @ wanted)
    with torch.no_grad():
        for part, shared in zip(rows, solved.chunk(len(rows)), strict=True):
            part.shared.copy_(len(rows) * shared)
            part.free.copy_(mean.expand_as(part.free))


def codebooks(grown: Grown, codec: str) -> list[Any]:
    """The input rows of each codebook of a codec."""
    parts = iter(grown.embedding.rows.parts)
    for layout in grown.vocabulary.layouts:
        next(parts)  # the markers
        found = [next(parts) for _ in layout.sizes]
        if layout.name == codec:
            return found
    raise KeyError(codec)


def _name_embedding(grown: Grown, table: Tensor, name: str) -> Tensor:
    return table[grown.tokenizer(name, add_special_tokens=False)["input_ids"]].mean(0)
