"""The recipe ``speech``: sentences that are heard, written down and spoken; see README.md."""

from __future__ import annotations

from recipes.speech.data import data
from recipes.speech.evaluate import evaluate
from recipes.speech.model import LISTEN, READER, SPEECH, WRITER, learner

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="speech",
    about="Speech: sentences that are heard, written down and spoken, by a teacher voice.",
    data=data,
    codecs={WRITER: learner(WRITER), READER: learner(READER)},
    models={"listen": LISTEN, "speech": SPEECH},
    evaluate=evaluate,
)
