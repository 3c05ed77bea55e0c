"""Codecs that are trained to tell, cell by cell, what lies there: for reading, and with their own decoder for writing.

An `fsq` codec learns to restore pixels. Here a small network, which looks at a code and its neighbours, is trained
along to tell from the codes what facts say of each cell; so a code says what is asked, where one of pixels alone leaves
that to be found out by the language model. What teaches is thrown away, the codec is a plain `fsq`.

Legend: B media, C channels of a code, G cells of the grid (over time, too, for clips).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn, where
from torch.nn import functional as F

from sensorium.families.fsq import FSQConfig, reconstruction
from sensorium.families.fsq_net import CONV

Values = Mapping[str, tuple[str, ...]]
"""What may be told, by aspect; of "name" nothing is a value, too."""
ABSENT = -1
"""Of a cell: nothing lies there, or nobody says of what is there."""
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
