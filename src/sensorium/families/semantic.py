"""The `semantic` family: media to a few codes of what they show, for models that read.

A small encoder turns a medium into short vectors, trained so that media of the same thing get similar vectors (by
names, tags or captions). A picture is one frame; a medium in time is a frame every so often, pooled over the steps of
the encoder. Finite scalar quantisation (arXiv 2309.15505) cuts every channel into a few
levels; neighbouring channels make up a code. These are discrete semantic tokens as in SEED (arXiv 2307.08041).
The medium cannot be had back; the codec only reads.

Shape legend: B media, D channels of a medium, N its axes, F frames, M codes of a frame, C channels of a code, T steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.checked import NAME, RATE_HZ, Range
from sensorium.codecs import Facts, Learning, Media
from sensorium.families.fsq import SETTLED, fsq_levels, media_like, step_rows, taken
from sensorium.families.fsq_net import (
    Axes,
    Blocks,
    Encoder,
    Hop,
    Levels,
    Quantiser,
    Side,
    Space,
    Steps,
    Widths,
    lay_out,
    stages,
)
from sensorium.families.header import Header
from sensorium.families.net_codec import BATCH, NetCodec, even_batches, later, settle, to_net
from sensorium.families.pool import Pool
from sensorium.modalities import Wish, modality
from sensorium.types import InputError, Signal

MOVED = 0.2
"""Most shift of a picture that is trained on, where its side is 2."""
FRAMES = 4
"""Frames of a medium of any length that are trained on at once."""


@dataclass(frozen=True, kw_only=True)
class SemanticConfig:
    """Everything that shapes a semantic codec.

    Args:
        name, modality: of the codec.
        size_px: size of every axis in space; the modality fits other media to it.
        codes: M, codes of a frame; each place has a codebook of its own.
        levels: levels of each channel of a code; their product is the size of a codebook.
        patch_px: cells of an axis in space that are folded into channels first.
        widths: channels at each grid size, from fine to coarse; each step halves the grid.
        blocks: residual blocks at each grid size.
        channels: channels of the last grid.
        hidden: width of the layer that looks at the whole grid.
        space: number of axes in space: 2 for pictures and clips, 0 for series and sound.
        hop: rows of the free first axis that a step of the encoder stands for; 0 when media have no such axis.
        pool: steps that make a frame.
        most_frames: of the longest medium.
        inputs: channels of a medium's last axis.
        floats: whether media are numbers (see `Scaled`), and not bytes.
        rate_hz: rows a second, for media in time.
    """

    name: NAME = "image-read"
    modality: NAME = "image"
    size_px: Side = 64
    codes: Annotated[int, Range(1, 2**10)] = 8
    levels: Levels = (3, 3, 3, 3, 3)
    patch_px: Side = 4
    widths: Widths = (64, 128, 192)
    blocks: Blocks = (1, 2, 2)
    channels: Side = 96
    hidden: Side = 320
    space: Space = later(2)
    hop: Hop = later(0)
    pool: Steps = later(1)
    most_frames: Steps = later(1)
    inputs: Side = later(3)
    floats: bool = later(False)
    rate_hz: RATE_HZ | None = later(None)

    @property
    def axes(self) -> Axes:
        return Axes(space=self.space, patch_px=self.patch_px, hop=self.hop)

    @property
    def frame_rows(self) -> int:
        """Rows of a frame; 0 when the medium is one frame."""
        return self.hop * self.pool

    def net(self) -> SemanticNet:
        return SemanticNet(self)

    def facts(self) -> Facts:
        size = (self.size_px,) * self.space or None
        timed: dict[str, Any] = {"rate_hz": self.rate_hz, "channels": self.inputs} if self.hop or self.floats else {}
        return Facts(
            name=self.name,
            modality=self.modality,
            codebook_sizes=(prod(self.levels),) * self.codes,
            grid=(None,) if self.hop else (1,),
            max_frames=self.most_frames,
            frame_rate_hz=self.rate_hz / self.frame_rows if self.hop and self.rate_hz else None,
            hop=self.frame_rows or None,
            use="read",
            wish=Wish(size=size, **timed),
        )


class Scaled(nn.Module):
    """Numbers (B, D, N) as (B, 3 D, N): less their mean and over their spread, and both of these beside them.

    The shape of a series is then seen whatever its level, and its level too, measured against the media trained on.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.usual = nn.BatchNorm1d(2 * channels, affine=False, momentum=0.03)

    def forward(self, x_BDN: Tensor, there_BN: Tensor | None) -> Tensor:
        flat_BDN = x_BDN.flatten(2)
        weight_BN = flat_BDN.new_ones(len(x_BDN), x_BDN.shape[2]) if there_BN is None else there_BN.to(flat_BDN)
        weight_BN = weight_BN.repeat_interleave(flat_BDN.shape[2] // weight_BN.shape[1], dim=1)[:, None]
        weight_BN = weight_BN / weight_BN.sum(2, keepdim=True)
        mean_BD1 = (flat_BDN * weight_BN).sum(2, keepdim=True)
        spread_BD1 = ((flat_BDN - mean_BD1).square() * weight_BN).sum(2, keepdim=True).sqrt().clamp(min=1e-9)
        level_BD = self.usual(torch.cat([mean_BD1.asinh(), spread_BD1.log()], dim=1).flatten(1))
        level_BDN = level_BD.view(*level_BD.shape, *[1] * (x_BDN.ndim - 2)).expand(-1, -1, *x_BDN.shape[2:])
        return torch.cat([((flat_BDN - mean_BD1) / spread_BD1).view_as(x_BDN), level_BDN], dim=1)


class SemanticNet(nn.Module):
    """Media (B, D, N) to values (B * F, M * C) in -1..1, on their levels; a picture is one frame."""

    def __init__(self, config: SemanticConfig) -> None:
        super().__init__()
        grid = config.size_px // config.patch_px // 2 ** (len(config.widths) - 1) if config.space else 1
        if config.space:
            stages(config.size_px, config.patch_px, grid, config.widths)
        channels, axes = config.codes * len(config.levels), config.axes
        self.pool, self.hop = config.pool, config.hop
        self.scaled = Scaled(config.inputs) if config.floats else None
        self.encoder = Encoder(
            axes, config.inputs * (3 if config.floats else 1), config.widths, config.blocks, config.channels
        )
        self.wide = nn.Linear(config.channels * grid**config.space, config.hidden)
        self.drop = nn.Dropout(0.1)
        self.deep = nn.Linear(config.hidden, channels)
        # Keeps every channel near mean 0 and variance 1, so that all levels are used.
        self.even = nn.BatchNorm1d(channels, affine=False, momentum=0.03)
        self.quantiser = Quantiser(config.levels * config.codes)
        lay_out(self, axes.dims)

    def values(self, x_BDN: Tensor, there_BN: Tensor | None = None) -> Tensor:
        """(B * F, M * C) values before quantisation, about normal over media.

        Args:
            there_BN: (B, rows) which rows of a free first axis count; None for all.
        """
        seen = F.silu(self.encoder(x_BDN if self.scaled is None else self.scaled(x_BDN, there_BN)))
        seen = self._pooled(seen, there_BN) if self.hop else seen.flatten(1)
        return self.even(self.deep(self.drop(F.silu(self.wide(seen)))))

    def _pooled(self, seen_BCG: Tensor, there_BN: Tensor | None) -> Tensor:
        """(B * F, channels of a step): means over the steps of a frame, by how much of each is there."""
        steps_BTX = seen_BCG.transpose(1, 2).flatten(2)
        batch, steps, wide = steps_BTX.shape
        weight_BT = seen_BCG.new_ones(batch, steps)
        if there_BN is not None:
            weight_BT = there_BN.to(weight_BT).view(batch, steps, self.hop).mean(2)
        frames = (batch, steps // self.pool, self.pool)
        summed = (steps_BTX * weight_BT[..., None]).view(*frames, wide).sum(2)
        return (summed / weight_BT.view(frames).sum(2).clamp(min=1e-6)[..., None]).flatten(0, 1)

    def forward(self, x_BDN: Tensor, there_BN: Tensor | None = None) -> Tensor:
        """(B * F, M * C) values on their levels, in (-1, 1); the gradient passes the rounding unchanged."""
        return self.quantiser(self.values(x_BDN, there_BN)[..., None, None]).flatten(1)


class SemanticCodec(NetCodec):
    """Media to codes of what they show.

    Args:
        config: shape of the codec.
        net: trained encoder, which is copied; a fresh one when None.
    """

    family: ClassVar[str] = "semantic"
    suits: ClassVar[tuple[str, ...]] = ("image", "audio", "video", "series")
    uses: ClassVar[tuple[str, ...]] = ("read",)
    config_class = SemanticConfig

    def __init__(self, config: SemanticConfig, net: SemanticNet | None = None) -> None:
        super().__init__(config, net)
        self.facts = config.facts()

    @torch.inference_mode()
    def values(self, signals: Sequence[Signal]) -> np.ndarray:
        """(frames of all, M * C) float32 values before quantisation: what a code would forget is still in them."""
        shape, fitted = self.settings, self.fitted(signals)
        arrays = [taken(signal, shape, header(shape))[1] for signal in fitted]
        if shape.hop:
            found = [self._values(array, len(signal.array)) for array, signal in zip(arrays, fitted, strict=True)]
        else:
            batches = even_batches(arrays, BATCH)
            found = [self.net.values(to_net(batch.to(self.device))).cpu().numpy() for batch in batches]
        width = shape.codes * len(shape.levels)
        values = np.concatenate(found) if found else np.zeros((0, width), np.float32)
        return values if shape.hop else values[: len(signals)]

    def _values(self, array: np.ndarray, rows: int) -> np.ndarray:
        """(F, M * C) of one medium of whole frames, of which so many rows are its own."""
        there_BN = (torch.arange(len(array)) < rows)[None].to(self.device)
        return self.net.values(to_net(torch.from_numpy(array)[None].to(self.device)), there_BN).cpu().numpy()

    @torch.inference_mode()
    def quantise(self, values_FC: np.ndarray) -> np.ndarray:
        """Codes (frames, M) int64 of values."""
        quantiser, levels = self.net.quantiser, self.settings.levels
        values = torch.from_numpy(values_FC)[..., None, None].to(self.device)
        digits_FMC = quantiser.digits(quantiser.bound(values)).long().cpu().numpy()
        digits_FMC = digits_FMC.reshape(-1, self.settings.codes, len(levels))
        return (digits_FMC * np.cumprod((1, *levels[:-1]))).sum(2)

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media of the modality to codes, frame by frame.

        Raises:
            InputError: an array has other axes or channels than the codec, or is too long.
        """
        if self.settings.hop:
            return [self.layout.join([], self.quantise(self.values([signal]))) for signal in signals]
        return list(self.quantise(self.values(signals)))

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: the codes say what a medium shows, not how it looks or sounds; InputError."""
        raise self.only_reads(codes)

    @classmethod
    def learn(cls, media: Media, learning: Learning, **names: Any) -> SemanticCodec:
        """Train the encoder to tell the words that are said of each medium."""
        if learning.codes is not None:
            names["levels"] = fsq_levels(learning.codes)
        config = shape_of(media.first(), **{"name": f"{names['modality']}-read"} | names)
        pool, classes_of, count = read_named(media, config)
        config = replace(config, most_frames=most_frames(pool, config))
        learning.say(f"learning to tell {count} words and names of {len(pool)} media for {learning.minutes:g} minutes")
        torch.manual_seed(0)
        teller = Teller(config.net(), count)
        longest = -(-int(pool.lengths.max()) // max(config.frame_rows, 1))
        rows = config.frame_rows * min(longest, FRAMES) or int(pool.lengths[0])

        def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
            windows, there, numbers = pool.windows(rng, batch, rows, config.hop or rows)
            shares = np.zeros((batch, count), np.float32)
            for row, number in enumerate(numbers):
                shares[row, classes_of[number]] = 1 / max(len(classes_of[number]), 1)
            x_BDN = to_net(torch.from_numpy(windows))
            if config.space == 2 and not config.hop:
                x_BDN = moved(x_BDN, rng)
            return {"x": x_BDN, "there": torch.from_numpy(there), "words": torch.from_numpy(shares)}

        def loss(teller: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
            logits_BW = teller(batch["x"], batch["there"] if config.hop else None)
            return {"words": F.cross_entropy(logits_BW, batch["words"])}

        learning.train(teller, sample, loss)
        rng = np.random.default_rng(0)
        settle(teller, lambda: loss(teller, sample(rng, SETTLED)))
        return cls(config, teller.net)


def moved(x_BDSS: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures (B, D, S, S), each shifted by up to a tenth of its side and made up to a quarter larger or smaller; what
    comes in at an edge is like the edge. What a picture shows is so, wherever and however large it is."""
    count = len(x_BDSS)
    scale_B = torch.from_numpy(rng.uniform(0.8, 1.25, count).astype(np.float32))
    place_B23 = torch.zeros(count, 2, 3)
    place_B23[:, 0, 0] = place_B23[:, 1, 1] = scale_B
    place_B23[:, :, 2] = torch.from_numpy(rng.uniform(-MOVED, MOVED, (count, 2)).astype(np.float32))
    grid = F.affine_grid(place_B23, list(x_BDSS.shape), align_corners=False)
    return F.grid_sample(x_BDSS, grid, padding_mode="border", align_corners=False)


class Teller(nn.Module):
    """The encoder and, while it learns, a table of words that media are compared with, by cosine."""

    def __init__(self, net: SemanticNet, words: int) -> None:
        super().__init__()
        self.net = net
        self.table = nn.Embedding(words, net.deep.out_features)
        self.table.adam = True  # type: ignore[assignment]
        self.sharpness = nn.Parameter(torch.tensor(2.5))

    def forward(self, x_BDN: Tensor, there_BN: Tensor | None) -> Tensor:
        """(B, words) logits, of the mean over a medium's frames."""
        values_BC = self.net(x_BDN, there_BN).view(len(x_BDN), -1, self.table.embedding_dim).mean(1)
        return self.sharpness.exp() * F.normalize(values_BC, dim=1) @ F.normalize(self.table.weight, dim=1).T


def header(config: SemanticConfig) -> Header:
    """Cuts media into whole frames; nothing of it is written."""
    return Header(hop=config.frame_rows)


def shape_of(signal: Signal, **names: Any) -> SemanticConfig:
    """Settings of a codec for media like this one; what is given stands. In time, a frame is about half a second."""
    found = media_like(signal)
    if found.pop("free"):
        hop = step_rows(signal)
        rate = signal.rate_hz or 50.0 * hop
        found |= {"hop": hop, "pool": max(1, round(rate / hop / 2)), "most_frames": 2**20}
    return SemanticConfig(**found | names)


def most_frames(pool: Pool, config: SemanticConfig) -> int:
    """Of the longest medium, rounded up to a power of two; 1 where media have one frame."""
    if not config.hop:
        return 1
    longest = -(-int(pool.lengths.max()) // config.frame_rows)
    return 2 ** (longest - 1).bit_length()


def read_named(media: Media, config: SemanticConfig) -> tuple[Pool, list[list[int]], int]:
    """Arrays of the media, which words and names are said of each, and how many of these there are.

    Raises:
        InputError: hardly anything is said of them.
    """
    kind, wish, said = modality(config.modality), config.facts().wish, []

    def arrays() -> Any:
        for signal, words in media.named():
            said.append(words)
            yield taken(kind.fit(signal, wish), config, Header())[1]

    pool = Pool(arrays())
    classes_of, shared = told_apart(said, SemanticCodec.family)
    return pool, classes_of, len(shared)


def told_apart(said: Sequence[str], family: str) -> tuple[list[list[int]], list[str]]:
    """`classes`, for a codec of a family to learn from.

    Raises:
        InputError: there are fewer than two.
    """
    found, shared = classes(said)
    if len(shared) < 2:
        raise InputError(
            f"a {family} codec learns from what is said of media; put them into one folder per name, or give a JSONL "
            "file in which the assistant says what they are"
        )
    return found, shared


def classes(said: Sequence[str]) -> tuple[list[list[int]], list[str]]:
    """Numbers of the words of each text, and of the text itself, that several texts share but not all; and these."""
    parts = [sorted({text.lower(), *re.findall(r"\w{2,}", text.lower())} - {""}) for text in said]
    counts = Counter(part for found in parts for part in found)
    shared = sorted(part for part, count in counts.items() if 2 <= count < len(said))
    at = {part: number for number, part in enumerate(shared)}
    return [[at[part] for part in found if part in at] for found in parts], shared
