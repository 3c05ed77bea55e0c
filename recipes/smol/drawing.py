"""smol draws: words to the codes of a picture or of a clip, which are lists of what is where, and when.

A model that tells what a picture shows in such codes has words for all of them; to draw is to say them. Codes are made
of scenes (`recipes.scenes.wishes`, `recipes.motion.wishes`), nothing is rendered. Only what training may show is shown.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
from recipes.motion import wishes as clips
from recipes.motion.clips import FRAMES
from recipes.scenes import wishes as pictures
from recipes.scenes.look import drawing

from sensorium.codecs import Codec
from sensorium.families.things import ThingsCodec
from sensorium.families.tracks import TracksCodec
from sensorium.types import Conversation, Message, Part, as_message

PAINTER, FILMER = "image", "video"
"""Names of the codecs that write."""


@cache
def painting() -> ThingsCodec:
    """What draws pictures: it reads as `recipes.smol.senses.seeing` does, but is there to write."""
    codec = drawing()
    return codec.but(config=replace(codec.settings, name=PAINTER, use="write"))


@cache
def filming() -> TracksCodec:
    """What draws clips, none shorter than those that training shows."""
    return TracksCodec(drawing(), name=FILMER, use="write", drawn_moments=FRAMES)


def paint(random: Random) -> Conversation:
    """A wish for a picture, and its codes."""
    wished = pictures.wish(random)
    return _fulfilled(wished.words, painting(), wished.codes(painting()))


def film(random: Random) -> Conversation:
    """A wish for a clip, and its codes."""
    wished = clips.wish(random)
    return _fulfilled(wished.words, filming(), wished.codes(filming()))


def _fulfilled(words: str, codec: Codec, codes: np.ndarray) -> Conversation:
    part = Part(codec.facts.modality, codes=codes, codec=codec.facts.name)
    return Conversation((as_message("user", words), Message("assistant", (part,))))
