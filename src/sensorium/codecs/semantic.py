"""The `semantic` family: pictures to a few codes of what they show, for models that read.

A small encoder turns a picture into a direction of unit length, trained elsewhere so that pictures of the same
thing point the same way (by names, tags or captions). Residual vector quantisation (SoundStream, arXiv 2107.03312)
spells that direction with one code per stage, coarse to fine, so that the first codes carry most of the meaning:
discrete semantic tokens, as in SEED (arXiv 2307.08041). Pixels cannot be had back; the codec only reads.

Legend: B pictures, S side in pixels, D width of the direction, K codes of a stage.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs.base import Codec, Facts
from sensorium.codecs.fsq import even_batches, pixels_to_net
from sensorium.codecs.fsq_net import Encoder, stages
from sensorium.modalities.image import to_square
from sensorium.types import InputError


@dataclass(frozen=True, kw_only=True)
class SemanticConfig:
    """Everything that shapes a semantic codec.

    Args:
        name, modality: of the codec; its arrays must be RGB pictures (H, W, 3) uint8.
        size_px: side of the square picture; other pictures are fitted into it on white.
        codes: codes of each stage, coarse to fine.
        patch_px: side of the squares whose pixels are folded into channels first.
        widths: channels at each grid size, from fine to coarse; each step halves the grid.
        blocks: residual blocks at each grid size.
        channels: channels of the last grid.
        hidden: width of the layer that looks at the whole grid.
        direction: D, width of the direction.
    """

    name: str = "image-read"
    modality: str = "image"
    size_px: int = 64
    codes: tuple[int, ...] = (256,) * 7
    patch_px: int = 4
    widths: tuple[int, ...] = (64, 128, 192)
    blocks: tuple[int, ...] = (1, 2, 2)
    channels: int = 96
    hidden: int = 320
    direction: int = 256

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SemanticConfig:
        known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**known)


class SemanticNet(nn.Module):
    """Pictures (B, 3, S, S) in -1..1 to directions (B, D) of unit length."""

    def __init__(self, config: SemanticConfig) -> None:
        super().__init__()
        grid = config.size_px // config.patch_px // 2 ** (len(config.widths) - 1)
        stages(config.size_px, config.patch_px, grid, config.widths)
        self.encoder = Encoder(config.patch_px, config.widths, config.blocks, config.channels)
        self.wide = nn.Linear(config.channels * grid**2, config.hidden)
        self.drop = nn.Dropout(0.1)
        self.deep = nn.Linear(config.hidden, config.direction)
        self.to(memory_format=torch.channels_last)

    def forward(self, x_B3SS: Tensor) -> Tensor:
        hidden = F.silu(self.wide(F.silu(self.encoder(x_B3SS)).flatten(1)))
        return F.normalize(self.deep(self.drop(hidden)), dim=1)


class SemanticCodec(Codec):
    """Pictures to codes of what they show.

    Args:
        config: shape of the codec.
        net: trained encoder, which is copied. Its large weights are rounded to half precision, in which they are
            stored: codes are then the same before and after saving.
        codebooks: (K, D) float32 vectors of each stage; a direction is about the sum of one vector of each.
    """

    family: ClassVar[str] = "semantic"

    def __init__(self, config: SemanticConfig, net: SemanticNet, codebooks: Sequence[np.ndarray]) -> None:
        self.settings = config
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        for weight in self.net.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())
        self.codebooks = [np.asarray(book).astype(np.float16).astype(np.float32) for book in codebooks]
        shapes = [book.shape for book in self.codebooks]
        if shapes != [(count, config.direction) for count in config.codes]:
            raise ValueError(f"codebooks of shapes {shapes} do not fit codes {config.codes} x {config.direction}")
        self.facts = Facts(
            name=config.name,
            modality=config.modality,
            codebook_sizes=config.codes,
            grid=(1,),
            max_frames=1,
            use="read",
        )

    @torch.inference_mode()
    def directions(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """(pictures, D) float32 directions, before quantisation."""
        pixels = [to_square(array, self.settings.size_px) for array in arrays]
        found = [self.net(pixels_to_net(batch)).numpy() for batch in even_batches(pixels)]
        return np.concatenate(found)[: len(arrays)] if found else np.zeros((0, self.settings.direction), np.float32)

    def encode(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Pictures (H, W, 3) uint8 of any size to codes, each (1, stages) int64.

        Raises:
            InputError: an array is not an RGB picture.
        """
        return [codes[None] for codes in quantise(self.directions(arrays), self.codebooks)]

    def decode(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Not possible: the codes say what a picture shows, not how it looks; InputError."""
        for one in codes:
            self.check_codes(one)
        raise InputError(f"codec {self.facts.name!r} only reads: its codes cannot be turned back into pictures")

    def features(self, codebook: int) -> np.ndarray:
        """The stage's vectors, (K, D) float32."""
        return self.codebooks[codebook]

    def config(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.settings).items()}

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights, the large ones in half precision, as they are stored and shipped."""
        state = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        found = {name: (one.half() if one.ndim > 1 else one).contiguous().numpy() for name, one in state.items()}
        return found | {f"codebook.{i}": book.astype(np.float16) for i, book in enumerate(self.codebooks)}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> SemanticCodec:
        settings = SemanticConfig.from_json(config)
        net = SemanticNet(settings)
        state = {name.removeprefix("net."): value for name, value in tensors.items() if name.startswith("net.")}
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
        return cls(settings, net, [tensors[f"codebook.{i}"] for i in range(len(settings.codes))])


def quantise(directions_BD: np.ndarray, codebooks: Sequence[np.ndarray]) -> np.ndarray:
    """Codes (B, stages) int64: at each stage the vector nearest to what the stages before left over."""
    rest, found = directions_BD.astype(np.float64), []
    for book in codebooks:
        vectors = book.astype(np.float64)
        nearest = (np.square(vectors).sum(1) - 2 * rest @ vectors.T).argmin(1)
        found.append(nearest)
        rest = rest - vectors[nearest]
    return np.stack(found, axis=1).astype(np.int64)


def dequantise(codes_BN: np.ndarray, codebooks: Sequence[np.ndarray]) -> np.ndarray:
    """(B, D) sums of the vectors that the codes name."""
    return sum(book[codes_BN[:, i]] for i, book in enumerate(codebooks))


def fit_codebooks(directions_ND: np.ndarray, codes: Sequence[int], seed: int = 0, rounds: int = 12) -> list[np.ndarray]:
    """Codebooks by k-means on directions and then on what each stage leaves over (Lloyd's rounds, seeded)."""
    generator = np.random.default_rng(seed)
    rest, books = directions_ND.astype(np.float32).copy(), []
    for count in codes:
        book = rest[generator.choice(len(rest), count, replace=False)].copy()
        for _ in range(rounds):
            nearest = _nearest(rest, book)
            sizes = np.bincount(nearest, minlength=count)
            sums = np.zeros_like(book)
            np.add.at(sums, nearest, rest)
            book = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], book)
            empty = np.flatnonzero(sizes == 0)
            book[empty] = rest[generator.choice(len(rest), len(empty))]
        book = book.astype(np.float16).astype(np.float32)
        rest = rest - book[_nearest(rest, book)]
        books.append(book)
    return books


def _nearest(points_ND: np.ndarray, book_KD: np.ndarray, size: int = 8192) -> np.ndarray:
    squares = np.square(book_KD).sum(1)
    parts = [points_ND[i : i + size] for i in range(0, len(points_ND), size)]
    return np.concatenate([(squares - 2 * part @ book_KD.T).argmin(1) for part in parts])
