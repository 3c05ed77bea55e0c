"""Bits of names and drawings under a model, beside an n-gram of the same ids.

Names are those of drawings in held-out families. Drawings are of concepts that no model was trained on, in the styles
that are drawn when none is asked for. The baselines learn from names and drawings of training.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from recipes.pictograms.concepts import Concept, Gallery, Picture
from recipes.pictograms.tasks import drawing_prompt, named

from sensorium.evaluate import Results
from sensorium.evaluate.bits import measure_bits
from sensorium.types import Conversation, Message, Part

TAUGHT = 5
"""Drawings that the baselines learn from, for each held-out one."""


def bits_report(
    results: Results,
    model: Any,
    gallery: Gallery,
    shown: Iterable[Picture],
    names: int,
    seed: int,
    minutes: float = 0.0,
) -> None:
    """Rows of `sensorium.evaluate.bits` for ``shown``, and for drawings of at most ``names`` unseen concepts.

    Args:
        results: where they go.
        minutes: of the LSTM, 0 for none.
    """
    seen = [concept for concept in gallery.concepts.emoji if concept.default_picture]
    drawn = gallery.drawable(names, seed)
    taught = [_named(gallery, concept.default_picture, concept.label) for concept in seen]
    taught += [_drawn(gallery, one) for one in Random(seed).sample(seen, min(len(seen), TAUGHT * len(drawn)))]
    held_out = [_named(gallery, one, one.label) for one in shown] + [_drawn(gallery, one) for one in drawn]
    found = measure_bits(model, held_out, taught, minutes=minutes, say=results.say)
    results.rows += [row._replace(measure=f"pictograms, {row.measure}") for row in found.rows]
    results.notes |= found.notes


def _named(gallery: Gallery, picture: Picture | None, label: str) -> Conversation:
    assert picture is not None
    return named(Part("image", data=gallery.pixels[picture.medium]), label)


def _drawn(gallery: Gallery, concept: Concept) -> Conversation:
    assert concept.default_picture is not None
    part = Part("image", data=gallery.pixels[concept.default_picture.medium])
    return Conversation((*drawing_prompt(concept.label).messages, Message("assistant", (part,))))
