"""Sound as a modality of its own: an outside package of one file, its player, and two entry points.

The codec writes the loudness once, then the mel spectrum of every 20 ms; when it is spoken again, the phase is found as
Griffin and Lim (1984) do. Legend: N frames, B mel bands, F frequencies, K codes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import soundfile
import torch

from sensorium.codecs import Codec, Facts
from sensorium.modalities import Modality, Wish
from sensorium.modalities.series import Series, resampled
from sensorium.types import InputError, Signal

RATE_HZ, HOP, WINDOW, BANDS, QUIET = 8000, 160, 512, 40, 1e-3
HEARD = Wish(rate_hz=RATE_HZ, channels=1)
LOUDNESSES = np.geomspace(1e-3, 1, 32)
FORMATS = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"}
ENGLISH = {"name": "sound", "names": "sounds", "make": "Speak", "make.request": "Say {words}."}
FRENCH = {"name": "son", "names": "sons", "make": "Parler", "make.request": "Dis {words}."}


class Audio(Modality):
    """Sounds: (samples, channels) float32 in -1..1 with a rate, from files that libsndfile reads."""

    name, noun = "audio", "sound"
    extensions, media_types = tuple(FORMATS), tuple(FORMATS.values())
    writes: ClassVar[Mapping[str, str]] = FORMATS
    viewer = "audio.js"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "fr": FRENCH}

    def read(self, data: bytes, where: str, wish: Wish) -> Signal:
        try:
            samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise InputError(f"{where} is no sound that can be read ({error.error_string}); save it as WAV") from error
        return self.check(Signal(samples.clip(-1, 1), float(rate_hz)))

    def check(self, signal: Signal) -> Signal:
        array, rate = signal.array[:, None] if signal.array.ndim == 1 else signal.array, signal.rate_hz
        fine = array.ndim == 2 and array.dtype.kind == "f" and len(array) > 1 and np.abs(array).max() <= 1
        if not fine or not rate:
            raise InputError(f"a sound is two samples or more, numbers in -1..1 with a rate, not {signal}; mend it")
        return Signal(array.astype(np.float32), rate)

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        one = signal.with_array(signal.array.mean(1, keepdims=True)) if wish.channels == 1 else signal
        return resampled(one, wish.rate_hz) if wish.rate_hz else one

    def write(self, signal: Signal, media_type: str) -> bytes:
        soundfile.write(buffer := io.BytesIO(), signal.array, round(signal.rate_hz or 0), format=media_type[6:])
        return buffer.getvalue()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        return Series().preview(signal, size_px)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Mean difference of the mel spectra, at one loudness, over the time that both last."""
        pairs = zip(heard(original)[1], heard(other)[1], strict=False)
        return {"mel_difference_db": float(np.mean([(a - b).abs().mean() for a, b in pairs]) * 20 / np.log(10))}


STFT: dict[str, Any] = {"n_fft": WINDOW, "hop_length": HOP, "window": torch.hann_window(WINDOW)}
ENDS = 700 * (10 ** (torch.linspace(0, np.log10(1 + RATE_HZ / 1400), BANDS + 2)) - 1)[:, None]
RISES_BF = (torch.fft.rfftfreq(WINDOW, 1 / RATE_HZ) - ENDS[:-1]) / ENDS.diff(dim=0)
BANK_BF = torch.minimum(RISES_BF[:-1], 1 - RISES_BF[1:]).clip(min=0)


def spectra(samples: torch.Tensor) -> torch.Tensor:
    """(F, N) complex."""
    return torch.stft(samples, **STFT, pad_mode="constant", return_complex=True)


def heard(signal: Signal) -> tuple[int, torch.Tensor]:
    """Loudness code, and the logarithm of the mel spectra (N, B) of the sound at one loudness."""
    samples = torch.from_numpy(Audio().fit(signal, HEARD).array[:, 0])
    loud = max(float(samples.square().mean().sqrt()), 1e-9)
    mel_NB = torch.log(spectra(samples / loud).abs().T @ BANK_BF.T + QUIET)
    return int(np.abs(np.log(LOUDNESSES / loud)).argmin()), mel_NB


def spoken(mel_NB: torch.Tensor, rounds: int = 32) -> torch.Tensor:
    """Samples whose spectra are like these; the same each time."""
    size_FN = ((mel_NB.exp() - QUIET) @ torch.linalg.pinv(BANK_BF).T).clip(min=0).T
    phase_FN = torch.randn(size_FN.shape, generator=torch.Generator().manual_seed(0)) * 3
    for _ in range(rounds):
        phase_FN = spectra(torch.istft(torch.polar(size_FN, phase_FN), **STFT)).angle()
    return torch.istft(torch.polar(size_FN, phase_FN), **STFT)


class LogMel(Codec):
    """Every mel spectrum as the nearest of K, of a table (K, B)."""

    family = "log-mel"

    def __init__(self, table: np.ndarray):
        self.table_KB = torch.from_numpy(np.array(table, np.float32))
        self.facts = Facts(
            name="audio", modality="audio", codebook_sizes=(len(table),), header=(("loudness", len(LOUDNESSES)),),
            min_frames=4, max_frames=100, frame_rate_hz=RATE_HZ / HOP, wish=HEARD,
        )  # fmt: skip

    @classmethod
    def learn(cls, media: Iterable[Signal], learning: Any = None, *, codes: int = 256, **names: Any) -> LogMel:
        """K-means, twenty rounds."""
        mel_NB = torch.cat([heard(sound)[1] for sound in media])
        chosen, codes = torch.Generator().manual_seed(0), (learning and learning.codes) or codes
        table_KB = mel_NB[torch.randperm(len(mel_NB), generator=chosen)[:codes]]
        for _ in range(20):
            owner_N = torch.cdist(mel_NB, table_KB).argmin(1)
            means = [mel_NB[owner_N == k].mean(0) if k in owner_N else old_B for k, old_B in enumerate(table_KB)]
            table_KB = torch.stack(means)
        return cls(table_KB.numpy())

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(*heard(signal)) for signal in self.fitted(signals)]

    def _encode(self, loudness: int, mel_NB: torch.Tensor) -> np.ndarray:
        return self.layout.join([loudness], torch.cdist(mel_NB, self.table_KB).argmin(1).numpy())

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [self._decode(*self.layout.split(one)) for one in codes]

    def _decode(self, header: np.ndarray, frames: np.ndarray) -> Signal:
        samples = spoken(self.table_KB[frames[:, 0]])
        loud = samples * LOUDNESSES[header[0]] / samples.square().mean().sqrt().clip(min=1e-9)
        return Signal(loud.clip(-1, 1).float().numpy()[:, None], float(RATE_HZ))

    def features(self, codebook: int) -> np.ndarray:
        return (self.table_KB - self.table_KB.mean(0)).numpy()

    def config(self) -> dict[str, Any]:
        return {}

    def tensors(self) -> dict[str, np.ndarray]:
        return {"table": self.table_KB.numpy()}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> LogMel:
        return cls(tensors["table"])


audio = Audio()
