"""Sounds that are no speech, for smol: what a sound is called, in turns of their own.

``python -m recipes smol train smol-sounds`` goes on from smol. Only the rows of the codes that name sounds are learned,
so everything else is as it was, to the bit: no other sense needs to be in the mixture.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from random import Random
from typing import Any

import numpy as np
from recipes.smol.senses import HOME, hearing
from recipes.sounds.codec import WORDS, called, named, sound_words
from recipes.speech.spelled import WORDS as HEARD
from recipes.speech.tasks import ASK_SAID, usually_first

from sensorium.data.views import remembered
from sensorium.families.either import EitherCodec
from sensorium.files import cache_dir
from sensorium.types import Conversation, Message, Part, as_message

TURNS, SEED, SPREAD = 8, 1, 0.3
"""Sounds in a conversation; of the sounds, other notes than the codec learned from; of what is added to values."""
ASK_SOUND = ("What sound is it?", "What makes this sound?", "Which instrument is it?", "What is it?")
ASK_IF = "Is it the sound of {}?"
NAMED, IF, SAID = 0.7, 0.2, 0.1
"""How often a sound is to be named, is said to be one or another, and is to be written down."""


@cache
def listening() -> EitherCodec:
    """What is said in a sound or, where nothing is, what it sounds like."""
    return EitherCodec(hearing(), sound_words(), HEARD)


@cache
def _seen() -> tuple[np.ndarray, np.ndarray]:
    """Values (N, C) of sounds, and the numbers (N,) of their names."""
    codec: Any = listening().second

    def found() -> np.ndarray:
        sounds, numbers = zip(*named(SEED), strict=True)
        return np.column_stack([codec.values(sounds), numbers])

    kept_NX = remembered(cache_dir() / HOME / "sounds.npz", codec.fingerprint(), found)
    return kept_NX[:, :-1], kept_NX[:, -1].astype(np.int64)


def sound(random: Random) -> Conversation:
    """Some sounds, one after the other."""
    return Conversation(tuple(chain(*(_turn(random) for _ in range(random.randint(1, TURNS))))))


def _turn(random: Random) -> tuple[Message, Message]:
    values_NC, numbers_N = _seen()
    number = random.randrange(len(WORDS))
    place = random.choice(np.flatnonzero(numbers_N == number).tolist())
    told = called(WORDS[number])
    kind = random.choices(("named", "if", "said"), (NAMED, IF, SAID))[0]
    if kind == "named":
        ask, answer = usually_first(ASK_SOUND, random), told
    elif kind == "said":
        ask, answer = usually_first(ASK_SAID, random), f"({WORDS[number]})"
    else:
        true = random.random() < 0.5
        other = random.choice([word for word in WORDS if word != WORDS[number]])
        ask, answer = ASK_IF.format(told if true else called(other)), "yes" if true else "no"
    return as_message("user", [_heard(values_NC[place], random), ask]), as_message("assistant", answer)


def _heard(values_C: np.ndarray, random: Random) -> Part:
    rng = np.random.default_rng(random.getrandbits(64))
    codec: Any = listening().second
    (codes,) = codec.quantise(values_C[None] + SPREAD * rng.standard_normal((1, len(values_C))))
    return Part("audio", codes=codes + len(hearing().pieces), codec=HEARD)
