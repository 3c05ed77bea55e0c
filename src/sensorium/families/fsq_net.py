"""The network of the `fsq` codec: encoder, finite scalar quantiser, decoder, over one, two or three axes.

Shape legend: B media, D channels of a medium, N its axes (time first, if it has one, then space), C channels of a
code, G axes of the code grid, K codes. A picture is (B, 3, S, S) and its code grid (B, C, G, G).

The compute sits where it is cheap on a CPU: cells fold into channels at once (space to depth), wide convolutions
run on small grids, and the last step unfolds channels into cells. There are no normalisation
layers in the branches: they cost as much time as the convolutions here, and branches that start at zero train without.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.checked import Range

Sizes = tuple[int, ...]
Side = Annotated[int, Range(1, 2**13)]
"""Cells, codes or numbers along an axis, or channels."""
Levels = Annotated[tuple[Annotated[int, Range(2, 2**16)], ...], Range(1, 64)]
Widths = Annotated[tuple[Side, ...], Range(1, 16)]
Blocks = Annotated[tuple[Annotated[int, Range(0, 64)], ...], Range(1, 16)]
Hop = Annotated[int, Range(0, 2**20)]
Space = Annotated[int, Range(0, 3)]
Steps = Annotated[int, Range(1, 2**24)]
CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORM: dict[int, Any] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
LAID_OUT = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}
"""Memory order in which convolutions over so many axes are fast."""


@dataclass(frozen=True, kw_only=True)
class Axes:
    """The axes that codes lie over, and how cells fold into channels.

    Args:
        space: number of axes of fixed size, all alike: 0 for series and sound, 2 for pictures and clips.
        patch_px: cells of an axis in space that fold into channels at once.
        hop: rows of the free first axis that a step of codes stands for; 0 when there is no such axis.

    Raises:
        ValueError: there are no axes, or more than three.
    """

    space: int = 2
    patch_px: int = 4
    hop: int = 0

    def __post_init__(self) -> None:
        if self.dims not in CONV:
            raise ValueError(f"codes lie over one to three axes, not {self.dims}: choose space and hop anew")

    @property
    def dims(self) -> int:
        return self.space + (self.hop > 0)

    def _halved(self, halvings: int) -> int:
        """How often time is halved; fewer times than space when the hop is short."""
        twos = (self.hop & -self.hop).bit_length() - 1
        return min(halvings, max(twos, 0))

    def folds(self, halvings: int) -> Sizes:
        """Cells of each axis that fold into channels at once."""
        time = (self.hop >> self._halved(halvings),) if self.hop else ()
        return time + (self.patch_px,) * self.space

    def strides(self, halvings: int) -> list[Sizes]:
        """By how much each axis shrinks at each of the halvings, from fine to coarse; time in the last ones."""
        without = halvings - self._halved(halvings)
        time = [((1 if stage < without else 2),) if self.hop else () for stage in range(halvings)]
        return [one + (2,) * self.space for one in time]


def fold(x_BCN: Tensor, by: Sizes) -> Tensor:
    """Space to depth: blocks of cells become channels."""
    if len(by) == 2 and by[0] == by[1]:
        return F.pixel_unshuffle(x_BCN, by[0])
    batch, channels, *sizes = x_BCN.shape
    blocks = [n for size, one in zip(sizes, by, strict=True) for n in (size // one, one)]
    split = x_BCN.reshape(batch, channels, *blocks)
    inner = [3 + 2 * axis for axis in range(len(by))]
    moved = split.permute(0, 1, *inner, *(place - 1 for place in inner))
    return moved.reshape(batch, channels * prod(by), *blocks[::2])


def unfold(x_BCN: Tensor, by: Sizes) -> Tensor:
    """The inverse of `fold`."""
    if len(by) == 2 and by[0] == by[1]:
        return F.pixel_shuffle(x_BCN, by[0])
    batch, wide, *sizes = x_BCN.shape
    split, dims = x_BCN.reshape(batch, wide // prod(by), *by, *sizes), len(by)
    order = [place for axis in range(dims) for place in (2 + dims + axis, 2 + axis)]
    return split.permute(0, 1, *order).reshape(batch, -1, *(size * one for size, one in zip(sizes, by, strict=True)))


class Quantiser(nn.Module):
    """Finite scalar quantisation (Mentzer et al., arXiv 2309.15505): each channel is rounded to one of L levels.

    The paper bounds with tanh and rounds, which gives outer levels half the room of inner ones; here a sigmoid is
    cut into L equal bins, so odd and even L work alike and all levels are used evenly when the input is about
    normal. The gradient passes the rounding unchanged. Written out rather than imported because a saved codec
    then needs torch only, and refining needs the values before rounding.

    Args:
        levels: of each channel.
        dims: axes of the code grid.
    """

    sizes: Tensor
    strides: Tensor

    def __init__(self, levels: Sizes, dims: int = 2) -> None:
        super().__init__()
        self.levels = tuple(levels)
        strides = [prod(self.levels[:i]) for i in range(len(self.levels))]
        shape = (-1,) + (1,) * dims
        self.register_buffer("sizes", torch.tensor(self.levels, dtype=torch.float32).view(shape), persistent=False)
        self.register_buffer("strides", torch.tensor(strides).view(shape), persistent=False)

    @property
    def codes(self) -> int:
        return prod(self.levels)

    def bound(self, z_BCG: Tensor) -> Tensor:
        """Values in (0, 1), about evenly spread for normal input."""
        return torch.sigmoid(1.6 * z_BCG)

    def digits(self, unit_BCG: Tensor) -> Tensor:
        """Level of each channel, 0 to L - 1, as floats."""
        return torch.minimum((unit_BCG * self.sizes).floor(), self.sizes - 1)

    def values(self, digits_BCG: Tensor) -> Tensor:
        """Levels as centres of their bins, in (-1, 1): what the decoder sees."""
        return (2 * digits_BCG + 1) / self.sizes - 1

    def forward(self, z_BCG: Tensor) -> Tensor:
        unit = self.bound(z_BCG)
        soft = 2 * unit - 1
        return soft + (self.values(self.digits(unit)) - soft).detach()

    def encode(self, z_BCG: Tensor) -> Tensor:
        """Codes (B, G), 0 to K - 1."""
        return (self.digits(self.bound(z_BCG)).long() * self.strides).sum(1)

    def decode(self, codes_BG: Tensor) -> Tensor:
        """Values (B, C, G) of codes (B, G)."""
        return self.values((codes_BG.unsqueeze(1) // self.strides % torch.as_tensor(self.sizes).long()).float())


class Block(nn.Module):
    """x + 1x1(act(3x3(act(x)))), the branch starting at zero."""

    def __init__(self, width: int, dims: int) -> None:
        super().__init__()
        self.spread = CONV[dims](width, width, 3, padding=1)
        self.mix = CONV[dims](width, width, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.silu(self.spread(F.silu(x))))


class Down(nn.Module):
    """Shrink the grid: fold blocks of cells into channels, then mix."""

    def __init__(self, wide: int, width: int, by: Sizes) -> None:
        super().__init__()
        self.mix = CONV[len(by)](wide, width, by, stride=by)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x)


class Up(nn.Module):
    """Grow the grid: mix, then unfold channels into blocks of cells."""

    def __init__(self, wide: int, width: int, by: Sizes) -> None:
        super().__init__()
        self.by = by
        self.mix = CONV[len(by)](wide, prod(by) * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return unfold(self.mix(x), self.by)


def lay_out(net: nn.Module, dims: int) -> None:
    """Put weights of convolutions over so many axes into the memory order in which they are fast."""
    for weight in net.parameters():
        if weight.ndim == dims + 2:
            weight.data = weight.data.contiguous(memory_format=LAID_OUT[dims])


def stages(size_px: int, patch_px: int, grid: int, widths: Sizes) -> None:
    """Check that `widths` names one width per halving from ``size_px / patch_px`` down to ``grid``."""
    if size_px // patch_px != grid * 2 ** (len(widths) - 1) or size_px % patch_px:
        raise ValueError(
            f"{len(widths)} widths halve a {size_px // patch_px} x {size_px // patch_px} grid {len(widths) - 1} times, "
            f"which does not end at {grid} x {grid}"
        )


def mark_ends(body: nn.Sequential) -> None:
    """First and last layers face cells or codes: Adam trains them, Muon the rest."""
    body[0].adam = body[-1].adam = True  # type: ignore[assignment]


class Encoder(nn.Module):
    """Media (B, D, N) in about -1..1 to (B, C, G) before quantisation. Widths go from fine to coarse."""

    def __init__(self, axes: Axes, inputs: int, widths: Sizes, blocks: Sizes, channels: int) -> None:
        super().__init__()
        dims, strides = axes.dims, axes.strides(len(widths) - 1)
        self.folds = axes.folds(len(widths) - 1)
        layers: list[nn.Module] = [CONV[dims](inputs * prod(self.folds), widths[0], 3, padding=1)]
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            layers += [Down(widths[i - 1], width, strides[i - 1])] if i else []
            layers += [Block(width, dims) for _ in range(count)]
        self.body = nn.Sequential(*layers, nn.SiLU(), CONV[dims](widths[-1], channels, 1))
        # Keeps every channel near mean 0 and variance 1, so that all levels stay in use from the first step on.
        self.even = NORM[dims](channels, affine=False, momentum=0.03)
        mark_ends(self.body)

    def forward(self, x_BDN: Tensor) -> Tensor:
        folded = fold(x_BDN, self.folds).contiguous(memory_format=LAID_OUT[len(self.folds)])
        return self.even(self.body(folded).float())


class Decoder(nn.Module):
    """Quantised values (B, C, G) to media (B, D, N), about -1..1. Widths go from fine to coarse."""

    def __init__(self, axes: Axes, outputs: int, widths: Sizes, blocks: Sizes, channels: int) -> None:
        super().__init__()
        dims, strides = axes.dims, axes.strides(len(widths) - 1)
        self.folds = axes.folds(len(widths) - 1)
        layers: list[nn.Module] = [CONV[dims](channels, widths[-1], 3, padding=1)]
        for i in reversed(range(len(widths))):
            layers += [Block(widths[i], dims) for _ in range(blocks[i])]
            layers += [Up(widths[i], widths[i - 1], strides[i - 1])] if i else []
        last = CONV[dims](widths[0], outputs * prod(self.folds), 3, padding=1)
        self.body = nn.Sequential(*layers, nn.SiLU(), last)
        mark_ends(self.body)

    def forward(self, q_BCG: Tensor) -> Tensor:
        q_BCG = q_BCG.contiguous(memory_format=LAID_OUT[len(self.folds)])
        return unfold(self.body(q_BCG).float(), self.folds)


class FsqNet(nn.Module):
    """Encoder, quantiser, decoder."""

    def __init__(
        self,
        axes: Axes,
        channels: int,
        *,
        levels: Sizes,
        encoder_widths: Sizes,
        encoder_blocks: Sizes,
        decoder_widths: Sizes,
        decoder_blocks: Sizes,
    ) -> None:
        super().__init__()
        self.quantiser = Quantiser(levels, axes.dims)
        self.encoder = Encoder(axes, channels, encoder_widths, encoder_blocks, len(levels))
        self.decoder = Decoder(axes, channels, decoder_widths, decoder_blocks, len(levels))
        lay_out(self, axes.dims)

    def forward(self, x_BDN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (B, D, N), quantised values (B, C, G), values before quantisation."""
        z_BCG = self.encoder(x_BDN)
        q_BCG = self.quantiser(z_BCG)
        return self.decoder(q_BCG), q_BCG, z_BCG
