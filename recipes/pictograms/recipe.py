"""The recipe ``pictograms``: pictures and words from public drawing sets; see README.md."""

from __future__ import annotations

from recipes.pictograms import pictures
from recipes.pictograms.codec import IMAGE, KMEANS
from recipes.pictograms.evaluate import evaluate
from recipes.pictograms.judge import JUDGE
from recipes.pictograms.nano import NANO
from recipes.pictograms.reading import learner
from recipes.pictograms.words import WORDS

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="pictograms",
    about="Pictures with words, from public drawing sets: nano, the model in the box.",
    data=lambda: pictures.make(),
    codecs={
        "image": IMAGE,
        "image-read": learner(),
        "image-read-without-fxemoji": learner("fxemoji"),  # settings were chosen on a family left out
        "image-words": WORDS,
        "kmeans": KMEANS,
    },
    models={
        "nano": NANO,
        "judge": JUDGE,
    },
    evaluate=evaluate,
)
