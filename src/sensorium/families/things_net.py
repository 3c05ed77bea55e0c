"""The network of the `things` codec: maps of where the middles of things are, of what is there, and of their boxes.

Things are found as points, in the way of CenterNet (Zhou et al. 2019, arXiv:1904.07850). What is told of a thing's
surface, its colour say, is told by patches of a few pixels alone, whose logits are averaged over its box (as those of
BagNets over a picture, Brendel and Bethge 2019, arXiv:1904.00760): such a patch does not show what the thing is, so
that what training never showed together is told as well.

Legend: B pictures, D channels, S sides of pictures, E extents, G cells along an axis, P patches along an axis, V values
of an aspect, T things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.families.fsq_net import Block, Down, Sizes, Up, fold, lay_out

PATCH_PX = 2
"""Step from patch to patch; each sees 10 px along an axis, and how these differ from their surroundings."""
AROUND_PX, FAINT = 7, 0.02
"""Side of surroundings, and the spread below which they count as even."""
RARE = -3.0
"""Logit of a middle before anything is learned: nearly all cells are none."""
Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Seen:
    """What is told of a batch, as logits.

    Args:
        middles_BEGG: whether a cell has the middle of a thing of an extent.
        aspects: (B, E, V, G, G) by aspect, of the thing there.
        sides_BE4GG: of its box, in px from the middle of the cell.
        patches: (B, V, P, P) by aspect of the surface.
        weight_BPP: how much a patch counts, as a logarithm.
    """

    middles_BEGG: Tensor
    aspects: dict[str, Tensor]
    sides_BE4GG: Tensor
    patches: dict[str, Tensor]
    weight_BPP: Tensor

    def surface(self, boxes_BT4: Tensor) -> dict[str, Tensor]:
        """(B, T, V) logits by aspect: means over the patches of each box, in px."""
        inside_BTPP = covered(boxes_BT4, self.weight_BPP.shape[-1], PATCH_PX)
        scores_BTPP = self.weight_BPP[:, None] + inside_BTPP.clamp(min=1e-9).log()
        share_BTX = scores_BTPP.flatten(2).softmax(2)
        return {name: share_BTX @ logits.flatten(2).mT for name, logits in self.patches.items()}


class ThingsNet(nn.Module):
    """Pictures (B, D, S, S) in about -1..1 to `Seen`.

    Args:
        values: by aspect.
        surface: names of the aspects that patches tell.
        cell_px: cells of the maps.
        widths: channels of cells, and of the grid of half as many.
        blocks: residual blocks there.
        patch_width: channels of patches.
    """

    def __init__(
        self,
        values: Values,
        surface: Sequence[str],
        *,
        extents: int,
        cell_px: int,
        widths: tuple[int, int],
        blocks: Sizes,
        patch_width: int,
    ) -> None:
        super().__init__()
        wide, deep = widths
        self.cell_px, self.extents = cell_px, extents
        self.whole = {name: len(known) for name, known in values.items() if name not in surface}
        self.parts = {name: len(known) for name, known in values.items() if name in surface}
        self.fine = nn.Sequential(nn.Conv2d(3 * cell_px**2, wide, 3, padding=1), *_blocks(wide, blocks[0]))
        self.coarse = nn.Sequential(Down(wide, deep, (2, 2)), *_blocks(deep, blocks[1]), Up(deep, wide, (2, 2)))
        outputs = extents * (1 + sum(self.whole.values()) + 4) + 1
        self.teller = nn.Sequential(
            Block(wide, 2), nn.SiLU(), nn.Conv2d(wide, wide, 3, padding=1), nn.SiLU(), nn.Conv2d(wide, outputs, 1)
        )
        self.patches = nn.Sequential(
            nn.Conv2d(2 * 3 * PATCH_PX**2, patch_width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(patch_width, patch_width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(patch_width, patch_width, 1),
            nn.SiLU(),
            nn.Conv2d(patch_width, max(sum(self.parts.values()), 1), 1),
        )
        for end in (self.fine[0], self.teller[-1], self.patches[0], self.patches[-1]):
            end.adam = True  # type: ignore[assignment]
        with torch.no_grad():
            self.teller[-1].bias[:extents] = RARE  # ty: ignore[invalid-assignment]
        lay_out(self, 2)

    def forward(self, x_BDSS: Tensor) -> Seen:
        fine = self.fine(fold(x_BDSS, (self.cell_px,) * 2).contiguous(memory_format=torch.channels_last))
        told = self.teller(fine + self.coarse(fine)).float()
        extents, sizes = self.extents, [self.extents * count for count in (1, *self.whole.values(), 4)]
        middles, *aspects, sides, weight = told.split([*sizes, 1], dim=1)
        both = fold(torch.cat([x_BDSS, contrast(x_BDSS)], 1), (PATCH_PX,) * 2)
        parts = self.patches(both.contiguous(memory_format=torch.channels_last)).float()
        return Seen(
            middles,
            {name: one.unflatten(1, (extents, -1)) for name, one in zip(self.whole, aspects, strict=True)},
            sides.unflatten(1, (extents, 4)) * self.cell_px,
            dict(zip(self.parts, parts.split(list(self.parts.values()), dim=1), strict=True)) if self.parts else {},
            F.interpolate(weight, parts.shape[2:], mode="nearest")[:, 0],
        )


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [Block(width, 2) for _ in range(count)]


def contrast(x_BDSS: Tensor) -> Tensor:
    """How pixels differ from the mean of their surroundings, over the spread there: two tones, however near, look like
    any other two (local contrast normalisation, Jarrett et al. 2009)."""
    off = x_BDSS - _around(x_BDSS)
    return off / (_around(off.square()).mean(1, keepdim=True).sqrt() + FAINT)


def _around(x_BDSS: Tensor) -> Tensor:
    return F.avg_pool2d(x_BDSS, AROUND_PX, 1, AROUND_PX // 2, count_include_pad=False)


def covered(boxes_BT4: Tensor, cells: int, cell_px: int) -> Tensor:
    """(B, T, G, G) shares of cells that boxes cover, rows first."""
    starts_G = torch.arange(cells, device=boxes_BT4.device) * cell_px
    x0, y0, x1, y1 = boxes_BT4[..., None].unbind(2)
    wide_BTG = (torch.minimum(x1, starts_G + cell_px) - torch.maximum(x0, starts_G)).clamp(min=0) / cell_px
    high_BTG = (torch.minimum(y1, starts_G + cell_px) - torch.maximum(y0, starts_G)).clamp(min=0) / cell_px
    return high_BTG[..., :, None] * wide_BTG[..., None, :]
