"""The `mel` family: speech to a few codes a second and back, by log-mel spectra and finite scalars.

Codes tell the spectra (as in arXiv 2309.15505, over time), the header tells how loud the sound is, and a small head
trained at the same time gives the spectra a phase (arXiv 2306.00814); without the head, Griffin and Lim's way does. A
frame may have several codes; the later ones are left out now and then while it learns, so that the first alone
make a codec as well (nested dropout, Rippel et al., arXiv 1402.0915).

Legend: B sounds, S samples, M mel bands, N frames of spectra, C channels of the codes of a frame, G frames of codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sensorium.checked import NAME, RATE_HZ, Range
from sensorium.codecs import CodecStream, Facts, Learning, Media, Use
from sensorium.families import scaling
from sensorium.families.fsq import SETTLED, fsq_levels
from sensorium.families.fsq_net import Levels, Quantiser, Side, Steps
from sensorium.families.loudness import LOUDNESSES, unit_loud, whole_frames
from sensorium.families.mel_net import MelNet
from sensorium.families.net_codec import NetCodec, later, level_features, settle
from sensorium.families.out_stream import OutStream
from sensorium.families.pool import Pool
from sensorium.families.spectra import FLOOR, Spectra
from sensorium.modalities import Wish, modality
from sensorium.types import Signal

WINDOW = 64
"""Frames of codes of a sound that are trained on at once."""
KEPT = 0.8
"""How often all codes of a frame are used while it learns."""
HEAD_SHARE = 4
"""Of a batch, one in so many teaches the head as well: its sound costs more than all the rest."""
SCALES = tuple(Spectra(window=window, hop=window // 4, bands=1) for window in (320, 1280))
"""Other spectra that the head's sound is compared in."""


@dataclass(frozen=True, kw_only=True)
class MelConfig:
    """Everything that shapes the codec.

    Args:
        name, modality, use: see `Facts`.
        rate_hz: of the samples that it takes and gives.
        hop, window, bands: of the spectra, see `Spectra`.
        pace: frames of spectra that a frame of codes stands for.
        levels: of the channels of a code.
        books: codes of a frame.
        spoken_books: codes of a frame that are written; fewer make a coarser codec of the same weights.
        width: channels at the rate of the codes.
        blocks: residual blocks of the encoder and of the decoder.
        fine: channels of the decoder at the rate of the spectra.
        head_width, head_blocks: of the head.
        voice: what gives sound: the ``head``, or ``griffin-lim``.
        most_frames: frames of codes of the longest sound.
    """

    name: NAME = "audio"
    modality: NAME = "audio"
    use: Use = "both"
    rate_hz: RATE_HZ = 16000.0
    hop: Side = 160
    window: Annotated[int, Range(2, 2**16)] = 640
    bands: Side = 80
    pace: Side = 4
    levels: Levels = (8, 8, 8, 8)
    books: Annotated[int, Range(1, 64)] = 2
    spoken_books: Annotated[int, Range(1, 64)] | None = later(None)
    width: Side = 320
    blocks: tuple[Side, Side] = (4, 6)
    fine: Side = 128
    head_width: Side = 256
    head_blocks: Side = 6
    voice: Literal["head", "griffin-lim"] = "head"
    most_frames: Steps = 1024

    @property
    def spectra(self) -> Spectra:
        return Spectra(rate_hz=self.rate_hz, hop=self.hop, window=self.window, bands=self.bands)

    @property
    def written(self) -> int:
        """Codes of a frame that are written."""
        return min(self.spoken_books or self.books, self.books)

    @property
    def frame_rows(self) -> int:
        return self.hop * self.pace

    def net(self) -> MelNet:
        """A fresh network of this shape."""
        return MelNet(
            self.spectra,
            levels=self.levels * self.books,
            pace=self.pace,
            width=self.width,
            blocks=self.blocks,
            fine=self.fine,
            head_width=self.head_width,
            head_blocks=self.head_blocks,
        )

    def facts(self) -> Facts:
        return Facts(
            name=self.name,
            modality=self.modality,
            codebook_sizes=(prod(self.levels),) * self.written,
            header=(("loudness", len(LOUDNESSES)),),
            max_frames=self.most_frames,
            frame_rate_hz=self.rate_hz / self.frame_rows,
            hop=self.frame_rows,
            use=self.use,
            wish=Wish(rate_hz=self.rate_hz, channels=1),
        )


