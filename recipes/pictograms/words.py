"""The reading codec `image-words`: a picture as the names that fit it best, for an LLM that knows the names already.

``python -m recipes pictograms codec image-words train`` learns where each name lies among what the reading codec
`image-read` sees (once that has encoded the table) and among what EfficientNet-lite0 sees, a network that learned from
photographs and is taken from installed packages: drawings are told by the first, photographs by the second. ``...
report`` tells how often the true name is the first, or among those that the model is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from recipes.pictograms.codec import codec_folder, kept, trained_codec
from recipes.pictograms.concepts import Concept, Concepts, Gallery, load_pictures, load_pixels
from recipes.pictograms.reading import SHAPE, changed, reading_codec

from sensorium.evaluate import top
from sensorium.families.lexical import LexicalCodec, learn_points
from sensorium.families.seen import LITE
from sensorium.families.sight import FeatureSight
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

NAME = "image-words"
LOOKS, SIDE_PX = 3, 128
"""Of EfficientNet-lite0 at a drawing: as it is, and as other families might draw it; and how large it is then."""


def words_codec() -> LexicalCodec:
    codec = trained_codec(NAME)
    if not isinstance(codec, LexicalCodec):
        raise InputError(f"the codec {NAME} is of the family {codec.family!r}; train it with this recipe")
    return codec


def train(minutes: float, start: str = "") -> None:
    """Learn the points of the names of emoji, from all views of the drawings that may be trained on."""
    if start:
        raise InputError("the words of a picture are learned anew in some minutes; leave out --start")
    shown = Concepts(load_pictures()).emoji
    sight, seen_VNC = photographed([picture.medium for concept in shown for picture in concept.plain])
    codec = learned(shown, sight, seen_VNC)
    codec.save(codec_folder(NAME) / "codec")
    report(Path())


def photographed(media: Sequence[int]) -> tuple[FeatureSight, np.ndarray]:
    """What EfficientNet-lite0 sees in pictures of the table, (looks, N, C)."""
    pixels, rng = load_pixels()[np.asarray(media)], np.random.default_rng(0)
    looks = [pixels, *(changed(pixels, rng) for _ in range(LOOKS - 1))]
    signals = [Signal(one) for look in looks for one in look]
    sight, seen_NC = FeatureSight.fit(signals, "seen", "image", source=LITE, side_px=SIDE_PX)
    return sight, seen_NC.reshape(LOOKS, len(media), -1)


def learned(
    shown: Sequence[Concept], sight: FeatureSight | None = None, seen_VNC: np.ndarray | None = None
) -> LexicalCodec:
    """The codec of these names, by `image-read` and by another sight, if there is one.

    Args:
        seen_VNC: values of the other sight, of all plain pictures of the names in their order, in several looks.
    """
    media = [[picture.medium for picture in concept.plain] for concept in shown]
    flat, counts = [one for some in media for one in some], [len(some) for some in media]
    values_VNC = kept(SHAPE.name).read()[:, flat].astype(np.float32)
    sights: list = [reading_codec()]
    if sight is not None and seen_VNC is not None:
        looks = np.arange(len(values_VNC)) % len(seen_VNC)
        values_VNC = np.concatenate([values_VNC, seen_VNC[looks]], axis=2)
        sights.append(sight)
    numbers = np.tile(np.repeat(np.arange(len(shown)), counts), len(values_VNC))
    blocks = (reading_codec().net.deep.out_features, *(one.channels for one in sights[1:]))
    points_WC = learn_points(values_VNC.reshape(-1, sum(blocks)), numbers.tolist(), len(shown), blocks=blocks)
    return LexicalCodec(sights, [concept.label for concept in shown], points_WC, NAME)


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
