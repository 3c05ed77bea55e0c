"""The codec `sound-words`: a sound that is no speech to the three of the known names that fit best.

What sees is the encoder of Whisper base, behind its third layer, which learns nothing; where each name lies among what
it hears is learned from notes (`recipes.sounds.notes`), each as it is and as another microphone and room may have heard
it. Beside instruments and effects two names stand for what is none: noise, and a voice whose words nobody could write
down.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from recipes.pictograms.phrases import phrase
from recipes.sounds.notes import KINDS, played
from recipes.speech.augment import augmented, coloured
from recipes.speech.clips import folder as clips_folder
from recipes.speech.model import trained_on
from recipes.speech.sound import at_rate, read_sound
from recipes.speech.spelled import EAR

from sensorium.codecs import load_codec
from sensorium.evaluate import Results
from sensorium.families.lexical import LexicalCodec, learn_points
from sensorium.families.sight import FeatureSight
from sensorium.files import cache_dir
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

SOUND_WORDS = "sound-words"
RATE_HZ = 16000.0
NOISE, VOICE = "noise", "voice"
WORDS = [*KINDS, NOISE, VOICE]
OF_A_KIND, VIEWS, CODES, LAYER, EACH = 40, 2, 3, 3, 6
"""Sounds of a name that are learned from; views of each; names of a sound; layer of the encoder; sounds of a name that
are asked about."""


def called(word: str) -> str:
    """A name as one says it: ``piano`` -> ``a piano``."""
    return word if word == NOISE else phrase(word)


def home() -> Path:
    return cache_dir() / "sounds" / SOUND_WORDS


def sound_words() -> LexicalCodec:
    """The codec as it was trained last; trained where there is none."""
    if not home().exists():
        train()
    codec = load_codec(home())
    assert isinstance(codec, LexicalCodec)
    return codec


def train(minutes: float = 0, start: str = "", seed: int = 0) -> None:
    """Learn where the names lie, in some minutes, most of them of hearing.

    Raises:
        InputError: something is named to start from.
    """
    if start:
        raise InputError("the names of sounds are learned anew; leave out --start")
    sounds, numbers = zip(*named(seed), strict=True)
    sight, values_NC = FeatureSight.fit(sounds, "heard", "audio", source=EAR, layer=LAYER)
    points_WC = learn_points(values_NC, numbers, len(WORDS), seed=seed)
    LexicalCodec(sight, WORDS, points_WC, SOUND_WORDS, CODES).save(home())


def named(seed: int = 0) -> Iterator[tuple[Signal, int]]:
    """Sounds with the numbers of their names, in all views."""
    rng = np.random.default_rng(seed)
    for note in played("train", OF_A_KIND * len(KINDS), seed):
        yield from ((one, KINDS.index(note.kind)) for one in views(note.signal, rng))
    for _ in range(OF_A_KIND):
        yield from ((one, WORDS.index(NOISE)) for one in views(noise(rng), rng))
    clips = trained_on()
    for place in rng.choice(len(clips), OF_A_KIND, replace=False):
        sound = at_rate(read_sound(clips_folder() / clips[place].path), RATE_HZ)
        yield from ((one, WORDS.index(VOICE)) for one in views(sound, rng))


def views(sound: Signal, rng: np.random.Generator) -> list[Signal]:
    """A sound as it is, and changed."""
    changed = [augmented(sound.array[:, 0], RATE_HZ, rng) for _ in range(VIEWS - 1)]
    return [sound, *(Signal(one[:, None], RATE_HZ) for one in changed)]


def noise(rng: np.random.Generator) -> Signal:
    """Up to four seconds between white and brown."""
    samples = coloured(int(rng.uniform(0.2, 4.0) * RATE_HZ), 1.0, rng)
    return Signal((0.3 * samples / np.abs(samples).max()).astype(np.float32)[:, None], RATE_HZ)


def report(out: Path) -> None:
    """Names of notes that it has not heard; see `recipes.sounds.evaluate`."""
    from recipes.sounds.naming import name_by_codec

    results = Results()
    name_by_codec(results, EACH, 0)
    results.save(out, "names")


WORDS_LEARNER = Learner(train=train, minutes=0, report=report)
