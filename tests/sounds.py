"""Sound for tests: recordings of tones and pauses, and a toy codec that writes levels and streams them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sensorium.codecs import Codec, CodecStream, Facts
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

soundfile = pytest.importorskip("soundfile")

RATE_HZ, HOP, LEVELS = 16000, 320, 8


def tones(*lasting_s: float, rate_hz: int = RATE_HZ, level: float = 0.3, channels: int = 1) -> np.ndarray:
    """(T, C): a pause, a tone, a pause, a tone ... of so many seconds each."""
    pieces = []
    for number, seconds in enumerate(lasting_s):
        time_s = np.arange(round(seconds * rate_hz)) / rate_hz
        pieces.append(level * (number % 2) * np.sin(2 * np.pi * 220 * time_s))
    return np.repeat(np.concatenate(pieces)[:, None], channels, axis=1).astype(np.float32)


def file_of(array: np.ndarray, rate_hz: int = RATE_HZ, kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, array, rate_hz, format=kind)
    return buffer.getvalue()


def read(data: bytes) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)


class Steps(Codec):
    """Twenty milliseconds as one of eight levels, and in the header how loud all of them are. It streams, a frame
    behind."""

    family = "steps"

    def __init__(self, name: str = "audio", use: Any = "both", streams: bool = True, most: int = 50):
        self.name, self.use, self.streams, self.most = name, use, streams, most
        self.facts = Facts(
            name=name, modality="audio", codebook_sizes=(LEVELS,), header=(("loudness", 4),), max_frames=most,
            frame_rate_hz=RATE_HZ / HOP, hop=HOP, use=use, wish=Wish(rate_hz=RATE_HZ, channels=1),
        )  # fmt: skip

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        found = []
        for signal in self.fitted(signals):
            samples = signal.array[:, 0]
            frames = np.abs(np.pad(samples, (0, -len(samples) % HOP)).reshape(-1, HOP)).max(1)[: self.most]
            found.append(self.layout.join([3], (frames * (LEVELS - 1)).round().astype(np.int64)))
        return found

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [sound(*self.layout.split(one)) for one in codes]

    def stream(self) -> CodecStream | None:
        return _Stream() if self.streams else None

    def config(self) -> dict[str, Any]:
        return {"name": self.name, "use": self.use, "streams": self.streams, "most": self.most}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Steps:
        return cls(**config)


def sound(header: np.ndarray, frames: np.ndarray) -> Signal:
    levels = frames.reshape(-1) / (LEVELS - 1) * (1 + header[0]) / 4
    return Signal(np.repeat(levels, HOP)[:, None].astype(np.float32), float(RATE_HZ))


class _Stream(CodecStream):
    def __init__(self) -> None:
        self.codes = np.zeros(0, np.int64)
        self.given = 1

    def push(self, signal: Signal) -> np.ndarray:
        raise InputError("this codec hears a sound as a whole")

    def finish(self) -> np.ndarray:
        raise InputError("this codec hears a sound as a whole")

    def pull(self, codes: np.ndarray) -> Signal | None:
        self.codes = np.concatenate([self.codes, codes])
        return self._until(len(self.codes) - 1)

    def rest(self) -> Signal | None:
        return self._until(len(self.codes))

    def _until(self, end: int) -> Signal | None:
        if end <= self.given:
            return None
        found = sound(self.codes[:1], self.codes[self.given : end])
        self.given = end
        return found
