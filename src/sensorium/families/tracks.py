"""The `tracks` family: a clip to the list of things in it, where each was first and last, and when it was so.

Things are found moment by moment by a codec of the family `things` and followed by detection (SORT, Bewley et al. 2016,
arXiv:1602.00763, without its filter: moments are close). A frame of codes is a thing: what the picture codec tells of
it, as most moments have it; the sides of its first box and of its last; then four times: from when and until when it is
seen, and from when and until when its box changes. Every code has words. How a thing gets from its first box to its
last is lost, and so is what turns in place without changing its box.

Through a picture codec that knows how things look, a clip is drawn of such a list: boxes change evenly from the first
to the last. Through any other the codec only reads.

Legend: N moments, T things, C codes of a thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from sensorium.checked import NAME, RATE_HZ, Range
from sensorium.codecs import Codec, Facts, Use
from sensorium.families import scaling
from sensorium.families.inner import built_on, told
from sensorium.families.numbers import in_words
from sensorium.families.things import SIDES, Found, ThingsCodec
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

TIMES = 4
FARTHEST = 0.25
"""That a thing comes from one moment to the next, as a share of the picture's side."""
LOST = 2
"""Moments for which a thing may not be found and is still the same."""
ALIKE = 0.5
"""Share of its values beyond which a thing that lies elsewhere is the same; where it lay its values may change."""
SEEN = 2
"""Moments in which a thing must be found to be one."""
STILL = 1
"""Levels by which a side may change while a thing stays where it is."""
Most = Annotated[int, Range(2, 2**12)]
Moments = Annotated[int, Range(1, 2**12)]


@dataclass
class Track:
    """A thing as it was found, moment by moment."""

    moments: list[int] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def add(self, moment: int, one: Found) -> None:
        self.moments.append(moment)
        self.found.append(one)

    def likeness(self, moment: int, one: Found, side_px: int) -> float:
        """How well a thing that is found goes on from here; below 0 where it cannot be."""
        before = self.found[-1]
        far = max(abs(_middle(one, axis) - _middle(before, axis)) for axis in (0, 1)) / side_px
        alike = sum(one.values[name] == value for name, value in before.values.items()) / len(before.values)
        meet = all(
            max(a, b) < min(c, d)
            for a, b, c, d in zip(one.box[:2], before.box[:2], one.box[2:], before.box[2:], strict=True)
        )
        if far > FARTHEST * (moment - self.moments[-1]) or (alike <= ALIKE and not meet):
            return -1.0
        return alike + 1 - far


@dataclass(frozen=True)
class Row:
    """What a frame of codes tells: a thing's first box and its last, and four moments.

    Args:
        seen, until: from when it is seen, and from when no more.
        begins, ends: from when its box changes, and from when no more.
    """

    first: Found
    last: Found
    seen: int
    until: int
    begins: int
    ends: int

    def at(self, moment: int) -> Found:
        """The thing at a moment at which it is seen."""
        done = (moment - self.begins) / max(self.ends - self.begins, 1)
        share = min(max(done, 0.0), 1.0)
        left, top, right, bottom = (a + share * (b - a) for a, b in zip(self.first.box, self.last.box, strict=True))
        return replace(self.first, box=(left, top, right, bottom))


