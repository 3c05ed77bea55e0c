"""The `whisper` family: speech to a few codes a second of what is said, heard by an encoder that has heard much more.

The encoder of a Whisper model (Radford et al. 2022, arXiv 2212.04356) stays as it is; behind it the small network of
the `ctc` family learns to spell what is said through a bottleneck of finite scalars. A few hours of sound are then
enough, also for voices and rooms that are not among them.

Whose voice it was is not in the codes. A codec can learn to say them in one voice (`WhisperCodec.with_voice`), as
speech is made of units that a recogniser found (Polyak et al. 2021, arXiv 2104.00355): from less than an hour of it,
since all that is left to learn is how that voice sounds.

Legend: B sounds, M mel bands, N frames of spectra, T frames of the encoder, W its width, C channels of a code, G
frames of codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.checked import Range
from sensorium.codecs import Facts, Learning, Media
from sensorium.device import computing
from sensorium.families.ctc import CtcCodec, CtcConfig, CtcNet, learned_to_spell, read_spoken, signs_of, told_to
from sensorium.families.ears import pretrained_ear
from sensorium.families.fsq_net import Block, Levels, Side, Steps, fold, mark_ends, unfold
from sensorium.families.loudness import whole_frames
from sensorium.families.net_codec import later
from sensorium.families.pool import Pool
from sensorium.families.spectra import Spectra
from sensorium.modalities import modality
from sensorium.types import InputError, Signal

RATE_HZ, WINDOW, HOP, HALF = 16000, 400, 160, 2
"""What every Whisper model hears: log-mel spectra, of which its convolutions take every other frame."""
MOST_FRAMES = 1500
WINDOW_FRAMES = 64
"""Codes that a voice learns from at once."""
EAR = "openai/whisper-base"
LOUD = 0.1
"""Root mean square of what it hears."""
LEAST, RANGE = 1e-10, 8.0
"""Of the power of a band, and in how many powers of ten below the loudest it counts."""
DEVIATION = 0.1
"""Of what is added to the encoder's numbers in training, whose own is about 1."""


@dataclass(frozen=True, kw_only=True)
class WhisperConfig(CtcConfig):
    """Everything that shapes the codec.

    Args:
        hop, bands: of what the network behind the encoder takes: samples of a frame, numbers in it.
        window: of the spectra that a voice is made in, see `Spectra`; of no other use here.
        ear_bands, ear_layers, ear_heads, ear_wide: mel bands that the encoder takes; its layers, heads, and the width
            inside its layers.
        voice: channels of the network that says codes; 0 when the codec only reads.
        voice_blocks: residual blocks in it.
        ear: where the encoder is when it does not lie with the codec, see `pretrained_ear`; it is looked for when
            something is heard.
    """

    rate_hz: Annotated[float, Range(RATE_HZ, RATE_HZ)] = float(RATE_HZ)
    hop: Side = HOP * HALF
    bands: Side = 512
    pace: Side = 2
    levels: Levels = (4, 4, 4, 4, 4)
    width: Side = 256
    blocks: tuple[Side, Side] = (2, 2)
    most_frames: Steps = MOST_FRAMES // 2
    ear_bands: Side = 80
    ear_layers: Annotated[int, Range(1, 128)] = 6
    ear_heads: Side = 8
    ear_wide: Side = 2048
    voice: Annotated[int, Range(0, 2**13)] = 0
    voice_blocks: Side = 10
    ear: str = later("")

    @property
    def silence(self) -> float:
        return 0.0

    @property
    def spectra(self) -> Spectra:
        """In which a voice is made."""
        return Spectra(rate_hz=self.rate_hz, hop=HOP, window=self.window, bands=self.ear_bands)

    @property
    def fine(self) -> int:
        """Frames of these spectra that a code stands for."""
        return self.hop * self.pace // HOP

    def net(self) -> WhisperNet:
        return WhisperNet(self)

    def facts(self) -> Facts:
        return replace(super().facts(), use="both" if self.voice else "read")


