"""The network of the `fsq` codec: encoder, finite scalar quantiser, decoder, for pictures of a fixed size.

Shape legend: B pictures, 3 colours, S side in pixels, G side of the code grid, C channels of a code, K codes.

The compute sits where it is cheap on a CPU: pixels fold into channels at once (space to depth), wide 3x3
convolutions run on small grids, and the last step unfolds channels into pixels. There are no normalisation
layers in the branches: they cost as much time as the convolutions here, and branches that start at zero train without.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Quantiser(nn.Module):
    """Finite scalar quantisation (Mentzer et al., arXiv 2309.15505): each channel is rounded to one of L levels.

    The paper bounds with tanh and rounds, which gives outer levels half the room of inner ones; here a sigmoid is
    cut into L equal bins, so odd and even L work alike and all levels are used evenly when the input is about
    normal. The gradient passes the rounding unchanged. Written out rather than imported because a saved codec
    then needs torch only, and the entropy term below needs the values before rounding.
    """

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = tuple(levels)
        strides = [prod(self.levels[:i]) for i in range(len(self.levels))]
        self.register_buffer("sizes", torch.tensor(self.levels, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.register_buffer("strides", torch.tensor(strides).view(-1, 1, 1), persistent=False)

    @property
    def codes(self) -> int:
        return prod(self.levels)

    def bound(self, z_BCGG: Tensor) -> Tensor:
        """Values in (0, 1), about evenly spread for normal input."""
        return torch.sigmoid(1.6 * z_BCGG)

    def digits(self, unit_BCGG: Tensor) -> Tensor:
        """Level of each channel, 0 to L - 1, as floats."""
        return torch.minimum((unit_BCGG * self.sizes).floor(), self.sizes - 1)

    def values(self, digits_BCGG: Tensor) -> Tensor:
        """Levels as centres of their bins, in (-1, 1): what the decoder sees."""
        return (2 * digits_BCGG + 1) / self.sizes - 1

    def forward(self, z_BCGG: Tensor) -> Tensor:
        unit = self.bound(z_BCGG)
        soft = 2 * unit - 1
        return soft + (self.values(self.digits(unit)) - soft).detach()

    def encode(self, z_BCGG: Tensor) -> Tensor:
        """Codes (B, G, G), 0 to K - 1."""
        return (self.digits(self.bound(z_BCGG)).long() * self.strides).sum(1)

    def decode(self, codes_BGG: Tensor) -> Tensor:
        """Values (B, C, G, G) of codes (B, G, G)."""
        levels = torch.tensor(self.levels, device=codes_BGG.device).view(-1, 1, 1)
        return self.values((codes_BGG.unsqueeze(1) // self.strides % levels).float())


class Block(nn.Module):
    """x + 1x1(act(3x3(act(x)))), the branch starting at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.silu(self.spread(F.silu(x))))


class Down(nn.Module):
    """Halve the grid: fold 2x2 cells into channels, then mix."""

    def __init__(self, wide: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(wide, width, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x)


class Up(nn.Module):
    """Double the grid: mix, then unfold channels into 2x2 cells."""

    def __init__(self, wide: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(wide, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.mix(x), 2)


def stages(size_px: int, patch_px: int, grid: int, widths: tuple[int, ...]) -> None:
    """Check that `widths` names one width per halving from ``size_px / patch_px`` down to ``grid``."""
    if size_px // patch_px != grid * 2 ** (len(widths) - 1) or size_px % patch_px:
        raise ValueError(
            f"{len(widths)} widths halve a {size_px // patch_px} x {size_px // patch_px} grid {len(widths) - 1} times, "
            f"which does not end at {grid} x {grid}"
        )


def mark_ends(body: nn.Sequential) -> None:
    """First and last layers face pixels or codes: they are trained by Adam, see `make_optimisers`."""
    body[0].adam = body[-1].adam = True  # type: ignore[assignment]


class Encoder(nn.Module):
    """Pictures (B, 3, S, S) in -1..1 to (B, C, G, G) before quantisation. Widths go from fine to coarse."""

    def __init__(self, patch_px: int, widths: tuple[int, ...], blocks: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.patch_px = patch_px
        layers: list[nn.Module] = [nn.Conv2d(3 * patch_px**2, widths[0], 3, padding=1)]
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            layers += [Down(widths[i - 1], width)] if i else []
            layers += [Block(width) for _ in range(count)]
        self.body = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(widths[-1], channels, 1))
        # Keeps every channel near mean 0 and variance 1, so that all levels stay in use from the first step on.
        self.even = nn.BatchNorm2d(channels, affine=False, momentum=0.03)
        mark_ends(self.body)

    def forward(self, x_B3SS: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(x_B3SS, self.patch_px).contiguous(memory_format=torch.channels_last)
        return self.even(self.body(folded).float())


class Decoder(nn.Module):
    """Quantised values (B, C, G, G) to pictures (B, 3, S, S), about -1..1. Widths go from fine to coarse."""

    def __init__(self, patch_px: int, widths: tuple[int, ...], blocks: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.patch_px = patch_px
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[-1], 3, padding=1)]
        for i in reversed(range(len(widths))):
            layers += [Block(widths[i]) for _ in range(blocks[i])]
            layers += [Up(widths[i], widths[i - 1])] if i else []
        self.body = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(widths[0], 3 * patch_px**2, 3, padding=1))
        mark_ends(self.body)

    def forward(self, q_BCGG: Tensor) -> Tensor:
        q_BCGG = q_BCGG.contiguous(memory_format=torch.channels_last)
        return F.pixel_shuffle(self.body(q_BCGG).float(), self.patch_px)


class FsqNet(nn.Module):
    """Encoder, quantiser, decoder."""

    def __init__(
        self,
        *,
        size_px: int,
        patch_px: int,
        grid: int,
        levels: tuple[int, ...],
        encoder_widths: tuple[int, ...],
        encoder_blocks: tuple[int, ...],
        decoder_widths: tuple[int, ...],
        decoder_blocks: tuple[int, ...],
    ) -> None:
        super().__init__()
        stages(size_px, patch_px, grid, encoder_widths)
        stages(size_px, patch_px, grid, decoder_widths)
        self.quantiser = Quantiser(levels)
        self.encoder = Encoder(patch_px, encoder_widths, encoder_blocks, len(levels))
        self.decoder = Decoder(patch_px, decoder_widths, decoder_blocks, len(levels))
        self.to(memory_format=torch.channels_last)

    def forward(self, x_B3SS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (B, 3, S, S), quantised values (B, C, G, G), values before quantisation."""
        z_BCGG = self.encoder(x_B3SS)
        q_BCGG = self.quantiser(z_BCGG)
        return self.decoder(q_BCGG), q_BCGG, z_BCGG
