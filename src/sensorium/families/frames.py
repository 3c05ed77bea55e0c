"""The `frames` family: clips through a codec of pictures that reads, a few moments a second.

A frame is a moment: a code for its time in the clip, then the codes that the picture codec has for what is to be seen
then. "When" can so be answered in seconds, whatever the rates are, and whoever has learned the pictures' codes knows
most of the clip's. The clip cannot be had back; the codec only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np

from sensorium.checked import NAME, RATE_HZ, Range
from sensorium.codecs import Codec, CodecStream, Facts
from sensorium.families import scaling
from sensorium.families.inner import built_on, told
from sensorium.modalities import Modality, Wish, modality
from sensorium.modalities.shown import rows_shown
from sensorium.types import InputError, Signal

MODALITY, PICTURES = "video", "image"
MOST_ROWS = 2**16
"""Codes that there may be for one moment, in all its codebooks together: each is a row of the model."""
TICK = Annotated[float, Range(1e-3, 3600)]
Most = Annotated[int, Range(1, 2**16)]


class FramesCodec(Codec):
    """Clips to times and codes of pictures.

    Args:
        picture: a codec of pictures, each of the same number of codes.
        name: of the codec among those of a model.
        rate_hz: moments a second.
        tick_s: how exactly times are written.
        most_frames: of the longest clip.

    Raises:
        InputError: the picture codec is one of another modality, or pictures have too many codes.
    """

    family: ClassVar[str] = "frames"
    suits: ClassVar[tuple[str, ...]] = ("video",)
    uses: ClassVar[tuple[str, ...]] = ("read",)

    def __init__(
        self,
        picture: Codec,
        name: NAME = "video-read",
        rate_hz: RATE_HZ = 4.0,
        tick_s: TICK = 0.25,
        most_frames: Most = 64,
    ):
        self.picture, self.tick_s = picture, float(tick_s)
        ticks = self._ticks(np.array([most_frames - 1]) / rate_hz)[0] + 1
        sizes = (int(ticks), *_sizes(picture.facts))
        if sum(sizes) > MOST_ROWS:
            raise InputError(
                f"codec {picture.facts.name!r} has {len(sizes) - 1} codes for a picture, with {sum(sizes)} values in "
                f"all; take one that reads pictures in a few codes, of {MOST_ROWS} values at most"
            )
        self.facts = Facts(
            name=name,
            modality=MODALITY,
            codebook_sizes=sizes,
            max_frames=most_frames,
            frame_rate_hz=float(rate_hz),
            hop=1,
            use="read",
            wish=Wish(rate_hz=float(rate_hz), channels=3, size=picture.facts.wish.size),
        )

    @property
    def rate_hz(self) -> float:
        assert self.facts.frame_rate_hz is not None
        return self.facts.frame_rate_hz

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Clips to codes, moment by moment; of an unknown rate each frame is a moment.

        Raises:
            InputError: a clip lasts too long.
        """
        return [self.layout.join([], self.moments(signal.array)) for signal in self.fitted(signals)]

    def moments(self, frames: np.ndarray, first: int = 0) -> np.ndarray:
        """(moments, 1 + codes of a picture) of frames (moments, H, W, 3) at the codec's rate.

        Args:
            first: number of the first in its clip.
        """
        seen = self.picture.encode([Signal(frame) for frame in frames])
        ticks = self._ticks((first + np.arange(len(frames))) / self.rate_hz)
        return np.concatenate([ticks[:, None], np.stack(seen)], axis=1)

    def _ticks(self, times_s: np.ndarray) -> np.ndarray:
        return np.round(times_s / self.tick_s).astype(np.int64)

    def times_s(self, codes: np.ndarray) -> np.ndarray:
        """Seconds of the moments of a clip's codes, as they are written."""
        return self.layout.split(codes)[1][:, 0] * self.tick_s

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: the codes say what there is to be seen, not how it looks; InputError."""
        raise self.only_reads(codes)

    def stream(self) -> CodecStream:
        return _Stream(self)

    def features(self, codebook: int) -> np.ndarray | None:
        """Bumps along time, so that moments near each other are alike; then those of the picture codec."""
        if codebook == 0:
            return scaling.bumps(self.facts.codebook_sizes[0])
        head, place = len(self.picture.facts.header), codebook - 1
        if place < head:
            return self.picture.header_features(place)
        return self.picture.features((place - head) % self.picture.facts.codebooks)

    def config(self) -> dict[str, Any]:
        return {
            "name": self.facts.name,
            "rate_hz": self.rate_hz,
            "tick_s": self.tick_s,
            "most_frames": self.facts.max_frames,
            "picture": told(self.picture),
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Those of the picture codec."""
        return self.picture.tensors()

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> FramesCodec:
        hints = {"name": NAME, "rate_hz": RATE_HZ, "tick_s": TICK, "most_frames": Most}
        return built_on(cls, "picture", config, tensors, hints)


def _sizes(facts: Facts) -> tuple[int, ...]:
    """Sizes of the codebooks of all codes of a picture, in order."""
    if facts.modality != PICTURES or facts.fixed_frames is None:
        raise InputError(
            f"clips are seen through a codec of {PICTURES} in which each has as many codes, not through "
            f"{facts.name!r}, of {facts.modality}"
        )
    return (*(size for _, size in facts.header), *facts.codebook_sizes * facts.fixed_frames)


class _Stream(CodecStream):
    """A clip that is still coming; its rate is that of the first piece."""

    def __init__(self, codec: FramesCodec):
        self._codec, self._rows, self._done = codec, 0, 0

    def push(self, signal: Signal) -> np.ndarray:
        codec, kind = self._codec, self._kind
        before, self._rows = self._rows, self._rows + len(signal.array)
        wanted = np.arange(before, self._rows)
        if signal.rate_hz is not None:
            wanted = rows_shown(self._rows, signal.rate_hz, codec.rate_hz, first=self._done)
        frames = Signal(signal.array[wanted - before])
        first, self._done = self._done, self._done + len(wanted)
        if self._done > codec.facts.max_frames:
            raise InputError(
                f"the {kind.called} has more than the {codec.facts.max_frames} moments of {codec.facts.name!r}"
            )
        if not len(wanted):
            return np.zeros(0, np.int64)
        return codec.moments(kind.fit(frames, Wish(size=codec.facts.wish.size)).array, first).ravel()

    @property
    def _kind(self) -> Modality:
        return modality(self._codec.facts.modality)

    def finish(self) -> np.ndarray:
        return np.zeros(0, np.int64)

    def pull(self, codes: np.ndarray) -> Signal | None:
        raise self._codec.only_reads()
