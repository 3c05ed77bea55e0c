"""The reading codec `image-read`: a few codes from which a picture's name can be told, whoever drew it.

``python -m recipes.pictograms.reading train --minutes 40`` trains the encoder (a later call goes on from its last
checkpoint); `recipes.pictograms.nano` takes the codec into the package. ``... report`` measures it.

The encoder learns names, categories and words from the training families, through the quantised values: pictures of
the same name must get codes that point the same way. The codec keeps none of these lists, see
`sensorium.families.semantic`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.augment import augment
from recipes.pictograms.codec import Drawings, codec_folder, load_pixels, training_pictures
from recipes.pictograms.concepts import Picture, load_pictures
from recipes.pictograms.intervals import top
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.families.semantic import SemanticCodec, SemanticConfig, SemanticNet
from sensorium.learning.training import CodecTraining, train_codec, trained_net

SHAPE = SemanticConfig()
SMOOTHING = 0.1


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


def train(drawings: Drawings, minutes: float, checkpoint: Path | None = None) -> Reader:
    """Train the encoder on drawings."""
    reader = make_reader(drawings)
    training = CodecTraining(minutes=minutes, batch=128, lr=8e-3, adam_share=0.7, weight_decay=0.1)
    train_codec(reader, drawings.changed(augment), losses, training, checkpoint=checkpoint)
    return reader


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


def report(
    reader: Reader, codec: SemanticCodec, drawings: Drawings, pixels: np.ndarray, pictures: Sequence[Picture]
) -> None:
    """Print how often the tables tell the name, before and after quantisation, by family."""
    known = set(drawings.names)
    for family in sorted({p.family for p in pictures}):
        shown = [p for p in pictures if p.family == family and p.split == "train" and not p.toned and p.label in known]
        values = codec.values([pixels[p.picture] for p in shown])
        for what, levels in (("not quantised", False), ("from codes", True)):
            ranks = name_ranks(reader, drawings, values, shown, levels)
            print(f"{family}, {what}: name top-1 {top(ranks, 1)}, top-5 {top(ranks, 5)}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["train", "report"])
    parser.add_argument("--minutes", type=float, default=40, help="wall time of the training")
    parser.add_argument("--without", nargs="*", default=[], help="families to leave out and to measure on")
    options = parser.parse_args(argv)
    pictures, pixels = load_pictures(), load_pixels()
    drawings = Drawings(pixels, training_pictures(pictures, options.without))
    folder = codec_folder(SHAPE.name + "".join(f"-without-{family}" for family in options.without))
    checkpoint = folder / "reader.safetensors"
    reader = make_reader(drawings) if options.what == "report" else train(drawings, options.minutes, checkpoint)
    if options.what == "report":
        reader.load_state_dict(trained_net(checkpoint))
    codec = SemanticCodec(SHAPE, reader.net)
    if options.what == "train":
        codec.save(folder / "codec")
    report(reader, codec, drawings, pixels, [p for p in pictures if p.held_out or p.family in options.without])


if __name__ == "__main__":
    main()
