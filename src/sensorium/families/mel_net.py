"""The networks of the `mel` codec: log-mel spectra to finite scalars and back, and a head that gives them a phase.

Encoder and decoder are convolutions at the rate of the codes; the decoder and the head look back far and ahead little,
so that sound can be given out while codes still come. The head works at the rate of spectra as Vocos does (Siuzdak,
arXiv 2306.00814): ConvNeXt blocks, then size and phase of every frequency, then the inverse transform.

Legend: B sounds, M mel bands, N frames of spectra, C channels of the codes of a frame, G frames of codes, F
frequencies.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.families.fsq_net import Axes, Encoder, Quantiser, Sizes, unfold
from sensorium.families.spectra import Spectra

AHEAD = 2
"""Frames of spectra that the head looks ahead."""
KERNEL = 7


class Past(nn.Module):
    """A convolution over time that sees the past, and ``ahead`` frames of what comes."""

    def __init__(self, wide: int, width: int, kernel: int, ahead: int = 0, groups: int = 1) -> None:
        super().__init__()
        self.pad = (kernel - 1 - ahead, ahead)
        self.conv = nn.Conv1d(wide, width, kernel, groups=groups)

    def forward(self, x_BCN: Tensor) -> Tensor:
        return self.conv(F.pad(x_BCN, self.pad))


class PastBlock(nn.Module):
    """x + 1(act(3(act(x)))), the branch starting at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = Past(width, width, 3)
        self.mix = nn.Conv1d(width, width, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_BCN: Tensor) -> Tensor:
        return x_BCN + self.mix(F.silu(self.spread(F.silu(x_BCN))))


class Decoder(nn.Module):
    """Quantised values (B, C, G) to log-mel spectra (B, M, N): blocks at the pace of codes, then of spectra."""

    def __init__(self, channels: int, bands: int, pace: int, width: int, blocks: int, fine: int) -> None:
        super().__init__()
        self.pace = pace
        self.coarse = nn.Sequential(
            Past(channels, width, 3), *(PastBlock(width) for _ in range(blocks)), nn.Conv1d(width, fine * pace, 1)
        )
        self.fine = nn.Sequential(PastBlock(fine), PastBlock(fine), nn.SiLU(), nn.Conv1d(fine, bands, 1))
        self.coarse[0].adam = self.fine[-1].adam = True  # type: ignore[assignment]

    def forward(self, q_BCG: Tensor) -> Tensor:
        return self.fine(unfold(self.coarse(q_BCG), (self.pace,))).float()


class ConvNeXt(nn.Module):
    """x + wide(depthwise(x)) frame by frame (Liu et al., arXiv 2201.03545), the branch starting near zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = Past(width, width, KERNEL, groups=width)
        self.along.adam = True  # type: ignore[assignment]
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x_BCN: Tensor) -> Tensor:
        mixed_BNC = self.norm(self.along(x_BCN).mT)
        return x_BCN + self.narrow(F.gelu(self.wide(mixed_BNC))).mT


class Head(nn.Module):
    """Log-mel spectra (B, M, N) to spectra (B, F, N), complex."""

    def __init__(self, spectra: Spectra, width: int, blocks: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Past(spectra.bands, width, KERNEL, AHEAD), *(ConvNeXt(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2 * spectra.bins)
        self.body[0].adam = self.out.adam = True  # type: ignore[assignment]

    def forward(self, mel_BMN: Tensor) -> Tensor:
        size_BFN, phase_BFN = self.out(self.norm(self.body(mel_BMN).mT)).float().mT.chunk(2, dim=1)
        return torch.polar(size_BFN.clamp(max=8).exp(), phase_BFN)


class MelNet(nn.Module):
    """Encoder, quantiser, decoder, head.

    Args:
        levels: of every channel of the codes of a frame.
        pace: frames of spectra that a frame of codes stands for.
    """

    def __init__(
        self,
        spectra: Spectra,
        *,
        levels: Sizes,
        pace: int,
        width: int,
        blocks: Sizes,
        fine: int,
        head_width: int,
        head_blocks: int,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(Axes(space=0, hop=pace), spectra.bands, (width,), (blocks[0],), len(levels))
        self.quantiser = Quantiser(levels, 1)
        self.decoder = Decoder(len(levels), spectra.bands, pace, width, blocks[1], fine)
        self.head = Head(spectra, head_width, head_blocks)
        # How far back in frames of codes what is given out depends.
        back = (KERNEL - 1) * (head_blocks + 1) + 4 + spectra.window // spectra.hop
        self.past = 2 * (blocks[1] + 1) + -(-back // pace)
