"""The recipe ``speech``: sentences that are heard, written down and spoken; see README.md."""

from __future__ import annotations

from recipes.speech.data import data

from sensorium.recipe import Recipe

RECIPE = Recipe(
    name="speech",
    about="Speech: sentences that are heard, written down and spoken, by a teacher voice.",
    data=data,
)
