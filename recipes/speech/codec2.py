"""Codec2, David Rowe's vocoder: nothing trained, the floor that codecs which learn must beat.

The library's packed bits are the codes: a frame of 28 to 64 bits is whole bytes and what is left of the last one, and
lasts 20 or 40 ms. The library draws noise of its own when it decodes, from a state that nobody can set, so the same
codes never sound the same twice: it is a baseline here, and no family that models may be grown with.
See https://rowetel.com/codec2.html; the library comes with ``pip install pycodec2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sensorium.codecs import Codec, Facts
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

RATE_HZ = 8000
FULL = 32767
MODES = (700, 1200, 1300, 1400, 1600, 2400, 3200)


class Codec2(Codec):
    """Speech at 8 kHz to 700 to 3,200 bits a second and back.

    Args:
        bits_per_s: one of `MODES`.
        name, modality: of the codec.
        max_frames: of the longest sound.

    Raises:
        InputError: there is no such mode, or pycodec2 is missing.
    """

    family: ClassVar[str] = "codec2"

    def __init__(self, bits_per_s: int = 1300, name: str = "codec2", modality: str = "audio", max_frames: int = 4096):
        self.bits_per_s = bits_per_s
        self.rows, bits = _shape(bits_per_s)
        whole, self.left = divmod(bits, 8)
        self.facts = Facts(
            name=name,
            modality=modality,
            codebook_sizes=(256,) * whole + ((2**self.left,) if self.left else ()),
            max_frames=max_frames,
            frame_rate_hz=RATE_HZ / self.rows,
            hop=self.rows,
            wish=Wish(rate_hz=RATE_HZ, channels=1),
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(signal.array[:, 0]) for signal in self.fitted(signals)]

    def _encode(self, samples: np.ndarray) -> np.ndarray:
        own = coder(self.bits_per_s)
        padded = np.pad(samples, (0, -len(samples) % self.rows))
        pieces = (padded.clip(-1, 1) * FULL).astype(np.int16).reshape(-1, self.rows)
        frames = np.array([np.frombuffer(own.encode(piece), np.uint8) for piece in pieces], np.int64)
        if self.left:
            frames[:, -1] >>= 8 - self.left
        return self.layout.join([], frames)

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [self._decode(self.layout.split(one)[1]) for one in codes]

    def packed(self, frames: np.ndarray) -> np.ndarray:
        """(frames, bytes) uint8, as the library takes them, of (frames, codebooks) codes."""
        whole = frames.copy()
        if self.left:
            whole[:, -1] <<= 8 - self.left
        return whole.astype(np.uint8)

    def _decode(self, frames: np.ndarray) -> Signal:
        own = coder(self.bits_per_s)
        pieces = [own.decode(frame.tobytes()) for frame in self.packed(frames)]
        return Signal((np.concatenate(pieces) / (FULL + 1)).astype(np.float32)[:, None], float(RATE_HZ))

    def config(self) -> dict[str, Any]:
        facts = self.facts
        names = {"name": facts.name, "modality": facts.modality, "max_frames": facts.max_frames}
        return {"bits_per_s": self.bits_per_s} | names

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Codec2:
        return cls(**config)


def _shape(bits_per_s: int) -> tuple[int, int]:
    """Samples and bits of a frame."""
    own = coder(bits_per_s)
    return own.samples_per_frame(), own.bits_per_frame()


def coder(bits_per_s: int) -> Any:
    """A fresh state of the vocoder: it remembers what it has heard."""
    if bits_per_s not in MODES:
        raise InputError(
            f"codec2 has no mode of {bits_per_s} bits a second; choose one of {', '.join(map(str, MODES))}"
        )
    try:
        import pycodec2
    except ImportError as error:
        raise InputError("the codec codec2 needs its library; install it with `pip install pycodec2`") from error
    return pycodec2.Codec2(bits_per_s)  # ty: ignore[missing-attribute]
