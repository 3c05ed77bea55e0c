"""Voices: blends of the teacher's style vectors, named by what they are made of.

``kumo.7alpha.3`` is 0.7 of the speaker kumo and 0.3 of alpha; a weight may be above 1 or below 0, which leads out of
what lies between two speakers. One voice speaks; all of `LISTENING` are listened to; `UNSEEN` only test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from sensorium.types import InputError

SPEAKING = "kumo"
LISTENING = (
    "alpha", "nezumi", "tebukuro", "kumo.5nezumi.5", "kumo.7alpha.3", "kumo1.3alpha-.3", "kumo.5tebukuro.5",
    "alpha.6nezumi.4", "kumo1.3nezumi-.3", "kumo.4alpha.3nezumi.3",
)  # fmt: skip
UNSEEN = ("kumo.6gongitsune.4", "alpha.5gongitsune.5")

_TERM = re.compile(r"([a-z]+)(-?\d*\.?\d*)")


def terms(voice: str) -> dict[str, float]:
    """The weight of every speaker in a voice.

    Raises:
        InputError: the name is no blend.
    """
    found = _TERM.findall(voice)
    try:
        weights = {name: float(weight or 1) for name, weight in found}
    except ValueError:
        weights = {}
    if not weights or "".join(name + weight for name, weight in found) != voice:
        raise InputError(f"{voice!r} names no voice; write speakers with their weights, such as kumo.7alpha.3")
    return weights


def blend(voice: str, speakers: Mapping[str, np.ndarray]) -> np.ndarray:
    """The style vectors of a voice, one for every number of phonemes.

    Args:
        speakers: style vectors by speaker, all of one shape.

    Raises:
        InputError: the name is no blend, or one of its speakers is unknown.
    """
    weights = terms(voice)
    unknown = sorted(set(weights) - set(speakers))
    if unknown:
        raise InputError(f"the voice {voice!r} has the unknown speaker {unknown[0]}; known are {', '.join(speakers)}")
    return np.sum([np.float32(weight) * speakers[name] for name, weight in weights.items()], axis=0)
