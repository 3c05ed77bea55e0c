"""The `either` family: what one codec makes of a medium, or, where that is nothing, what another does.

A sound is what is said in it, or, where nothing is said, what it sounds like. A medium that is all alike, such as
silence or a blank, has nothing to tell: the second is not asked of it, so it has no codes. The codes of the second
stand behind those of the first, whose ids keep their order, so that a model that knows the first goes on from the rows
it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from sensorium.checked import NAME
from sensorium.codecs import Codec, CodecStream, Facts, in_text
from sensorium.families.inner import PairCodec
from sensorium.families.out_stream import OutStream
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal


class EitherCodec(PairCodec):
    """Media to the codes of one of two codecs.

    Args:
        first: a codec of one codebook, without a header, that reads, and makes any number of codes, perhaps none.
        second: another one that reads the same modality, and makes no more of them.
        name: of the codec among those of a model; that of ``first`` where None.

    Raises:
        InputError: the codecs are of two modalities, or are not as said.
    """

    family: ClassVar[str] = "either"

    def __init__(self, first: Codec, second: Codec, name: NAME | None = None):
        one, other = first.facts, second.facts
        if one.modality != other.modality:
            raise InputError(f"{one.name!r} takes {one.modality}, {other.name!r} {other.modality}; give codecs of one")
        for facts in (one, other):
            if facts.header or facts.codebooks != 1:
                raise InputError(f"codec {facts.name!r} has a header or several codebooks; give one with neither")
            if facts.use == "write":
                raise InputError(f"codec {facts.name!r} only writes; give one that reads")
        if one.grid != (None,):
            raise InputError(
                f"codec {one.name!r} cannot come first: its codes lie in a grid {one.grid}; take one that "
                "makes any number of them"
            )
        if one.min_frames or one.max_frames < other.max_frames:
            raise InputError(
                f"codec {one.name!r} cannot come first: it must be able to make no codes, and at least as many as "
                f"{other.name!r}, which makes up to {other.max_frames}"
            )
        self.first, self.second = first, second
        (self._own,), (more,) = one.codebook_sizes, other.codebook_sizes
        self.facts = Facts(
            name=name or one.name,
            modality=one.modality,
            codebook_sizes=(self._own + more,),
            grid=one.grid,
            max_frames=one.max_frames,
            min_frames=0,
            frame_rate_hz=one.frame_rate_hz,
            hop=one.hop,
            use=one.use,
            wish=one.wish if one.wish == other.wish else Wish(),
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media to codes; each codec fits them to its own wish. One that is all alike is none of the second's.

        Raises:
            InputError: as of the two codecs.
        """
        found = self.first.encode(signals)
        nothing = [place for place, codes in enumerate(found) if not len(codes) and _tells(signals[place])]
        others = self.second.encode([signals[place] for place in nothing]) if nothing else []
        for place, codes in zip(nothing, others, strict=True):
            found[place] = codes + self._own
        return found

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """By the first codec, whose codes alone can be turned back; the others are passed over.

        Raises:
            InputError: it only reads, or the codes are none of this codec.
        """
        return self.first.decode([self._of_first(self.layout.check(one)) for one in codes])

    def _of_first(self, codes: np.ndarray) -> np.ndarray:
        return codes[codes < self._own]

    def stream(self) -> CodecStream | None:
        """That of the first."""
        inner = self.first.stream()
        return None if inner is None else _EitherStream(inner, self)

    def words(self, codebook: int) -> Sequence[str] | None:
        """Those of both, where both have some."""
        both = [self.first.words(0), self.second.words(0)]
        return None if None in both else [word for words in both for word in in_text(words or ())]


def _tells(signal: Signal) -> bool:
    """Whether a medium is not all alike."""
    return signal.array.size > 0 and bool(np.ptp(signal.array) != 0)


class _EitherStream(OutStream):
    """The first codec's, less the codes of the second; a medium that comes in is not known to be the first's."""

    def __init__(self, inner: CodecStream, codec: EitherCodec) -> None:
        super().__init__(codec)
        self._inner, self._codec = inner, codec

    def pull(self, codes: np.ndarray) -> Signal | None:
        own = self._codec._of_first(codes)
        return self._inner.pull(own) if len(own) else None

    def rest(self) -> Signal | None:
        return self._inner.rest()
