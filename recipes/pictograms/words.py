"""The reading codec `image-words`: a picture as the names that fit it best, for an LLM that knows the names already.

``python -m recipes pictograms codec image-words train`` learns where each name lies among what the reading codec
`image-read` sees (half a minute, once that has encoded the table), and ``... report`` tells how often the true name is
the first, or among those that the model is told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from recipes.pictograms.codec import codec_folder, kept, trained_codec
from recipes.pictograms.concepts import Concepts, Gallery, load_pictures
from recipes.pictograms.reading import SHAPE, reading_codec

from sensorium.evaluate import top
from sensorium.families.lexical import LexicalCodec, learn_points
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

NAME = "image-words"


def words_codec() -> LexicalCodec:
    codec = trained_codec(NAME)
    if not isinstance(codec, LexicalCodec):
        raise InputError(f"the codec {NAME} is of the family {codec.family!r}; train it with this recipe")
    return codec


def train(minutes: float, start: str = "") -> None:
    """Learn the points of the names of emoji, from all views of the drawings that may be trained on."""
    if start:
        raise InputError("the words of a picture are learned anew in half a minute; leave out --start")
    views_VNC = kept(SHAPE.name).read().astype(np.float32)
    shown = Concepts(load_pictures()).emoji
    looks, numbers = [], []
    for number, concept in enumerate(shown):
        media = [picture.medium for picture in concept.plain]
        looks.append(views_VNC[:, media].reshape(-1, views_VNC.shape[2]))
        numbers += [number] * len(looks[-1])
    points_WC = learn_points(np.concatenate(looks), numbers, len(shown))
    words = [concept.label for concept in shown]
    LexicalCodec(reading_codec(), words, points_WC, NAME).save(codec_folder(NAME) / "codec")
    report(Path())


def report(out: Path) -> None:
    """Print how often the true name of a drawing of a held-out family is first, or among the codes."""
    codec, gallery = words_codec(), Gallery()
    at = {word: number for number, word in enumerate(codec.words(0))}
    asked = [one for one in gallery.held_out(500, 0) if one.label in at]
    codes_NK = np.stack(codec.encode([Signal(gallery.pixels[one.medium]) for one in asked]))
    found = codes_NK == np.array([at[one.label] for one in asked])[:, None]
    ranks = np.where(found.any(1), found.argmax(1), len(at)).tolist()
    print(f"{len(at)} words; name first: {top(ranks, 1)}, among {codes_NK.shape[1]}: {top(ranks, codes_NK.shape[1])}")


WORDS = Learner(train=train, minutes=0, report=report)
