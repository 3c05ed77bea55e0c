"""What smol sees and hears with, and the media that it learns from, in its codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from recipes.pictograms.codec import kept
from recipes.pictograms.concepts import Concepts, load_pictures, load_pixels
from recipes.pictograms.nano import NOISE
from recipes.pictograms.nano import READER as SEEN
from recipes.pictograms.words import kept_photographed, words_codec
from recipes.scenes.codec import trained
from recipes.smol.base import smol_tokenizer
from recipes.speech.coded import Coded, encode
from recipes.speech.errors import normalised
from recipes.speech.model import trained_codec, trained_on
from recipes.speech.spelled import WORDS as HEARD
from recipes.speech.spelled import written
from recipes.speech.texts import Texts, texts_of

from sensorium.data.views import Numbered, Views, remembered
from sensorium.device import computing
from sensorium.families.spelled import SpelledCodec
from sensorium.families.things import ThingsCodec
from sensorium.families.tracks import TracksCodec
from sensorium.files import cache_dir
from sensorium.types import Signal

HOME = Path("smol")
VIEWS = 2
"""Of each clip: as it is, and changed as other rooms and microphones might."""
NOTHING = -1
SURE = 0.4
"""Chance from which a thing is held to be there, see `ThingsConfig`."""
TOKENS, COUNTED = 4000, 20_000
"""Tokens of the base that speech is told in, and texts by which they are chosen."""


@cache
def seeing() -> ThingsCodec:
    """What tells things, which is to be surer of them: pictograms show few."""
    codec: Any = trained()
    return ThingsCodec(replace(codec.settings, threshold=SURE), codec.net)


@cache
def watching() -> TracksCodec:
    return TracksCodec(trained())


@dataclass(frozen=True, kw_only=True)
class Looks(Views):
    """Views of pictures in names, and after them, as they are, the things in them."""

    things: Sequence[np.ndarray]

    def read(self, number: int, random: Random) -> np.ndarray:
        return np.concatenate([super().read(number, random), self.things[number]])


@cache
def seen() -> Numbered:
    """What the codec makes of the pictures of the table."""
    names, things = words_codec(), seeing()

    def found() -> np.ndarray:
        pixels = load_pixels()
        media = sorted({picture.medium for concept in concepts() for picture in concept.pictures})
        with computing("auto", things.device):
            codes = things.encode([Signal(pixels[medium]) for medium in media])
        rows = np.full((len(pixels), things.facts.max_frames * things.facts.codebooks), NOTHING)
        for medium, one in zip(media, codes, strict=True):
            rows[medium, : len(one)] = one
        return rows

    rows = remembered(cache_dir() / HOME / "things.npz", things.fingerprint(), found)
    listed = [row[row != NOTHING] for row in rows]
    looks = Looks(codec=SEEN, values_VND=_values(len(rows)), quantise=names.quantise, noise=NOISE, things=listed)
    return Numbered(views=looks)


def _values(count: int) -> np.ndarray:
    """(V, pictures of the table, values) of all that sees, noughts for pictures without a name."""
    beside = kept_photographed()
    known_VND = beside.beside(kept(SEEN).read(), beside.media.tolist())
    values_VND = np.zeros((len(known_VND), count, known_VND.shape[2]), np.float16)
    values_VND[:, beside.media] = known_VND
    return values_VND


@cache
def texts() -> Texts:
    return Texts.fetched()


@cache
def hearing() -> SpelledCodec:
    """What hears, with all of Whisper base, and says, in tokens of the base."""
    codec: Any = trained_codec(HEARD)
    counted = texts_of(texts(), COUNTED, "train", "pieces")
    own = codec.in_tokens_of(smol_tokenizer(), (normalised(one.text, one.language) for one in counted), TOKENS)
    return written(own)


@cache
def heard() -> Coded:
    """The training clips in pieces of words; what is misheard, the views mishear."""
    codec, clips = hearing(), trained_on()
    with computing("auto", codec.device):
        read = encode(codec, clips, cache_dir() / HOME / "clips.npz", lambda clip: VIEWS)
    written = {clip.path: [codec.cut(normalised(clip.text, clip.lang))] for clip in clips}
    return Coded(reader=HEARD, writer=HEARD, read=read, written=written, change=lambda codes, random: codes)


@cache
def concepts() -> Concepts:
    return Concepts(load_pictures())
