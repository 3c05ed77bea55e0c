"""The recipe ``sounds``: sounds that are no speech, and what codes tell of them; see README.md."""

from __future__ import annotations

from recipes.sounds.codec import SOUND_WORDS, WORDS_LEARNER
from recipes.sounds.evaluate import evaluate
from recipes.sounds.samples import make

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="sounds",
    about="Sounds that are no speech: kinds from a few examples, and what lies near to what.",
    data=make,
    codecs={SOUND_WORDS: WORDS_LEARNER},
    evaluate=evaluate,
)
