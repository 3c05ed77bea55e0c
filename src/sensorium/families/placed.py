"""The `placed` family: codes that lie over a grid, each with the number of its place before it.

A language model knows of its tokens how far they are from each other, not where they stand; where something lies in a
picture it must count. With places as codes it can look them up, at the cost of a second code for every one (as in
Pix2Seq places are tokens, arXiv 2109.10852). The medium cannot be had back; the codec only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from sensorium.checked import NAME, checked
from sensorium.codecs import Codec, Facts
from sensorium.families.inner import built, no_more, told
from sensorium.types import InputError, Signal

INNER = "inner"


class PlacedCodec(Codec):
    """Media to places and codes.

    Args:
        inner: a codec whose codes lie over a grid, one at each place, with nothing before them.
        name: of the codec among those of a model.

    Raises:
        InputError: another codec.
    """

    family: ClassVar[str] = "placed"
    suits: ClassVar[tuple[str, ...]] = ("image",)
    uses: ClassVar[tuple[str, ...]] = ("read",)

    def __init__(self, inner: Codec, name: NAME = "image-read"):
        facts = inner.facts
        if not facts.grid or facts.header or facts.codebooks != 1 or facts.fixed_frames != prod(facts.grid):
            raise InputError(
                f"the codes of {facts.name!r} have no places: take a codec of pictures with one code at each place"
            )
        self.inner = inner
        self.facts = Facts(
            name=name,
            modality=facts.modality,
            codebook_sizes=(prod(facts.grid), *facts.codebook_sizes),
            max_frames=facts.max_frames,
            min_frames=facts.min_frames,
            use="read",
            wish=facts.wish,
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media to codes, place by place."""
        places = np.arange(self.facts.codebook_sizes[0])
        return [np.stack([places, codes], axis=1).ravel() for codes in self.inner.encode(signals)]

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: the codes are there to be read; InputError."""
        raise self.only_reads(codes)

    def features(self, codebook: int) -> np.ndarray | None:
        """One-hot row and column of places; then those of the inner codec."""
        if codebook:
            return self.inner.features(0)
        rows, columns = self.inner.facts.grid or (1, 1)
        return np.hstack([np.repeat(np.eye(rows), columns, 0), np.tile(np.eye(columns), (rows, 1))]).astype(np.float32)

    def config(self) -> dict[str, Any]:
        return {"name": self.facts.name, INNER: told(self.inner)}

    def tensors(self) -> dict[str, np.ndarray]:
        return self.inner.tensors()

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> PlacedCodec:
        given = checked(config, Mapping[str, Any], "config")
        no_more(given, {INNER, "name"}, cls)
        return cls(built(given.get(INNER), INNER, cls, tensors), name=checked(given.get("name"), NAME, "name"))
