"""The `landmarks` family: a series to the list of its turns, and back. Nothing is trained.

What one would say of a curve (Perng et al. 2000, "Landmarks: a new model for similarity-based pattern querying in time
series databases"): where it starts, its peaks, counted, and the lows between them, its highest and its lowest value,
and where it ends. A frame of codes is a landmark: what it is, when, in hundredths of the length, and how high, in
hundredths of the range. Every code has words, so a language model reads such a list and writes one. Level, size and
what happens between the landmarks are lost: a series that is made of them swings from each to the next.

Legend: L samples, N landmarks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np

from sensorium.checked import NAME, Range, checked_arguments
from sensorium.codecs import Codec, Facts, Use
from sensorium.families import scaling
from sensorium.families.numbers import in_words
from sensorium.types import InputError, Signal

LEVELS = 100
COUNTED = 9
"""Peaks that have a number; beyond is another one."""
START, TOP, BOTTOM, LOW, END, PEAK = 0, 1, 2, 3, 4, 7
KINDS = (
    "start", "top", "bottom", "low", "end lower", "end level", "end higher",
    *(f"peak {in_words(count + 1)}" for count in range(COUNTED)), "another peak",
)  # fmt: skip
MEANS = (START, END, END + 1, END + 2)
MOST = 32
"""Landmarks; of a series with more turns only the larger ones are told."""
ENDS = 0.2
"""Share of the samples over whose mean a series starts, and ends."""
Share = Annotated[float, Range(0.01, 1.0)]


class LandmarksCodec(Codec):
    """Series to the landmarks of their strongest channel, the one with the largest range.

    Args:
        name: of the codec among those of a model.
        step: share of the range by which a turn stands out on both sides, and by which an end is higher or lower.
        use: what a model does with it.
    """

    family: ClassVar[str] = "landmarks"
    suits: ClassVar[tuple[str, ...]] = ("series",)

    def __init__(self, name: NAME = "series-read", step: Share = 0.25, use: Use = "read") -> None:
        self.step = float(step)
        self.facts = Facts(
            name=name,
            modality="series",
            codebook_sizes=(len(KINDS), LEVELS, LEVELS),
            max_frames=MOST,
            min_frames=1,
            use=use,
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(signal.array.astype(np.float64)) for signal in self.fitted(signals)]

    def _encode(self, array: np.ndarray) -> np.ndarray:
        if not np.isfinite(array).all():
            raise InputError("a series with values that are no numbers has no landmarks; fill or cut the gap")
        x_L = array[:, np.ptp(array, axis=0).argmax()]
        ends, last = (float(x_L.min()), float(x_L.max())), len(x_L) - 1
        frames = [(kind, _level(at, 0, last), _level(value, *ends)) for kind, at, value in self._told(x_L)]
        return self.layout.join([], np.array(frames, np.int64))

    def _told(self, x_L: np.ndarray) -> list[tuple[int, int, float]]:
        """Kind, sample and value of every landmark, in time."""
        last, fifth = len(x_L) - 1, max(1, round(ENDS * len(x_L)))
        start, end = float(x_L[:fifth].mean()), float(x_L[-fifth:].mean())
        step = self.step * float(np.ptp(x_L))
        further = int(np.sign(end - start)) * (abs(end - start) > step)
        marks = [(TOP, int(x_L.argmax())), (BOTTOM, int(x_L.argmin()))]
        between = [*marks, *_counted(_few_turns(x_L, step))]
        told = [(kind, at, float(x_L[at])) for kind, at in sorted(between, key=lambda one: (one[1], -one[0]))]
        return [(START, 0, start), *told, (END + 1 + further, last, end)]

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Series (`LEVELS`, 1) of values from 0 to 1 that swing from landmark to landmark, in half waves.

        Landmarks may stand in any order; of those at the same time the highest or lowest counts, and last start and
        end, which are means.

        Raises:
            InputError: the codec only reads.
        """
        if self.facts.use == "read":
            raise self.only_reads(codes)
        return [self._decode(self.layout.check(one).reshape(-1, 3)) for one in codes]

    def _decode(self, frames_N3: np.ndarray) -> Signal:
        counts = sorted(frames_N3.tolist(), key=lambda frame: (frame[0] in MEANS, frame), reverse=True)
        known = {at: value for _, at, value in counts}
        at_N, value_N = np.array(sorted(known.items())).T
        place_L = np.interp(np.arange(LEVELS), at_N, np.arange(len(at_N)))
        before_L = np.floor(place_L)
        swung_L = before_L + (1 - np.cos(np.pi * (place_L - before_L))) / 2
        x_L = np.interp(swung_L, np.arange(len(at_N)), value_N) / (LEVELS - 1)
        return Signal(x_L.astype(np.float32)[:, None])

    def words(self, codebook: int) -> Sequence[str]:
        """What landmarks are, and numbers."""
        return KINDS if codebook == 0 else [in_words(level) for level in range(LEVELS)]

    def features(self, codebook: int) -> np.ndarray | None:
        """Smooth bumps along time and height; kinds have nothing in common."""
        return None if codebook == 0 else scaling.bumps(LEVELS)

    def config(self) -> dict[str, Any]:
        use = {} if self.facts.use == "read" else {"use": self.facts.use}
        return {"name": self.facts.name, "step": self.step} | use

    def tensors(self) -> dict[str, np.ndarray]:
        return {}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> LandmarksCodec:
        return cls(**checked_arguments(cls, config, "config"))


def turns(x_L: np.ndarray, step: float) -> Iterator[tuple[bool, int]]:
    """Where a series turns after going so far and before going as far back: whether it is a peak, and the sample.

    It begins neither up nor down, so that the first way that is long enough has no turn before it.
    """
    low, high, up = 0, 0, None
    for at, value in enumerate(x_L if step > 0 else ()):
        low, high = (at if value < x_L[low] else low), (at if value > x_L[high] else high)
        if up is not False and x_L[high] - value >= step:
            if up:
                yield True, high
            up, low = False, at
        elif up is not True and value - x_L[low] >= step:
            if up is False:
                yield False, low
            up, high = True, at


def _few_turns(x_L: np.ndarray, step: float) -> list[tuple[bool, int]]:
    """`turns`, by longer steps where there are more than can be told."""
    while len(found := list(turns(x_L, step))) > MOST - 4:
        step *= 1.25
    return found


def _counted(found: Sequence[tuple[bool, int]]) -> Iterator[tuple[int, int]]:
    """Kind and sample of turns."""
    peaks = 0
    for is_peak, at in found:
        yield (PEAK + min(peaks, COUNTED) if is_peak else LOW), at
        peaks += is_peak


def _level(value: float, low: float, high: float) -> int:
    return round((LEVELS - 1) * (value - low) / (high - low)) if high > low else 0
