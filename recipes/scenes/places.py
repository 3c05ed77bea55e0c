"""Codecs that are trained to tell, cell by cell, what lies there: for reading, and with their own decoder for writing.

An `fsq` codec learns to restore pixels. Here a small network, which looks at a code and its neighbours, is trained
along to tell from the codes what facts say of each cell; so a code says what is asked, where one of pixels alone leaves
that to be found out by the language model. What teaches is thrown away, the codec is a plain `fsq`.

Legend: B media, C channels of a code, G cells of the grid (over time, too, for clips), T things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, where
from torch.nn import functional as F

from sensorium.families.fsq import FSQConfig, reconstruction
from sensorium.families.fsq_net import CONV

Values = Mapping[str, tuple[str, ...]]
"""What may be told, by aspect; of "name" nothing is a value, too."""
ABSENT = -1
"""Of a cell: nothing lies there, or nobody says of what is there."""
COVERED = 0.25
"""Share of a cell that a thing's box must cover to be told there; the middle of a thing is told in any case."""
BOX = 4.0
"""Weight in the loss."""


class Places(nn.Module):
    """The codec's network and, while it learns, what tells from codes what lies in their cells.

    Args:
        values: what is told; boxes are told always.
        pixels: weight of the pixels in the loss.
    """

    def __init__(self, config: FSQConfig, values: Values, pixels: float, width: int = 128) -> None:
        super().__init__()
        self.net, self.values, self.pixels = config.net(), values, pixels
        conv = CONV[config.axes.dims]
        self.teller = nn.Sequential(
            conv(len(config.levels), width, 3, padding=1),
            nn.SiLU(),
            conv(width, width, 3, padding=1),
            nn.SiLU(),
            conv(width, sum(map(len, values.values())) + 1 + 4, 1),
        )
        self.teller[0].adam = self.teller[-1].adam = True  # type: ignore[assignment]

    def told(self, values_BCG: Tensor) -> dict[str, Tensor]:
        """Logits (B, values, G) by aspect, the name's with one more for nothing, and the box (B, 4, G)."""
        sizes = {name: len(known) + (name == "name") for name, known in self.values.items()} | {"box": 4}
        found = self.teller(values_BCG).float().split(list(sizes.values()), dim=1)
        return dict(zip(sizes, found, strict=True))


def losses(places: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nats of each aspect in the cells where it is known, and the errors of boxes and pixels.

    Args:
        batch: media as "x", numbers of values (B, G) by aspect, and "box" (B, 4, G).
    """
    restored, quantised, _ = places.net(batch["x"])
    told = places.told(quantised)
    nothing = where(batch["name"] == ABSENT, len(places.values["name"]), batch["name"])
    others = [name for name in places.values if name != "name"]
    terms = {name: F.cross_entropy(told[name], batch[name], ignore_index=ABSENT) for name in others}
    there = (batch["name"] != ABSENT)[:, None].float()
    off = ((told["box"] - batch["box"]).abs() * there).sum() / (4 * there.sum()).clamp(min=1)
    pixels = places.pixels * reconstruction(batch["x"], restored)
    return {"name": 2 * F.cross_entropy(told["name"], nothing)} | terms | {"box": BOX * off, "pixels": pixels}


def owners(boxes: np.ndarray, grid: int, cell_px: int) -> np.ndarray:
    """(G, G) numbers of the things in the cells, `ABSENT` where none is; of things one in the other the smaller.

    Args:
        boxes: (T, 4); those without area are not there.
    """
    starts = np.arange(grid) * cell_px
    owner = np.full((grid, grid), ABSENT)
    there = [number for number in range(len(boxes)) if _area(boxes[number]) > 0]
    for number in sorted(there, key=lambda n: -_area(boxes[n])):
        x0, y0, x1, y1 = boxes[number]
        wide = np.clip(np.minimum(x1, starts + cell_px) - np.maximum(x0, starts), 0, None)
        high = np.clip(np.minimum(y1, starts + cell_px) - np.maximum(y0, starts), 0, None)
        owner[high[:, None] * wide[None, :] >= COVERED * cell_px**2] = number
    for number in there:
        owner[middle(boxes[number], cell_px)] = number
    return owner


def middle(box: np.ndarray, cell_px: int) -> tuple[int, int]:
    """Row and column of the cell with the middle of a box."""
    x0, y0, x1, y1 = box
    return int((y0 + y1) / 2 // cell_px), int((x0 + x1) / 2 // cell_px)


def sides(boxes: np.ndarray, owner: np.ndarray, cell_px: int) -> np.ndarray:
    """(4, G, G) sides of the boxes of cells' things, in sides of the medium from the middle of the cell."""
    if not len(boxes):
        return np.zeros((4, *owner.shape), np.float32)
    middles = (np.arange(len(owner)) + 0.5) * cell_px
    at = np.stack(np.broadcast_arrays(middles[None, :], middles[:, None]) * 2)
    return ((boxes.T[:, np.maximum(owner, 0)] - at) / (len(owner) * cell_px)).astype(np.float32)


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def numbered(owner: np.ndarray, things: Sequence[Mapping[str, str]], values: Values) -> dict[str, np.ndarray]:
    """Numbers of values, shaped as ``owner``, by aspect: those of the cells' things, `ABSENT` where "" or nothing is.

    Args:
        things: what is said of each, by aspect.
    """
    found = {aspect: np.full(owner.shape, ABSENT, np.int64) for aspect in values}
    for number, said in enumerate(things):
        for aspect, value in said.items():
            if value:
                found[aspect][owner == number] = values[aspect].index(value)
    return found


def stacked(told: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Tensor]:
    """A batch of what is told of media, by aspect."""
    return {name: torch.from_numpy(np.stack([one[name] for one in told])) for name in told[0]}
