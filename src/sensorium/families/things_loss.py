"""How the network of a `things` codec learns, from media of which boxes and values are known.

Around the middle of each thing a hill is to be told, as in CenterNet (Zhou et al. 2019, arXiv:1904.07850); what is told
of a thing and its box is learned in all cells of its hill, by their height (TTFNet, Liu et al. 2019, arXiv:1909.00700).

Legend: B media, T things, at most; E extents, G cells along an axis, V values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sensorium.families.things_net import Seen

UNKNOWN = -1
"""Of a value: nobody says, or there is no such thing."""
HILL = 1 / 6
"""Standard deviation of a hill, in sides of the box; half a cell at least."""
SIDES = 0.5
"""Weight of boxes in the loss, a px."""


def hills(boxes_BT4: Tensor, grid: int, cell_px: int) -> Tensor:
    """(B, T, G, G) hills of height 1 around the cells with the middles of boxes; none of boxes without area."""
    middle_BT2 = (boxes_BT4[..., :2] + boxes_BT4[..., 2:]) / 2
    size_BT2 = boxes_BT4[..., 2:] - boxes_BT4[..., :2]
    cells_G = torch.arange(grid, device=boxes_BT4.device)
    off_BT2G = cells_G - (middle_BT2 // cell_px).clamp(0, grid - 1)[..., None]
    spread_BT2 = (size_BT2 * HILL / cell_px).clamp(min=0.5)
    along_BT2G = (-(off_BT2G**2) / (2 * spread_BT2[..., None] ** 2)).exp()
    there_BT = (size_BT2.amin(2) > 0).float()
    return along_BT2G[:, :, 1, :, None] * along_BT2G[:, :, 0, None, :] * there_BT[..., None, None]


def losses(net: Any, batch: dict[str, Tensor], extents: Sequence[float]) -> dict[str, Tensor]:
    """Error of middles (focal loss), of boxes, and nats of every aspect.

    Args:
        batch: media as "x", boxes in px as "boxes" (B, T, 4), those without area being none, and numbers of values or
            `UNKNOWN` (B, T) by aspect.
        extents: as in `ThingsConfig`.
    """
    x, boxes_BT4 = batch["x"], batch["boxes"]
    seen: Seen = net(x)
    grid = seen.middles_BEGG.shape[-1]
    hills_BETGG = _by_extent(hills(boxes_BT4, grid, net.cell_px), boxes_BT4 / x.shape[-1], extents)
    height_BEGG, owner_BEGG = hills_BETGG.max(2)
    return {
        "middles": focal(seen.middles_BEGG, height_BEGG),
        "sides": SIDES * _off(seen.sides_BE4GG, boxes_BT4, owner_BEGG, height_BEGG, net.cell_px),
        **{name: _nats(told, batch[name], owner_BEGG, height_BEGG) for name, told in seen.aspects.items()},
        **{name: _known(told.mT, batch[name]) for name, told in seen.surface(boxes_BT4).items()},
    }


def _by_extent(hills_BTGG: Tensor, shares_BT4: Tensor, extents: Sequence[float]) -> Tensor:
    """(B, E, T, G, G) hills of each thing on the map that it belongs to."""
    larger_BT = (shares_BT4[..., 2:] - shares_BT4[..., :2]).amax(2)
    edges = torch.tensor(extents[:-1], device=larger_BT.device, dtype=larger_BT.dtype)
    at_BT = torch.bucketize(larger_BT, edges)
    on_BET = F.one_hot(at_BT, len(extents)).movedim(2, 1).float()
    return hills_BTGG[:, None] * on_BET[..., None, None]


def focal(logits: Tensor, height: Tensor) -> Tensor:
    """CenterNet's loss of hills, in nats a thing."""
    chance = logits.sigmoid()
    top = height >= 1
    right = (1 - chance) ** 2 * F.logsigmoid(logits)
    wrong = (1 - height) ** 4 * chance**2 * F.logsigmoid(-logits)
    return -torch.where(top, right, wrong).sum() / top.sum().clamp(min=1)


def _off(sides_BE4GG: Tensor, boxes_BT4: Tensor, owner_BEGG: Tensor, height_BEGG: Tensor, cell_px: int) -> Tensor:
    """Mean error of a side, in px."""
    middle_G = (torch.arange(owner_BEGG.shape[-1], device=owner_BEGG.device) + 0.5) * cell_px
    column, row = middle_G.expand(owner_BEGG.shape[-2:]), middle_G[:, None].expand(owner_BEGG.shape[-2:])
    at_4GG = torch.stack([column, row] * 2)
    which = torch.arange(len(boxes_BT4), device=owner_BEGG.device)[:, None, None, None]
    wanted_BE4GG = boxes_BT4[which, owner_BEGG].movedim(-1, 2) - at_4GG
    off_BEGG = (sides_BE4GG - wanted_BE4GG).abs().mean(2)
    return (off_BEGG * height_BEGG).sum() / height_BEGG.sum().clamp(min=1)


def _nats(told_BEVGG: Tensor, numbers_BT: Tensor, owner_BEGG: Tensor, height_BEGG: Tensor) -> Tensor:
    numbers_BEGG = numbers_BT.gather(1, owner_BEGG.flatten(1)).view_as(owner_BEGG)
    known_BEGG = height_BEGG * (numbers_BEGG != UNKNOWN)
    nats_BEGG = F.cross_entropy(told_BEVGG.movedim(2, 1), numbers_BEGG.clamp(min=0), reduction="none")
    return (nats_BEGG * known_BEGG).sum() / known_BEGG.sum().clamp(min=1)


def _known(told_BVT: Tensor, numbers_BT: Tensor) -> Tensor:
    """Nats of a thing; 0 where none is known."""
    nats_BT = F.cross_entropy(told_BVT, numbers_BT, ignore_index=UNKNOWN, reduction="none")
    return nats_BT.sum() / (numbers_BT != UNKNOWN).sum().clamp(min=1)