class TracksCodec(Codec):
    """Clips to the things they hold, and what becomes of them.

    Args:
        picture: what finds things in a picture.
        name: of the codec among those of a model.
        rate_hz: moments a second.
        most_moments: of the longest clip.
        use: of a codec whose picture codec knows how things look; any other reads.
        drawn_moments: of the shortest clip that is drawn; one ends when none of its things is to be seen any more.

    Raises:
        InputError: the picture codec is of another family, or clips that are drawn would be too long.
    """

    family: ClassVar[str] = "tracks"
    suits: ClassVar[tuple[str, ...]] = ("video",)
    uses: ClassVar[tuple[str, ...]] = ("read", "write")

    def __init__(
        self,
        picture: Codec,
        name: NAME = "video-read",
        rate_hz: RATE_HZ = 8.0,
        most_moments: Most = 64,
        use: Use = "both",
        drawn_moments: Moments = 1,
    ) -> None:
        if not isinstance(picture, ThingsCodec):
            raise InputError(f"clips are followed through a codec of the family 'things', not {picture.family!r}")
        if drawn_moments > most_moments:
            raise InputError(f"clips of {drawn_moments} moments are longer than the longest, of {most_moments}")
        self.picture, self.rate_hz, self.most_moments = picture, float(rate_hz), int(most_moments)
        self.use, self.drawn_moments = use, int(drawn_moments)
        sizes = picture.facts.codebook_sizes
        self.facts = Facts(
            name=name,
            modality="video",
            codebook_sizes=(*sizes, *[picture.settings.bins] * len(SIDES), *[self.most_moments + 1] * TIMES),
            max_frames=picture.settings.most,
            min_frames=0,
            use="read" if picture.look is None else use,
            wish=Wish(rate_hz=self.rate_hz, channels=3, size=picture.facts.wish.size),
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Clips to codes; of an unknown rate each frame is a moment.

        Raises:
            InputError: a clip lasts too long.
        """
        for signal in signals:
            self._check_length(len(signal.array) * self.rate_hz / (signal.rate_hz or self.rate_hz))
        return [self.codes(self.tracks(signal)) for signal in self.fitted(signals)]

    def _check_length(self, moments: float) -> None:
        if moments > self.most_moments + 0.5:
            raise InputError(
                f"the clip has {moments:.0f} moments at {self.rate_hz:g} a second, more than the "
                f"{self.most_moments} of {self.facts.name!r}; cut it"
            )

    def tracks(self, clip: Signal) -> list[Track]:
        """The things of a clip, the longest seen first, before they are made codes."""
        found: list[Track] = []
        for moment, things in enumerate(self.picture.find([Signal(frame) for frame in clip.array])):
            left = list(things)
            alive = [track for track in found if moment - track.moments[-1] <= LOST + 1]
            while left and alive:
                side_px = self.picture.settings.size_px
                pairs = [(track.likeness(moment, one, side_px), track, one) for track in alive for one in left]
                likeness, track, one = max(pairs, key=lambda pair: pair[0])
                if likeness < 0:
                    break
                track.add(moment, one)
                alive.remove(track)
                left.remove(one)
            for one in left:
                found.append(Track())
                found[-1].add(moment, one)
        kept = [track for track in found if len(track.moments) >= min(SEEN, len(clip.array))]
        return sorted(kept, key=lambda track: -len(track.moments))[: self.picture.settings.most]

    def codes(self, tracks: Sequence[Track]) -> np.ndarray:
        """Codes of things, put into the order in which one reads the places where they are first."""
        first = slice(self.picture.facts.codebooks)
        frames = [self.frame(self._row(track)) for track in tracks]
        return self.listed(sorted(frames, key=lambda frame: self.picture.as_read(frame[first])))

    def listed(self, frames: Sequence[Sequence[int]]) -> np.ndarray:
        """Codes of frames in the order that is given."""
        return self.layout.join([], np.array(frames, np.int64))

    def frame(self, row: Row) -> list[int]:
        """Codes of one thing; what `rows` makes of them again."""
        own = self.picture.frame(row.first)
        return [*own, *self.picture.levels(row.last.box), row.seen, row.until, row.begins, row.ends]

    def rows(self, codes: np.ndarray) -> list[Row]:
        """What codes tell.

        Raises:
            InputError: they are none of this codec.
        """
        _, frames_TC = self.layout.split(codes)
        return [self._told(frame) for frame in frames_TC.tolist()]

    def _told(self, frame: Sequence[int]) -> Row:
        own, sides = self.picture.facts.codebooks, len(SIDES)
        last = [*frame[: own - sides], *frame[own : own + sides]]
        return Row(self.picture.told(frame[:own]), self.picture.told(last), *frame[-TIMES:])

    def _row(self, track: Track) -> Row:
        moments = track.moments
        values = {name: _most_often([one.values[name] for one in track.found]) for name in self.picture.settings.values}
        boxes_N4 = np.array([self.picture.levels(one.box) for one in track.found])
        from_first, from_last = (np.abs(boxes_N4 - boxes_N4[place]).max(1) > STILL for place in (0, -1))
        begins = ends = moments[0]
        if from_first.any() or from_last.any():
            other = int(from_first.argmax()) if from_first.any() else 1
            begins = moments[max(other - 1, 0)]
            last = len(moments) - 1 - int(from_last[::-1].argmax()) if from_last.any() else other
            ends = moments[min(last + 1, len(moments) - 1)]
        first, last = (replace(one, values=values) for one in (track.found[0], track.found[-1]))
        return Row(first, last, moments[0], moments[-1] + 1, begins, max(begins, ends))

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to clips (N, S, S, 3) at the codec's rate; InputError when it only reads."""
        if self.picture.look is None:
            raise self.only_reads(codes)
        return [Signal(self.picture.drawn(self.moments(one)), rate_hz=self.rate_hz) for one in codes]

    def moments(self, codes: np.ndarray) -> list[list[Found]]:
        """The things that codes tell of, moment by moment.

        Raises:
            InputError: they are none of this codec.
        """
        rows = self.rows(codes)
        count = max([self.drawn_moments, *(row.until for row in rows)])
        return [[row.at(moment) for row in rows if row.seen <= moment < row.until] for moment in range(count)]

    def words(self, codebook: int) -> Sequence[str]:
        """Those of the picture codec; of sides px, of times seconds."""
        if codebook < self.picture.facts.codebooks:
            return self.picture.words(codebook)
        if codebook < self.facts.codebooks - TIMES:
            return self.picture.words(codebook - len(SIDES))
        return [in_words(moment / self.rate_hz) for moment in range(self.most_moments + 1)]

    def features(self, codebook: int) -> np.ndarray | None:
        """Smooth bumps along a side and along time; values have nothing in common."""
        if codebook < len(self.picture.settings.values):
            return None
        return scaling.bumps(self.facts.codebook_sizes[codebook])

    def config(self) -> dict[str, Any]:
        """What came later is left out where it has its default value, so that older codecs stay what they are."""
        later = {"use": (self.use, "both"), "drawn_moments": (self.drawn_moments, 1)}
        return {
            "name": self.facts.name,
            "rate_hz": self.rate_hz,
            "most_moments": self.most_moments,
            **{name: value for name, (value, default) in later.items() if value != default},
            "picture": told(self.picture),
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Those of the picture codec."""
        return self.picture.tensors()

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> TracksCodec:
        hints = {"name": NAME, "rate_hz": RATE_HZ, "most_moments": Most, "use": Use, "drawn_moments": Moments}
        return built_on(cls, "picture", config, tensors, hints)


def _middle(one: Found, axis: int) -> float:
    return (one.box[axis] + one.box[axis + 2]) / 2


def _most_often(values: Sequence[int]) -> int:
    return Counter(values).most_common(1)[0][0]
