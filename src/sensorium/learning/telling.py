"""How a `semantic` codec learns: from names, categories and words, through the quantised values.

Media of the same name must get codes that point the same way. The codec keeps none of these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.families.semantic import SemanticConfig, SemanticNet

SMOOTHING = 0.1


class Reader(nn.Module):
    """The encoder and, while it learns, tables of names, categories and words that media are compared with.

    Classes are compared by cosine, which suits thousands of rare classes.
    """

    def __init__(self, shape: SemanticConfig, classes: Sequence[int]) -> None:
        super().__init__()
        width = shape.codes * len(shape.levels)
        self.net = SemanticNet(shape)
        self.tables = nn.ParameterList(nn.Parameter(torch.randn(count, width) * 0.1) for count in classes)
        self.sharpness = nn.Parameter(torch.full((len(classes),), 2.5))
        self.tables.adam = True  # type: ignore[assignment]

    def told(self, values_BC: Tensor) -> list[Tensor]:
        """Logits (B, classes) of names, categories, words, from values on their levels (or before)."""
        point = F.normalize(values_BC, dim=1)
        return [self.sharpness[i].exp() * point @ F.normalize(table, dim=1).T for i, table in enumerate(self.tables)]


def losses(reader: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    """Cross-entropy of name, category and words."""
    name, group, words = reader.told(reader.net(batch["x"]))
    return {
        "name": F.cross_entropy(name, batch["name"], label_smoothing=SMOOTHING),
        "group": 0.3 * F.cross_entropy(group, batch["group"]),
        "words": 0.5 * F.cross_entropy(words, batch["words"]),
    }


@torch.inference_mode()
def name_ranks(reader: Reader, values_NC: np.ndarray, names_N: Sequence[int], levels: bool = True) -> list[int]:
    """For each medium, how many names lie nearer to its values than the true one.

    Args:
        values_NC: before quantisation, see `SemanticCodec.values`.
        names_N: number of the true name of each.
        levels: quantise the values first.
    """
    values = torch.from_numpy(values_NC)[..., None, None]
    quantiser = reader.net.quantiser
    seen = quantiser(values) if levels else 2 * quantiser.bound(values) - 1
    scores = reader.eval().told(seen.flatten(1))[0]
    true = scores.gather(1, torch.tensor(names_N)[:, None])
    return (scores > true).sum(1).tolist()