class MelCodec(NetCodec):
    """Sound of one channel to codes and back.

    Args:
        config: shape of the codec.
        net: trained network, which is copied; a fresh one when None.
    """

    family: ClassVar[str] = "mel"
    suits: ClassVar[tuple[str, ...]] = ("audio",)
    effort: ClassVar[frozenset[str]] = frozenset({"voice"})
    config_class = MelConfig

    def __init__(self, config: MelConfig, net: MelNet | None = None) -> None:
        super().__init__(config, net)
        self.facts = config.facts()
        self.spectra = config.spectra
        self._book = Quantiser(config.levels, 1)  # of one code of a frame; the net's is of all together

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Sounds to codes, each by itself.

        Raises:
            InputError: a sound has other channels than one, or is too long.
        """
        return [
            self._encode(*whole_frames(signal, self.settings.frame_rows, self.facts.name))
            for signal in self.fitted(signals)
        ]

    def _encode(self, loudness: int, samples: np.ndarray) -> np.ndarray:
        mel_BMN = self.spectra.log_mel(torch.from_numpy(samples).to(self.device)[None])
        values_KLG = self.net.encoder(mel_BMN)[0].unflatten(0, (self.settings.books, -1)).cpu()
        codes_GK = self._book.encode(values_KLG)[: self.settings.written].T
        return self.layout.join([loudness], codes_GK.numpy())

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to sounds of whole frames."""
        return [self._decode(*self.layout.split(one)) for one in codes]

    def _decode(self, header: np.ndarray, frames_GK: np.ndarray) -> Signal:
        return self._loud(header, self.sound(frames_GK, self.settings.voice))

    def sound(self, frames_GK: np.ndarray, voice: str = "head") -> np.ndarray:
        """Samples at unit loudness."""
        mel_BMN = self.net.decoder(self._values(frames_GK))
        if voice == "griffin-lim":
            return self.spectra.griffin_lim(mel_BMN)[0].cpu().numpy()
        return self.spectra.inverse(self.net.head(mel_BMN))[0].cpu().numpy()

    def _values(self, frames_GK: np.ndarray) -> Tensor:
        """(1, C, G) what the decoder sees; the middle for codes that are not written."""
        values_CG = self._book.decode(torch.from_numpy(np.ascontiguousarray(frames_GK.T))).flatten(0, 1)
        missing = (self.settings.books - self.settings.written) * len(self.settings.levels)
        return F.pad(values_CG, (0, 0, 0, missing))[None].to(self.device)

    def _loud(self, header: np.ndarray, samples: np.ndarray) -> Signal:
        loud = np.clip(samples * LOUDNESSES[header[0]], -1, 1).astype(np.float32)
        return Signal(loud[:, None], self.settings.rate_hz)

    def stream(self) -> CodecStream:
        """From codes to sound, a frame behind; the other way needs to know how loud the whole is."""
        return _MelStream(self)

    def coarse(self, books: int) -> MelCodec:
        """The codec of the same weights that writes but the first codes of every frame."""
        return MelCodec(replace(self.settings, spoken_books=books), self.net)

    def features(self, codebook: int) -> np.ndarray:
        return level_features(self.settings.levels)

    def header_features(self, codebook: int) -> np.ndarray:
        return scaling.bumps(len(LOUDNESSES))

    @classmethod
    def learn(cls, media: Media, learning: Learning, **names: Any) -> MelCodec:
        """Train on sounds; the longest tells how many frames it takes at most, unless that is said."""
        if learning.codes is not None:
            names["levels"] = fsq_levels(learning.codes)
        config = MelConfig(**names)
        kind, rows = modality(config.modality), config.frame_rows
        pool = Pool(unit_loud(kind.fit(signal, config.facts().wish).array[:, 0])[1] for signal in media)
        if "most_frames" not in names:
            longest = -(-int(pool.lengths.max()) // rows)
            config = replace(config, most_frames=max(2 ** (longest - 1).bit_length(), config.most_frames))
        learning.say(f"learning from {len(pool)} sounds for {learning.minutes:g} minutes")
        torch.manual_seed(0)
        net, spectra = config.net(), config.spectra

        def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
            windows, there, _ = pool.windows(rng, batch, WINDOW * rows, rows)
            sound_BS = torch.from_numpy(windows * there)
            kept_B1K = torch.from_numpy(rng.random((batch, 1)) < KEPT).expand(-1, config.books - 1)
            kept_BK = torch.cat([torch.ones(batch, 1), kept_B1K], dim=1)
            return {"sound": sound_BS, "mel": spectra.log_mel(sound_BS), "kept": kept_BK}

        learning.train(net, sample, lambda net, batch: losses(net, batch, config), batch=8)
        rng = np.random.default_rng(0)
        settle(net, lambda: net.encoder(sample(rng, SETTLED)["mel"]))
        return cls(config, net)


def losses(net: MelNet, batch: dict[str, Tensor], config: MelConfig) -> dict[str, Tensor]:
    """Of the spectra, and of the head's sound, which does not pull at the codes."""
    values_BCG = net.quantiser(net.encoder(batch["mel"]))
    kept_BC1 = batch["kept"].repeat_interleave(len(config.levels), dim=1)[..., None]
    mel_BMN = net.decoder(values_BCG * kept_BC1)
    with torch.autocast(mel_BMN.device.type, enabled=False):
        difference = (mel_BMN.float() - batch["mel"]).abs()
    few = max(len(mel_BMN) // HEAD_SHARE, 1)
    spectra_BFN = net.head(mel_BMN[:few].detach())
    with torch.autocast(mel_BMN.device.type, enabled=False):
        sound_BS, scales = config.spectra.inverse(spectra_BFN), [config.spectra, *SCALES]
        sizes = [[scale.transform(one).abs() for one in (sound_BS, batch["sound"][:few])] for scale in scales]
        heard = (config.spectra.log_of(sizes[0][0]) - batch["mel"][:few]).abs().mean()
        head = torch.stack([apart(*pair) for pair in sizes]).mean()
    return {"mel": difference.mean(), "head": head, "heard": heard}


def apart(ours_BFN: Tensor, theirs_BFN: Tensor) -> Tensor:
    """How far sizes of spectra are apart, as they are and in logarithms (Yamamoto et al., arXiv 1910.11480)."""
    converged = (ours_BFN - theirs_BFN).norm() / theirs_BFN.norm().clamp(min=1e-3)
    return converged + ((ours_BFN + FLOOR).log() - (theirs_BFN + FLOOR).log()).abs().mean()


class _MelStream(OutStream):
    """Gives the sound of a frame when the next frame is there: the head and the inverse transform look ahead so far."""

    def __init__(self, codec: MelCodec) -> None:
        super().__init__(codec)
        self.codec, self.given = codec, 0
        self.codes = np.zeros(0, np.int64)

    def pull(self, codes: np.ndarray) -> Signal | None:
        self.codes = np.concatenate([self.codes, codes])
        return self._until(self._frames() - 1)

    def rest(self) -> Signal | None:
        return self._until(self._frames())

    def _frames(self) -> int:
        return max(len(self.codes) - 1, 0) // self.codec.facts.codebooks

    @torch.inference_mode()
    def _until(self, end: int) -> Signal | None:
        """What has not been given of the sound before a frame; computed from as far back as it depends on."""
        if end <= self.given:
            return None
        books, rows = self.codec.facts.codebooks, self.codec.settings.frame_rows
        start = max(self.given - self.codec.net.past, 0)
        frames_GK = self.codes[1 : 1 + self._frames() * books].reshape(-1, books)[start:]
        samples = self.codec.sound(frames_GK)[(self.given - start) * rows : (end - start) * rows]
        self.given = end
        return self.codec._loud(self.codes[:1], samples)
