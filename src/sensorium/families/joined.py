"""The `joined` family: two codecs that read the same medium, one after the other.

What the first makes of the whole stands in the header, then come the codes of the second: a picture is told by a few
codes of what it shows, and then by codes of what lies where. The ids of the first keep their order, so that a model
that knows it goes on from the rows it has. The medium cannot be had back; the codec only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from sensorium.checked import NAME
from sensorium.codecs import Codec, Facts
from sensorium.families.inner import FIRST, PairCodec
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

MOST_CODES = 64
"""Of the first codec: each has a codebook of its own."""


class JoinedCodec(PairCodec):
    """Media to the codes of two codecs.

    Args:
        first: a codec of the modality whose media all have as many codes.
        second: another one, without a header.
        name: of the codec among those of a model.

    Raises:
        InputError: the codecs are of two modalities, or are not as said.
    """

    family: ClassVar[str] = "joined"
    uses: ClassVar[tuple[str, ...]] = ("read",)

    def __init__(self, first: Codec, second: Codec, name: NAME = "image-read"):
        one, other = first.facts, second.facts
        if one.modality != other.modality:
            raise InputError(f"{one.name!r} reads {one.modality}, {other.name!r} {other.modality}; join codecs of one")
        count = one.fixed_frames and one.fixed_frames * one.codebooks + len(one.header)
        if not count or count > MOST_CODES:
            raise InputError(
                f"codec {one.name!r} cannot come first: take one that makes at most {MOST_CODES} codes of every medium"
            )
        if other.header:
            raise InputError(f"codec {other.name!r} has a header of its own; take one without, or let it come first")
        self.first, self.second = first, second
        sizes = (*(size for _, size in one.header), *one.codebook_sizes * (one.fixed_frames or 1))
        self.facts = Facts(
            name=name,
            modality=one.modality,
            codebook_sizes=other.codebook_sizes,
            header=tuple((f"{FIRST}{place}", size) for place, size in enumerate(sizes)),
            grid=other.grid,
            max_frames=other.max_frames,
            min_frames=other.min_frames,
            frame_rate_hz=other.frame_rate_hz,
            hop=other.hop,
            use="read",
            wish=one.wish if one.wish == other.wish else Wish(),
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media to codes; each codec fits them to its own wish."""
        pairs = zip(self.first.encode(signals), self.second.encode(signals), strict=True)
        return [np.concatenate(pair) for pair in pairs]

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: the codes are there to be read; InputError."""
        raise self.only_reads(codes)

    def header_features(self, codebook: int) -> np.ndarray | None:
        """Those of the first codec's codebook."""
        head = len(self.first.facts.header)
        if codebook < head:
            return self.first.header_features(codebook)
        return self.first.features((codebook - head) % self.first.facts.codebooks)

    def features(self, codebook: int) -> np.ndarray | None:
        return self.second.features(codebook)

    def header_words(self, codebook: int) -> Sequence[str] | None:
        """Those of the first codec's codebook."""
        head = len(self.first.facts.header)
        if codebook < head:
            return self.first.header_words(codebook)
        return self.first.words((codebook - head) % self.first.facts.codebooks)

    def words(self, codebook: int) -> Sequence[str] | None:
        return self.second.words(codebook)
