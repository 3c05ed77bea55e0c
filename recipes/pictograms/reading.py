"""The reading codec `image-read`: a few codes from which a picture's name can be told, whoever drew it.

``python -m recipes pictograms codec image-read train`` trains the encoder, ``... encode`` looks at every picture of the
table with it, in several views, and ``... report`` measures it.

The encoder learns names, categories and words from the training families, through the quantised values: pictures of
the same name must get codes that point the same way. The codec keeps none of these lists, see
`sensorium.codecs.semantic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.codec import Drawings, batches, codec_folder, trained_codec, training_pictures
from recipes.pictograms.concepts import Picture, load_pictures, load_pixels
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs.fsq import net_to_pixels, pixels_to_net
from sensorium.codecs.semantic import SemanticCodec, SemanticConfig, SemanticNet
from sensorium.codecs.training import CodecTraining, train_codec, trained_net
from sensorium.data.table import grouped
from sensorium.data.views import look
from sensorium.evaluate import top
from sensorium.files import atomic_file
from sensorium.modalities.augment import augment
from sensorium.recipe import Learner
from sensorium.types import InputError

SHAPE = SemanticConfig()
SMOOTHING = 0.1
VIEWS = 5
"""How often `encode` looks at every picture: once as it is, then at augmented ones."""


class Reader(nn.Module):
    """The encoder and, while it learns, tables of names, categories and words that pictures are compared with.

    Classes are compared by cosine, which suits thousands of rare classes.
    """

    def __init__(self, shape: SemanticConfig, classes: Sequence[int]) -> None:
        super().__init__()
        width = shape.codes * len(shape.levels)
        self.net = SemanticNet(shape)
        self.tables = nn.ParameterList(nn.Parameter(torch.randn(count, width) * 0.1) for count in classes)
        self.sharpness = nn.Parameter(torch.full((len(classes),), 2.5))
        self.tables.adam = True  # type: ignore[assignment]

    def told(self, values_BC: Tensor) -> list[Tensor]:
        """Logits (B, classes) of names, categories, words, from values on their levels (or before)."""
        point = F.normalize(values_BC, dim=1)
        return [self.sharpness[i].exp() * point @ F.normalize(table, dim=1).T for i, table in enumerate(self.tables)]


def losses(reader: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    """Cross-entropy of name, category and words."""
    name, group, words = reader.told(reader.net(batch["x"]))
    return {
        "name": F.cross_entropy(name, batch["name"], label_smoothing=SMOOTHING),
        "group": 0.3 * F.cross_entropy(group, batch["group"]),
        "words": 0.5 * F.cross_entropy(words, batch["words"]),
    }


def make_reader(drawings: Drawings, seed: int = 0) -> Reader:
    torch.manual_seed(seed)
    return Reader(SHAPE, (len(drawings.names), len(drawings.groups), len(drawings.words)))


@torch.inference_mode()
def name_ranks(
    reader: Reader, drawings: Drawings, values_NC: np.ndarray, pictures: Sequence[Picture], levels: bool = True
) -> list[int]:
    """For each picture, how many names lie nearer to its values than the true one.

    Args:
        levels: quantise the values first.
    """
    at = {name: i for i, name in enumerate(drawings.names)}
    values = torch.from_numpy(values_NC)[..., None, None]
    quantiser = reader.net.quantiser
    seen = quantiser(values) if levels else 2 * quantiser.bound(values) - 1
    scores = reader.eval().told(seen.flatten(1))[0]
    true = scores.gather(1, torch.tensor([[at[p.label]] for p in pictures]))
    return (scores > true).sum(1).tolist()


def report(reader: Reader, drawings: Drawings, pictures: Sequence[Picture]) -> None:
    """Print how often the tables tell the name, before and after quantisation, by family."""
    codec, known, pixels = SemanticCodec(SHAPE, reader.net), set(drawings.names), load_pixels()
    seen = [p for p in pictures if p.split == "train" and not p.toned and p.label in known]
    for family, shown in sorted(grouped(seen, lambda p: p.family).items()):
        values = codec.values([pixels[p.medium] for p in shown])
        for what, levels in (("not quantised", False), ("from codes", True)):
            ranks = name_ranks(reader, drawings, values, shown, levels)
            print(f"{family}, {what}: name top-1 {top(ranks, 1)}, top-5 {top(ranks, 5)}", flush=True)


def reading_codec() -> SemanticCodec:
    codec = trained_codec(SHAPE.name)
    if not isinstance(codec, SemanticCodec):
        raise InputError(f"the reading codec is of the family {codec.family!r}; train it with this recipe")
    return codec


def views_file() -> Path:
    return codec_folder(SHAPE.name) / "views.safetensors"


def encode() -> None:
    """Look at every picture of the table: (views, pictures, channels) float16 values before quantisation."""
    from safetensors.numpy import save_file

    pixels = load_pixels()
    found = look(reading_codec().values, lambda: map(np.array, batches(pixels)), changed, VIEWS, seed=0)
    with atomic_file(views_file()) as path:
        save_file({"values": found}, path)


def changed(pixels_BSS3: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same pictures as other families might draw or place them."""
    return net_to_pixels(augment(pixels_to_net(torch.from_numpy(pixels_BSS3)), generator)).numpy()


def learner(*without: str) -> Learner:
    """The codec trained on all families, or on all but some, on which it is then measured: to choose settings."""
    place = codec_folder(SHAPE.name + "".join(f"-without-{family}" for family in without))
    checkpoint = place / "reader.safetensors"

    def made() -> tuple[Reader, Drawings, list[Picture]]:
        pictures = load_pictures()
        drawings = Drawings(load_pixels(), training_pictures(pictures, without))
        asked = [p for p in pictures if p.held_out or p.family in without]
        return make_reader(drawings), drawings, asked

    def train(minutes: float, start: str = "") -> None:
        if start:
            raise InputError("the reading codec's tables of names are not in a model, so it cannot start from one")
        reader, drawings, asked = made()
        training = CodecTraining(minutes=minutes, batch=128, lr=8e-3, adam_share=0.7, weight_decay=0.1)
        train_codec(reader, drawings.changed(augment), losses, training, checkpoint=checkpoint)
        SemanticCodec(SHAPE, reader.net).save(place / "codec")
        report(reader, drawings, asked)

    def measure(out: Path) -> None:
        reader, drawings, asked = made()
        reader.load_state_dict(trained_net(checkpoint))
        report(reader, drawings, asked)

    return Learner(train=train, minutes=40, report=measure, encode=None if without else encode)
