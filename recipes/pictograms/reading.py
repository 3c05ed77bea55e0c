"""The reading codec `image-read`: a few codes from which a picture's name can be told, whoever drew it.

``python -m recipes pictograms codec image-read train`` trains the encoder, ``... encode`` looks at every picture of the
table with it, in several views, and ``... report`` measures it.

The encoder learns names, categories and words from the training families, see `sensorium.learning.telling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from recipes.pictograms.codec import batches, codec_folder, drawings, kept, trained_codec, training_pictures
from recipes.pictograms.concepts import Picture, load_pictures, load_pixels

from sensorium.data.labelled import Labelled
from sensorium.data.table import grouped
from sensorium.data.views import look
from sensorium.evaluate import top
from sensorium.families.net_codec import net_to_pixels, pixels_to_net
from sensorium.families.semantic import SemanticCodec, SemanticConfig
from sensorium.learning.telling import Reader, losses, name_ranks
from sensorium.learning.training import CodecTraining, train_codec, trained_net
from sensorium.modalities.augment import augment
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

SHAPE = SemanticConfig()
VIEWS = 5
"""How often `encode` looks at every picture: once as it is, then at augmented ones."""


def report(reader: Reader, shown: Labelled[Picture], pictures: Sequence[Picture]) -> None:
    """Print how often the tables tell the name, before and after quantisation, by family."""
    codec, pixels = SemanticCodec(SHAPE, reader.net), load_pixels()
    at = {name: number for number, name in enumerate(shown.classes["name"])}
    seen = [p for p in pictures if p.split == "train" and not p.toned and p.label in at]
    for family, own in sorted(grouped(seen, lambda p: p.family).items()):
        values = codec.values([Signal(pixels[p.medium]) for p in own])
        for what, levels in (("not quantised", False), ("from codes", True)):
            ranks = name_ranks(reader, values, [at[p.label] for p in own], levels)
            print(f"{family}, {what}: name top-1 {top(ranks, 1)}, top-5 {top(ranks, 5)}", flush=True)


def reading_codec() -> SemanticCodec:
    codec = trained_codec(SHAPE.name)
    if not isinstance(codec, SemanticCodec):
        raise InputError(f"the reading codec is of the family {codec.family!r}; train it with this recipe")
    return codec


def encode() -> None:
    """Look at every picture of the table: (views, pictures, channels) float16 values before quantisation."""
    pixels = load_pixels()
    codec = reading_codec()
    values = lambda batch: codec.values(list(map(Signal, batch)))  # noqa: E731
    kept(SHAPE.name).write(look(values, lambda: map(np.array, batches(pixels)), changed, VIEWS, seed=0))


def changed(pixels_BSS3: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same pictures as other families might draw or place them."""
    return net_to_pixels(augment(pixels_to_net(torch.from_numpy(pixels_BSS3)), generator)).numpy()


def learner(*without: str) -> Learner:
    """The codec trained on all families, or on all but some, on which it is then measured: to choose settings."""
    place = codec_folder(SHAPE.name + "".join(f"-without-{family}" for family in without))
    checkpoint = place / "reader.safetensors"

    def made() -> tuple[Reader, Labelled[Picture], list[Picture]]:
        pictures = load_pictures()
        shown = drawings(training_pictures(pictures, without))
        torch.manual_seed(0)
        asked = [p for p in pictures if p.held_out or p.family in without]
        return Reader(SHAPE, shown.counts), shown, asked

    def train(minutes: float, start: str = "") -> None:
        if start:
            raise InputError("the reading codec's tables of names are not in a model, so it cannot start from one")
        reader, shown, asked = made()
        training = CodecTraining(minutes=minutes, batch=128, lr=8e-3, adam_share=0.7, weight_decay=0.1)
        train_codec(reader, shown.changed(augment), losses, training, checkpoint=checkpoint)
        SemanticCodec(SHAPE, reader.net).save(place / "codec")
        report(reader, shown, asked)

    def measure(out: Path) -> None:
        reader, shown, asked = made()
        reader.load_state_dict(trained_net(checkpoint))
        report(reader, shown, asked)

    return Learner(train=train, minutes=40, report=measure, encode=None if without else encode)