class Ear(nn.Module):
    """The encoder of a Whisper model: log-mel spectra (B, M, N) to (B, T, W).

    It was trained on half a minute; shorter sounds are heard without the silence behind them.
    """

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width, heads, wide = config.bands, config.ear_heads, config.ear_wide
        self.conv1 = nn.Conv1d(config.ear_bands, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=HALF, padding=1)
        self.positions_TW = nn.Parameter(torch.zeros(MOST_FRAMES, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, wide, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(config.ear_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, mel_BMN: Tensor) -> Tensor:
        x_BTW = F.gelu(self.conv2(F.gelu(self.conv1(mel_BMN)))).mT
        x_BTW = x_BTW + self.positions_TW[: x_BTW.shape[1]]
        for layer in self.layers:
            x_BTW = layer(x_BTW)
        return self.norm(x_BTW)


class Voice(nn.Module):
    """Quantised values (B, C, G) to log-mel spectra (B, M, N) of one voice."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width, outputs = config.voice, config.ear_bands * config.fine
        self.body = nn.Sequential(
            nn.Conv1d(len(config.levels), width, 3, padding=1),
            *(Block(width, 1) for _ in range(config.voice_blocks)),
            nn.SiLU(),
            nn.Conv1d(width, outputs, 1),
        )
        self.fine = config.fine
        mark_ends(self.body)

    def forward(self, values_BCG: Tensor) -> Tensor:
        return unfold(self.body(values_BCG).float(), (self.fine,))


class WhisperNet(CtcNet):
    """The network of `ctc`, the ear in front of it, and the voice, if there is one."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.ear = None if config.ear else Ear(config)
        self.voice = Voice(config) if config.voice else None


class WhisperCodec(CtcCodec):
    """Speech to codes of what is said.

    Args:
        config: shape of the codec.
        net: trained network, which is copied; a fresh one when None.
    """

    family: ClassVar[str] = "whisper"
    uses: ClassVar[tuple[str, ...]] = ("read", "write")
    effort: ClassVar[frozenset[str]] = frozenset({"ear"})
    config_class = WhisperConfig

    def heard(self, signal: Signal) -> np.ndarray:
        return heard(self._ear.to(self.device), signal, self.settings)

    @cached_property
    def _ear(self) -> Ear:
        if not self.settings.ear:
            return self.net.ear
        shape, weights = pretrained_ear(self.settings.ear)
        if any(getattr(self.settings, name) != value for name, value in shape.items()):
            raise InputError(f"codec {self.facts.name!r} hears by an encoder of another shape than {self.settings.ear}")
        return _fitted(self.settings, weights)

    def without_ear(self, source: str) -> WhisperCodec:
        """The same codec, small, that takes its encoder from elsewhere.

        Args:
            source: of these very weights, see `pretrained_ear`.
        """
        return self._without("ear.", ear=source)

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to sounds in the one voice; InputError when it has none."""
        if self.net.voice is None:
            raise self.only_reads(codes)
        return [self._said(self.layout.split(one)[1][:, 0]) for one in codes]

    def _said(self, codes_G: np.ndarray) -> Signal:
        values_1CG = self.net.quantiser.decode(torch.from_numpy(codes_G)[None].to(self.device))
        samples = self.spectra.griffin_lim(self.net.voice(values_1CG))[0].cpu().numpy()
        return Signal(np.clip(LOUD * samples, -1, 1).astype(np.float32)[:, None], self.settings.rate_hz)

    def with_voice(self, media: Media, learning: Learning, width: int = 256, **names: Any) -> WhisperCodec:
        """The same codes in a codec that says them, too, in the voice of the media; it hears as before.

        Args:
            media: sounds of one speaker.
            width: channels of the network that says codes.
            names: ``name`` of the codec, ``voice_blocks``.
        """
        config = replace(self.settings, voice=width, **names)
        pool = Pool(self._pairs(modality(config.modality).fit(signal, self.facts.wish)) for signal in media)
        learning.say(f"learning to speak from {len(pool)} sounds for {learning.minutes:g} minutes")
        torch.manual_seed(0)
        voice, channels = Voice(config), len(config.levels)

        def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
            pairs_BGX, there_BG, _ = pool.windows(rng, batch, WINDOW_FRAMES)
            values_BCG = torch.from_numpy(pairs_BGX[..., :channels].astype(np.float32)).mT.contiguous()
            mel_BXG = torch.from_numpy(pairs_BGX[..., channels:].astype(np.float32)).mT
            return {"values": values_BCG, "mel": unfold(mel_BXG, (config.fine,)), "there": torch.from_numpy(there_BG)}

        learning.train(voice, sample, lambda net, batch: _apart(net, batch, config.fine), batch=16)
        net = WhisperNet(config)
        net.load_state_dict(self.net.state_dict() | {f"voice.{name}": one for name, one in voice.state_dict().items()})
        return WhisperCodec(config, net)

    def without_voice(self) -> WhisperCodec:
        """The same codes in a codec that only reads them."""
        return self._without("voice.", voice=0)

    def _without(self, part: str, **settings: Any) -> WhisperCodec:
        """With these settings, in which the network has no such part."""
        config = replace(self.settings, **settings)
        net = config.net()
        net.load_state_dict({name: one for name, one in self.net.state_dict().items() if not name.startswith(part)})
        return WhisperCodec(config, net)

    def _pairs(self, signal: Signal) -> np.ndarray:
        """(G, C + M * fine) float16 values of the codes of a fitted sound, and its spectra, folded."""
        config = self.settings
        codes_G = torch.from_numpy(self._codes(signal))
        _, samples = whole_frames(signal, config.hop * config.pace, config.name)
        mel_1MN = self.spectra.log_mel(torch.from_numpy(samples)[None])
        pairs_1XG = torch.cat([self.net.quantiser.decode(codes_G[None]), fold(mel_1MN, (config.fine,))], dim=1)
        return pairs_1XG[0].mT.numpy().astype(np.float16)

    @classmethod
    def learn(
        cls, media: Media, learning: Learning, *, ear: str | Mapping[str, Tensor] = EAR, **names: Any
    ) -> WhisperCodec:
        """Learn to spell the words that are said in each medium; media without words are left out.

        Args:
            ear: Hub id or folder of a Whisper model of `transformers`, or the tensors of an `Ear`.

        Raises:
            InputError: there is no Whisper model, or nothing is said in any medium.
        """
        shape, weights = pretrained_ear(ear) if isinstance(ear, str) else ({}, ear)
        names = shape | told_to(learning, names)
        fresh = WhisperConfig(signs="", **names)
        found = _fitted(fresh, weights)
        with computing("auto", found.positions_TW.device):
            pool, words = read_spoken(media, fresh.facts(), lambda signal: heard(found, signal, fresh))
        config = WhisperConfig(signs=signs_of(words), **names)
        behind = learned_to_spell(config, pool, words, learning, jittered).state_dict()
        net = WhisperNet(config)
        net.load_state_dict(behind | {f"ear.{name}": one for name, one in found.state_dict().items()})
        return cls(config, net)


def _apart(net: nn.Module, batch: dict[str, Tensor], fine: int) -> dict[str, Tensor]:
    """Mean distance of spectra, where there is sound."""
    there_BN = batch["there"].repeat_interleave(fine, dim=1)
    difference_BN = (net(batch["values"]) - batch["mel"]).abs().mean(1)
    return {"mel": (difference_BN * there_BN).sum() / there_BN.sum()}


def _fitted(config: WhisperConfig, weights: Mapping[str, Tensor]) -> Ear:
    """An ear with these weights, as the codec stores them."""
    ear = Ear(config).eval().requires_grad_(False)
    try:
        ear.load_state_dict({name: one.half().float() if one.ndim > 1 else one for name, one in weights.items()})
    except RuntimeError as error:
        raise InputError(f"these weights are no encoder of this shape ({str(error)[:200]})") from error
    return ear


@torch.inference_mode()
def heard(ear: Ear, signal: Signal, config: WhisperConfig) -> np.ndarray:
    """(T, W) float32 what the encoder makes of a fitted sound, of whole frames of codes.

    Raises:
        InputError: it has other channels than one.
    """
    _, samples = whole_frames(signal, config.hop * config.pace, config.name)
    mel_MN = log_mel(LOUD * torch.from_numpy(samples), config.ear_bands)
    return ear(mel_MN[None].to(ear.positions_TW.device))[0].float().cpu().numpy()


def log_mel(samples_S: Tensor, bands: int) -> Tensor:
    """(M, N) spectra as Whisper takes them: powers of ten, those far below the loudest cut off, about -1 to 1."""
    window = torch.hann_window(WINDOW)
    spectra_FN = torch.stft(samples_S, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
    power_FN = spectra_FN[:, :-1].abs().square()
    log_MN = (_bank(bands) @ power_FN).clamp(min=LEAST).log10()
    return (log_MN.clamp(min=float(log_MN.max()) - RANGE) + 4) / 4


@cache
def _bank(bands: int) -> Tensor:
    """(M, F) triangles on Slaney's mel scale, of equal area."""
    from transformers.audio_utils import mel_filter_bank

    bank_FM = mel_filter_bank(WINDOW // 2 + 1, bands, 0.0, RATE_HZ / 2, RATE_HZ, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(bank_FM.T.astype(np.float32))


def jittered(heard_TW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another hearing: with noise, and some frames and numbers missing (SpecAugment, arXiv 1904.08779)."""
    heard_TW = heard_TW + rng.normal(0, DEVIATION, heard_TW.shape).astype(np.float32)
    for _ in range(rng.integers(0, 1 + len(heard_TW) // 50 + 1)):
        first = rng.integers(0, len(heard_TW))
        heard_TW[first : first + rng.integers(1, 7)] = 0
    heard_TW[:, rng.random(heard_TW.shape[1]) < 0.1] = 0
    return heard_TW
