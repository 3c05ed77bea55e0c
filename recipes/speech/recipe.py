"""The recipe ``speech``: sentences that are heard, written down and spoken; see README.md."""

from __future__ import annotations

from recipes.speech.data import data
from recipes.speech.evaluate import evaluate
from recipes.speech.model import MEL, READER, SPEAKER, TALK, learner
from recipes.speech.spelled import WORDS

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="speech",
    about="Speech: sentences that are heard, written down and spoken, by a teacher voice.",
    data=data,
    codecs={name: learner(name) for name in (READER, SPEAKER, WORDS, MEL)},
    models={"talk": TALK},
    evaluate=evaluate,
)
