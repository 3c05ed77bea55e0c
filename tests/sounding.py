"""A quick codec for sound: how loud it is, ten times a second; written again as a tone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sensorium.codecs import Codec, Facts
from sensorium.modalities import Wish
from sensorium.types import Signal

RATE_HZ, STEP, LEVELS = 8000, 800, 16
TONE = np.sin(2 * np.pi * 440 * np.arange(STEP) / RATE_HZ)


class Loudness(Codec):
    family = "loudness"

    def __init__(self, max_frames: int = 50):
        self.facts = Facts(
            name="audio", modality="audio", codebook_sizes=(LEVELS,), min_frames=4, max_frames=max_frames,
            frame_rate_hz=RATE_HZ / STEP, hop=STEP, wish=Wish(rate_hz=RATE_HZ, channels=1),
        )  # fmt: skip

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(signal.array[:, 0]) for signal in self.fitted(signals)]

    def _encode(self, samples: np.ndarray) -> np.ndarray:
        frames = max(self.facts.min_frames, -(-len(samples) // STEP))
        padded = np.pad(samples, (0, frames * STEP - len(samples))).reshape(frames, STEP)
        return self.layout.check((np.abs(padded).max(1) * (LEVELS - 1)).round().astype(np.int64))

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        levels = [self.layout.check(one) / (LEVELS - 1) for one in codes]
        return [Signal(np.outer(one, TONE).reshape(-1, 1).astype(np.float32), float(RATE_HZ)) for one in levels]

    def config(self) -> dict[str, Any]:
        return {"max_frames": self.facts.max_frames}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Loudness:
        return cls(**config)
