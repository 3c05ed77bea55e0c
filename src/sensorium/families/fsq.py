"""The `fsq` family: a small trained autoencoder whose codes are finite scalars (arXiv 2309.15505).

A medium becomes a grid of codes in reading order, over one axis (series, sound), two (pictures) or three (clips); the
first may be time, of any length. A code is a mixed-radix number: its digits are the levels of the channels, so codes
that share digits mean similar things, and `features` says so to the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sensorium.checked import NAME, RATE_HZ, Range
from sensorium.codecs import Facts, Learning, Media, Use
from sensorium.families.fsq_net import Axes, Blocks, FsqNet, Hop, Levels, Side, Space, Steps, Widths, stages
from sensorium.families.header import Header
from sensorium.families.net_codec import BATCH, NetCodec, even_batches, later, net_to_pixels, settle, to_net
from sensorium.families.pool import Pool
from sensorium.families.refine import refined
from sensorium.modalities import Wish, modality
from sensorium.types import InputError, Signal

SETTLED = 64
"""Media of a batch that what normalisation divides by is measured with."""
WINDOW = 64
"""Steps of a medium of any length that are trained on at once."""
CELLS = 2**19
"""Of a batch of clips; one of as many clips as of pictures would leave few steps for the time."""
LEAST_BATCH, MOST_BATCH = 8, 64
CLIPS: dict[str, Any] = {
    "size_px": 64,
    "grid": 4,
    "encoder_widths": (32, 64, 96),
    "encoder_blocks": (0, 1, 1),
    "decoder_widths": (32, 64, 96),
    "decoder_blocks": (0, 1, 2),
}
"""Shape of a codec of clips where nothing of it is said: 16 codes a step. For the same computing it restored more than
one of 64 codes a step (results/codecs/clips.md)."""


@dataclass(frozen=True, kw_only=True)
class FSQConfig:
    """Everything that shapes an FSQ codec.

    Args:
        name: of the codec among those of a model.
        modality: what it encodes.
        use: see `Facts`.
        size_px: size of every axis in space; the modality fits other media to it.
        grid: codes along every axis in space.
        levels: levels of each channel of a code; their product is the size of the codebook.
        patch_px: cells of an axis in space that are folded into channels first.
        encoder_widths: channels at each grid size, from fine to coarse; each step halves the grid.
        encoder_blocks: residual blocks at each grid size.
        decoder_widths: as for the encoder, also from fine to coarse.
        decoder_blocks: as for the encoder.
        refine_steps: with how many steps codes are improved after the encoder's guess, see `refined`. 16 to 60 gain
            1 to 1.5 dB of PSNR; one costs more than the guess itself. 0 takes the guess.
        space: number of axes in space: 2 for pictures and clips, 0 for series and sound.
        hop: rows of the free first axis that a step of codes stands for; 0 when media have no such axis.
        most_steps: of the longest medium, along a free first axis.
        inputs: channels of a medium's last axis.
        floats: whether media are numbers, which are scaled one by one (see `Header`), and not bytes.
        rate_hz: rows a second, for media in time.
        channel_names, units: of the channels, where media have them.
    """

    name: NAME = "image"
    modality: NAME = "image"
    use: Use = "both"
    size_px: Side = 64
    grid: Side = 8
    levels: Levels = (8, 8, 8, 8)
    patch_px: Side = 4
    encoder_widths: Widths = (64, 128)
    encoder_blocks: Blocks = (1, 2)
    decoder_widths: Widths = (64, 128)
    decoder_blocks: Blocks = (1, 3)
    refine_steps: Annotated[int, Range(0, 2**12)] = 0
    space: Space = later(2)
    hop: Hop = later(0)
    most_steps: Steps = later(256)
    inputs: Side = later(3)
    floats: bool = later(False)
    rate_hz: RATE_HZ | None = later(None)
    channel_names: tuple[str, ...] = later(())
    units: tuple[str, ...] = later(())

    @property
    def axes(self) -> Axes:
        return Axes(space=self.space, patch_px=self.patch_px, hop=self.hop)

    def net(self) -> FsqNet:
        """A fresh network of this shape; ValueError when the widths do not lead to the grid."""
        if self.space:
            stages(self.size_px, self.patch_px, self.grid, self.encoder_widths)
            stages(self.size_px, self.patch_px, self.grid, self.decoder_widths)
        return FsqNet(
            self.axes,
            self.inputs,
            levels=self.levels,
            encoder_widths=self.encoder_widths,
            encoder_blocks=self.encoder_blocks,
            decoder_widths=self.decoder_widths,
            decoder_blocks=self.decoder_blocks,
        )

    @property
    def header(self) -> Header:
        return Header(hop=self.hop, channels=self.inputs, floats=self.floats)

    @property
    def in_space(self) -> tuple[int, ...]:
        """Codes along the axes in space."""
        return (self.grid,) * self.space

    @property
    def wish(self) -> Wish:
        size = (self.size_px,) * self.space or None
        if self.hop == 0 and not self.floats:
            return Wish(size=size)
        return Wish(rate_hz=self.rate_hz, channels=self.inputs, size=size)

    def facts(self) -> Facts:
        return Facts(
            name=self.name,
            modality=self.modality,
            codebook_sizes=(prod(self.levels),),
            header=self.header.books,
            grid=(None, *self.in_space) if self.hop else self.in_space,
            max_frames=(self.most_steps if self.hop else 1) * prod(self.in_space),
            frame_rate_hz=self.rate_hz / self.hop if self.hop and self.rate_hz else None,
            hop=self.hop or None,
            use=self.use,
            wish=self.wish,
        )


class FSQCodec(NetCodec):
    """Media to a grid of FSQ codes and back.

    Args:
        config: shape of the codec.
        net: trained network, which is copied; a fresh one when None.
    """

    family: ClassVar[str] = "fsq"
    suits: ClassVar[tuple[str, ...]] = ("image", "audio", "video", "series")
    effort: ClassVar[frozenset[str]] = frozenset({"refine_steps"})
    config_class = FSQConfig

    def __init__(self, config: FSQConfig, net: FsqNet | None = None) -> None:
        super().__init__(config, net)
        self.facts = config.facts()

    @cached_property
    def _header(self) -> Header:
        return self.settings.header

    @property
    def _batch(self) -> int:
        """Media of a free length are computed one at a time."""
        return 1 if self.settings.hop else BATCH

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media of the modality to codes.

        Raises:
            InputError: an array has other axes or channels than the codec, or is too long.
        """
        media = [taken(signal, self.settings, self._header) for signal in self.fitted(signals)]
        found = [
            codes.reshape(-1)
            for batch in even_batches([array for _, array in media], 1 if self.settings.refine_steps else self._batch)
            for codes in self.net.quantiser.encode(self._values(to_net(batch.to(self.device)))).cpu().numpy()
        ]
        return [self.layout.join(head, codes) for (head, _), codes in zip(media, found, strict=False)]

    def _values(self, x_BDN: Tensor) -> Tensor:
        """(B, C, G) before quantisation."""
        z_BCG, steps = self.net.encoder(x_BDN), self.settings.refine_steps
        if not steps:
            return z_BCG
        most = inf if self.settings.floats else 1.0
        return refined(self.net.quantiser, self.net.decoder, x_BDN, z_BCG, steps, most=most)

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to media of the size, rate, channels and units of the codec."""
        split = [self.layout.split(one) for one in codes]
        grid = (-1, *self.settings.in_space) if self.settings.hop else self.settings.in_space
        restored = [
            array
            for batch in even_batches([frames.reshape(grid) for _, frames in split], self._batch)
            for array in self._restored(batch.to(self.device))
        ]
        return [self._signal(self._header.give(head, array)) for (head, _), array in zip(split, restored, strict=False)]

    def _restored(self, codes_BG: Tensor) -> np.ndarray:
        """(B, N, D) bytes, or numbers as the network sees them."""
        x_BDN = self.net.decoder(self.net.quantiser.decode(codes_BG))
        return (x_BDN.movedim(1, -1) if self.settings.floats else net_to_pixels(x_BDN)).cpu().numpy()

    def _signal(self, array: np.ndarray) -> Signal:
        shape = self.settings
        signal = Signal(array, rate_hz=shape.rate_hz, channels=shape.channel_names, units=shape.units)
        return modality(shape.modality).mend(signal)

    def header_features(self, codebook: int) -> np.ndarray:
        return self._header.features(codebook)

    @classmethod
    def learn(cls, media: Media, learning: Learning, **names: Any) -> FSQCodec:
        """Train on media of any modality of bytes or numbers; the first medium and the longest tell the shape."""
        if learning.codes is not None:
            names["levels"] = fsq_levels(learning.codes)
        config = shape_of(media.first(), **names)
        kind, head = modality(config.modality), config.header
        pool = Pool(taken(kind.fit(signal, config.wish), config, head)[1] for signal in media)
        if config.hop and "most_steps" not in names:
            longest = int(pool.lengths.max()) // config.hop
            config = replace(config, most_steps=2 ** (longest - 1).bit_length())
        learning.say(f"learning from {len(pool)} media for {learning.minutes:g} minutes")
        torch.manual_seed(0)
        net = config.net()
        rows = min(int(pool.lengths.max()), WINDOW * config.hop) if config.hop else int(pool.lengths[0])

        def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
            windows, there, _ = pool.windows(rng, batch, rows, config.hop or rows)
            return {"x": to_net(torch.from_numpy(windows)), "there": torch.from_numpy(there)}

        def loss(net: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
            there_BT = batch["there"] if config.hop else None
            return {"reconstruction": reconstruction(batch["x"], net(batch["x"])[0], there_BT)}

        fewer = fewer_at_once(rows, config) if config.hop and config.space else {}
        learning.train(net, sample, loss, **fewer)
        rng = np.random.default_rng(0)
        settle(net, lambda: net(sample(rng, fewer.get("batch", SETTLED))["x"]))
        return cls(config, net)


def fewer_at_once(rows: int, config: FSQConfig) -> dict[str, int]:
    """The batch of large clips of so many frames; small ones are taken as pictures are."""
    batch = max(CELLS // (rows * config.size_px**2), LEAST_BATCH)
    return {"batch": batch} if batch < MOST_BATCH else {}


def taken(signal: Signal, config: Any, head: Header) -> tuple[list[int], np.ndarray]:
    """Header codes and array of a fitted medium.

    Args:
        config: of a codec: ``name``, ``size_px``, ``space``, ``hop``, ``floats``, and its channels.

    Raises:
        InputError: its axes, channels or numbers are not those of the codec.
    """
    array, shape = signal.array, ((config.size_px,) * config.space + (config.inputs,))
    fits = array.ndim > 0 and array.shape[1 if config.hop else 0 :] == shape and len(array) > 0
    if not fits or (array.dtype != np.uint8) != config.floats:
        wanted = ("any", *shape) if config.hop else shape
        raise InputError(
            f"codec {config.name!r} takes {'numbers' if config.floats else 'bytes'} "
            f"({', '.join(map(str, wanted))}), not {array.dtype} {array.shape}; open the medium with its modality first"
        )
    return head.take(array)


def media_like(signal: Signal) -> dict[str, Any]:
    """What the shape of a codec follows from: axes, channels, bytes or numbers, and whether the first axis is free.

    It is for media in time, and for those of one or three axes.

    Raises:
        InputError: no axes, or too many.
    """
    array = signal.array
    if array.ndim not in (2, 3, 4):
        raise InputError(f"networks learn from media of one to three axes and channels, not of shape {array.shape}")
    free = signal.rate_hz is not None or array.ndim != 3
    return {
        "free": free,
        "space": array.ndim - 1 - free,
        "inputs": array.shape[-1],
        "floats": array.dtype != np.uint8,
        "rate_hz": signal.rate_hz,
    }


def shape_of(signal: Signal, **names: Any) -> FSQConfig:
    """Settings of a codec for media like this one; what is given stands."""
    found = media_like(signal)
    if found.pop("free"):
        found |= {"hop": step_rows(signal), "channel_names": signal.channels, "units": signal.units}
        if found["space"] == 2 and not names.keys() & CLIPS.keys():
            found |= CLIPS
    return FSQConfig(**found | {"name": names["modality"]} | names)


def step_rows(signal: Signal) -> int:
    """Rows of a step. Clips: 2. Series and sound: a power of two that makes about 50 steps a second, or 8 rows."""
    if signal.array.ndim > 2:
        return 2
    wanted = (signal.rate_hz or 400.0) / 50
    return int(2 ** np.clip(round(float(np.log2(wanted))), 2, 9))


def fsq_levels(codes: int) -> tuple[int, ...]:
    """Levels of each channel for a codebook of a power of two, 4 to 65,536: as many of 8 as fit, the rest on top.

    Raises:
        InputError: another number of codes.
    """
    bits = codes.bit_length() - 1
    if codes != 2**bits or not 2 <= bits <= 16:
        raise InputError(f"an fsq codebook has a power of two of codes, from 4 to 65536, not {codes}")
    channels = max(1, -(-bits // 3))
    return tuple(2 ** (bits // channels + (channel < bits % channels)) for channel in range(channels))


def reconstruction(x_BDN: Tensor, y_BDN: Tensor, there_BT: Tensor | None = None) -> Tensor:
    """Mean over media of the logarithm of the squared error, which is the mean PSNR up to a factor.

    Measured against the plain squared error it gains in both mean and pooled PSNR: easy media keep their say.
    The floor (36 dB for -1..1) stops it from polishing media that are right already.

    Args:
        there_BT: which rows of the first axis count; None for all.
    """
    error_BT = (x_BDN - y_BDN).square().transpose(1, 2).flatten(2).mean(2)
    if there_BT is None:
        return 0.1 * (error_BT.mean(1) + 1e-3).log().mean()
    return 0.1 * ((error_BT * there_BT).sum(1) / there_BT.sum(1) + 1e-3).log().mean()
