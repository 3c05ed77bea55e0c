"""Sound as a file that is written while the sound still comes, or as one that is written at its end."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod

import numpy as np
import soxr

from sensorium.generate.spoken import AUDIO
from sensorium.generate.unfolding import joined
from sensorium.modalities import modality
from sensorium.types import Signal

PCM_HZ = 24_000
"""Samples a second of raw sound, as OpenAI has it."""
UNKNOWN = 0xFFFF_FFFF
"""The length of a WAV file that is not known when its header is sent; players read on to the end."""


class SoundFile(ABC):
    """Attributes:
    media_type: of the whole.
    """

    media_type: str

    @abstractmethod
    def add(self, signal: Signal) -> bytes:
        """Bytes that are settled after some more of a sound."""

    def end(self) -> bytes:
        """The rest."""
        return b""


class Raw(SoundFile):
    """One channel of 16-bit numbers, little end first, at `PCM_HZ`; without a header."""

    media_type = f"audio/pcm;rate={PCM_HZ}"

    def __init__(self) -> None:
        self._resampler: soxr.ResampleStream | None = None

    def add(self, signal: Signal) -> bytes:
        one_T = signal.array.reshape(len(signal.array), -1).mean(1, dtype=np.float32)
        if signal.rate_hz != PCM_HZ and self._resampler is None:
            self._resampler = soxr.ResampleStream(signal.rate_hz or PCM_HZ, PCM_HZ, 1, dtype="float32")
        return as_int16(one_T if self._resampler is None else self._resampler.resample_chunk(one_T))

    def end(self) -> bytes:
        if self._resampler is None:
            return b""
        return as_int16(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))


class Wav(SoundFile):
    """A WAV file of 16-bit numbers, of a length that nobody knows yet."""

    media_type = "audio/wav"

    def __init__(self) -> None:
        self._begun = False

    def add(self, signal: Signal) -> bytes:
        array_TC = signal.array.reshape(len(signal.array), -1)
        head = b"" if self._begun else _head(round(signal.rate_hz or 0), array_TC.shape[1])
        self._begun = True
        return head + as_int16(array_TC)


class Whole(SoundFile):
    """A file of any kind that the modality writes, at the end."""

    def __init__(self, media_type: str):
        self.media_type, self._pieces = media_type, list[Signal]()

    def add(self, signal: Signal) -> bytes:
        self._pieces.append(signal)
        return b""

    def end(self) -> bytes:
        return modality(AUDIO).to_bytes(joined(self._pieces), self.media_type)


def as_int16(array: np.ndarray) -> bytes:
    """Numbers in -1..1 as 16-bit numbers, little end first."""
    return (np.clip(array, -1, 1) * 32767).round().astype("<i2").tobytes()


def _head(rate_hz: int, channels: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels * 2, channels * 2, 16)
    head = b"RIFF" + struct.pack("<I", UNKNOWN) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return head + b"data" + struct.pack("<I", UNKNOWN)
