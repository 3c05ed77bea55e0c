"""The `fsq` family: a small trained autoencoder whose codes are finite scalars (arXiv 2309.15505), for pictures.

Each picture becomes a fixed grid of codes in reading order. A code is a mixed-radix number: its digits are the
levels of the channels, so codes that share digits mean similar things, and `features` says so to the model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from sensorium.codecs import Codec, Facts, Use
from sensorium.families.fsq_net import FsqNet
from sensorium.families.refine import refined
from sensorium.modalities import Wish
from sensorium.types import Signal

BATCH = 8
"""Pictures that are computed together; one at a time where refining makes a batch long."""
Net = TypeVar("Net", bound=torch.nn.Module)


@dataclass(frozen=True, kw_only=True)
class FSQConfig:
    """Everything that shapes an FSQ codec.

    Args:
        name: of the codec among those of a model.
        modality: what it encodes; its arrays must be RGB pictures (H, W, 3) uint8.
        use: see `Facts`.
        size_px: side of the square picture; other pictures are fitted into it on white.
        grid: side of the code grid.
        levels: levels of each channel of a code; their product is the size of the codebook.
        patch_px: side of the squares whose pixels are folded into channels first.
        encoder_widths: channels at each grid size, from fine to coarse; each step halves the grid.
        encoder_blocks: residual blocks at each grid size.
        decoder_widths: as for the encoder, also from fine to coarse.
        decoder_blocks: as for the encoder.
        refine_steps: with how many steps codes are improved after the encoder's guess, see `refined`. 16 to 60 gain
            1 to 1.5 dB of PSNR; one costs more than the guess itself. 0 takes the guess.
    """

    name: str = "image"
    modality: str = "image"
    use: Use = "both"
    size_px: int = 64
    grid: int = 8
    levels: tuple[int, ...] = (8, 8, 8, 8)
    patch_px: int = 4
    encoder_widths: tuple[int, ...] = (64, 128)
    encoder_blocks: tuple[int, ...] = (1, 2)
    decoder_widths: tuple[int, ...] = (64, 128)
    decoder_blocks: tuple[int, ...] = (1, 3)
    refine_steps: int = 0

    def net(self) -> FsqNet:
        """A fresh network of this shape."""
        keep = asdict(self)
        for name in ("name", "modality", "use", "refine_steps"):
            del keep[name]
        return FsqNet(**keep)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FSQConfig:
        known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**known)


class FSQCodec(Codec):
    """Pictures to a grid of FSQ codes and back.

    Args:
        config: shape of the codec.
        net: trained network, which is copied; a fresh one when None. Its large weights are rounded to half
            precision, in which they are stored: codes are then the same before and after saving.
    """

    family: ClassVar[str] = "fsq"
    effort: ClassVar[frozenset[str]] = frozenset({"refine_steps"})

    def __init__(self, config: FSQConfig, net: FsqNet | None = None) -> None:
        self.settings = config
        self.net = rounded(config.net() if net is None else net)
        frames = config.grid**2
        self.facts = Facts(
            name=config.name,
            modality=config.modality,
            codebook_sizes=(prod(config.levels),),
            grid=(config.grid, config.grid),
            max_frames=frames,
            use=config.use,
            wish=Wish(size=(config.size_px, config.size_px)),
        )

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Pictures (H, W, 3) uint8 of any size to codes, each (grid * grid,) int64.

        Raises:
            InputError: an array is not an RGB picture.
        """
        pixels = [signal.array for signal in self.fitted(signals)]
        return [
            codes.reshape(-1)
            for batch in even_batches(pixels, 1 if self.settings.refine_steps else BATCH)
            for codes in self.net.quantiser.encode(self._values(pixels_to_net(batch))).numpy()
        ][: len(signals)]

    def _values(self, x_B3SS: Tensor) -> Tensor:
        """(B, C, G, G) before quantisation."""
        z_BCGG, steps = self.net.encoder(x_B3SS), self.settings.refine_steps
        return refined(self.net.quantiser, self.net.decoder, x_B3SS, z_BCGG, steps) if steps else z_BCGG

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes, each (grid * grid,), to pictures (size_px, size_px, 3) uint8."""
        side = self.settings.grid
        checked = [self.layout.check(one) for one in codes]
        return [
            Signal(picture)
            for batch in even_batches([one.reshape(side, side) for one in checked])
            for picture in net_to_pixels(self.net.decoder(self.net.quantiser.decode(batch))).numpy()
        ][: len(codes)]

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
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> FSQCodec:
        settings = FSQConfig.from_json(config)
        net = settings.net()
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
        return cls(settings, net)


def level_features(levels: Sequence[int]) -> np.ndarray:
    """One-hot level of every channel, (codes, sum of levels) float32; a code's first channel varies fastest."""
    codes, parts = np.arange(prod(levels)), []
    for count in levels:
        parts.append(np.eye(count, dtype=np.float32)[codes % count])
        codes = codes // count
    return np.concatenate(parts, axis=1)


def rounded(net: Net) -> Net:
    """A copy in eval mode whose large weights are what half precision keeps of them."""
    net = copy.deepcopy(net).eval().requires_grad_(False)
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.copy_(weight.half().float())
    return net


def even_batches(arrays: Sequence[np.ndarray], size: int = BATCH) -> Iterator[Tensor]:
    """Stacks of always ``size`` arrays, the last filled up with zeros.

    Libraries add in another order for another batch size; a value at the border of two levels would then change
    its code with the company it is in.
    """
    for start in range(0, len(arrays), size):
        batch = np.zeros((size, *arrays[0].shape), arrays[0].dtype)
        for place, array in enumerate(arrays[start : start + size]):
            batch[place] = array
        yield torch.from_numpy(batch)


def pixels_to_net(pixels_BSS3: Tensor) -> Tensor:
    """Bytes (B, S, S, 3) to floats (B, 3, S, S) in -1..1."""
    return pixels_BSS3.permute(0, 3, 1, 2).float() / 127.5 - 1


def net_to_pixels(x_B3SS: Tensor) -> Tensor:
    """Floats (B, 3, S, S), clipped to -1..1, to bytes (B, S, S, 3)."""
    return ((x_B3SS + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def reconstruction(x_B3SS: Tensor, y_B3SS: Tensor) -> Tensor:
    """Mean over pictures of the logarithm of the squared error, which is the mean PSNR up to a factor.

    Measured against the plain squared error it gains in both mean and pooled PSNR: easy pictures keep their say.
    The floor (36 dB) stops it from polishing pictures that are right already.
    """
    return 0.1 * ((x_B3SS - y_B3SS).square().mean((1, 2, 3)) + 1e-3).log().mean()
