"""The `semantic` family: pictures to a few codes of what they show, for models that read.

A small encoder turns a picture into a short vector, trained elsewhere so that pictures of the same thing get similar
vectors (by names, tags or captions). Finite scalar quantisation (arXiv 2309.15505) cuts every channel into a few
levels; neighbouring channels make up a code. These are discrete semantic tokens as in SEED (arXiv 2307.08041).
Pixels cannot be had back; the codec only reads.

Legend: B pictures, S side in pixels, N codes of a picture, C channels of a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs import Codec, Facts
from sensorium.families.fsq import even_batches, level_features, pixels_to_net, rounded
from sensorium.families.fsq_net import Encoder, Quantiser, stages
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal


@dataclass(frozen=True, kw_only=True)
class SemanticConfig:
    """Everything that shapes a semantic codec.

    Args:
        name, modality: of the codec; its arrays must be RGB pictures (H, W, 3) uint8.
        size_px: side of the square picture; other pictures are fitted into it on white.
        codes: N, codes of a picture; each place has a codebook of its own.
        levels: levels of each channel of a code; their product is the size of a codebook.
        patch_px: side of the squares whose pixels are folded into channels first.
        widths: channels at each grid size, from fine to coarse; each step halves the grid.
        blocks: residual blocks at each grid size.
        channels: channels of the last grid.
        hidden: width of the layer that looks at the whole grid.
    """

    name: str = "image-read"
    modality: str = "image"
    size_px: int = 64
    codes: int = 8
    levels: tuple[int, ...] = (3, 3, 3, 3, 3)
    patch_px: int = 4
    widths: tuple[int, ...] = (64, 128, 192)
    blocks: tuple[int, ...] = (1, 2, 2)
    channels: int = 96
    hidden: int = 320

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SemanticConfig:
        known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**known)


class SemanticNet(nn.Module):
    """Pictures (B, 3, S, S) in -1..1 to values (B, N * C, 1, 1) in -1..1, on their levels."""

    def __init__(self, config: SemanticConfig) -> None:
        super().__init__()
        grid = config.size_px // config.patch_px // 2 ** (len(config.widths) - 1)
        stages(config.size_px, config.patch_px, grid, config.widths)
        channels = config.codes * len(config.levels)
        self.encoder = Encoder(config.patch_px, config.widths, config.blocks, config.channels)
        self.wide = nn.Linear(config.channels * grid**2, config.hidden)
        self.drop = nn.Dropout(0.1)
        self.deep = nn.Linear(config.hidden, channels)
        # Keeps every channel near mean 0 and variance 1, so that all levels are used.
        self.even = nn.BatchNorm1d(channels, affine=False, momentum=0.03)
        self.quantiser = Quantiser(config.levels * config.codes)
        self.to(memory_format=torch.channels_last)

    def values(self, x_B3SS: Tensor) -> Tensor:
        """(B, N * C) values before quantisation, about normal over pictures."""
        hidden = F.silu(self.wide(F.silu(self.encoder(x_B3SS)).flatten(1)))
        return self.even(self.deep(self.drop(hidden)))

    def forward(self, x_B3SS: Tensor) -> Tensor:
        """(B, N * C) values on their levels, in (-1, 1); the gradient passes the rounding unchanged."""
        return self.quantiser(self.values(x_B3SS)[..., None, None]).flatten(1)


class SemanticCodec(Codec):
    """Pictures to codes of what they show.

    Args:
        config: shape of the codec.
        net: trained encoder, which is copied; a fresh one when None. Its large weights are rounded to half precision,
            in which they are stored: codes are then the same before and after saving.
    """

    family: ClassVar[str] = "semantic"

    def __init__(self, config: SemanticConfig, net: SemanticNet | None = None) -> None:
        self.settings = config
        self.net = rounded(SemanticNet(config) if net is None else net)
        self.facts = Facts(
            name=config.name,
            modality=config.modality,
            codebook_sizes=(prod(config.levels),) * config.codes,
            grid=(1,),
            max_frames=1,
            use="read",
            wish=Wish(size=(config.size_px, config.size_px)),
        )

    @torch.inference_mode()
    def values(self, signals: Sequence[Signal]) -> np.ndarray:
        """(pictures, N * C) float32 values before quantisation: what a code would forget is still in them."""
        pixels = [signal.array for signal in self.fitted(signals)]
        found = [self.net.values(pixels_to_net(batch)).numpy() for batch in even_batches(pixels)]
        width = self.settings.codes * len(self.settings.levels)
        return np.concatenate(found)[: len(signals)] if found else np.zeros((0, width), np.float32)

    @torch.inference_mode()
    def quantise(self, values_BC: np.ndarray) -> np.ndarray:
        """Codes (pictures, N) int64 of values."""
        quantiser, levels = self.net.quantiser, self.settings.levels
        digits = quantiser.digits(quantiser.bound(torch.from_numpy(values_BC)[..., None, None]))
        digits_BNC = digits.long().numpy().reshape(-1, self.settings.codes, len(levels))
        return (digits_BNC * np.cumprod((1, *levels[:-1]))).sum(2)

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Pictures (H, W, 3) uint8 of any size to codes, each (N,) int64.

        Raises:
            InputError: an array is not an RGB picture.
        """
        return list(self.quantise(self.values(signals)))

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: the codes say what a picture shows, not how it looks; InputError."""
        for one in codes:
            self.layout.check(one)
        raise InputError(f"codec {self.facts.name!r} only reads: its codes cannot be turned back into pictures")

    def features(self, codebook: int) -> np.ndarray:
        """One-hot level of every channel, (codes, sum of levels) float32."""
        return level_features(self.settings.levels)

    def config(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.settings).items()}

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights, the large ones in half precision, as they are stored and shipped."""
        state = self.net.state_dict()
        return {name: (one.half() if one.ndim > 1 else one).contiguous().numpy() for name, one in state.items()}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> SemanticCodec:
        settings = SemanticConfig.from_json(config)
        net = SemanticNet(settings)
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
        return cls(settings, net)
