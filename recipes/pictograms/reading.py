"""The reading codec `image-read`: a few codes from which a picture's name can be told, whoever drew it.

``python -m recipes.pictograms.reading train --minutes 40`` trains the encoder (a later call goes on from its last
checkpoint) and saves the codec into nano's folder in the package; ``... report`` measures it.

The encoder learns names, categories and words from the training families. The codec keeps none of these lists: it
quantises the direction in which the encoder's pictures point, see `sensorium.codecs.semantic`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.augment import augment
from recipes.pictograms.codec import WEIGHTS, Drawings, load_pixels, training_pictures
from recipes.pictograms.concepts import Picture, load_pictures
from recipes.pictograms.intervals import top
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs.fsq import pixels_to_net
from sensorium.codecs.semantic import (
    SemanticCodec,
    SemanticConfig,
    SemanticNet,
    dequantise,
    fit_codebooks,
    quantise,
)
from sensorium.codecs.training import CodecTraining, train_codec
from sensorium.files import cache_dir

SHAPE = SemanticConfig()
SMOOTHING = 0.1


class Reader(nn.Module):
    """The encoder and, while it learns, tables of names, categories and words that pictures are compared with.

    Classes are compared by cosine, which suits thousands of rare classes.
    """

    def __init__(self, shape: SemanticConfig, classes: Sequence[int]) -> None:
        super().__init__()
        self.net = SemanticNet(shape)
        self.tables = nn.ParameterList(nn.Parameter(torch.randn(count, shape.direction) * 0.02) for count in classes)
        self.sharpness = nn.Parameter(torch.full((len(classes),), 2.5))
        self.tables.adam = True  # type: ignore[assignment]

    def told(self, direction_BD: Tensor) -> list[Tensor]:
        """Logits (B, classes) of names, categories, words."""
        return [
            self.sharpness[i].exp() * direction_BD @ F.normalize(table, dim=1).T for i, table in enumerate(self.tables)
        ]


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


def codec_of(reader: Reader, drawings: Drawings, rounds: int = 3, seed: int = 0) -> SemanticCodec:
    """The codec of a trained encoder: its codebooks fit the training drawings and augmented views of them."""
    generator, found = np.random.default_rng(seed), []
    for number in range(rounds):
        for start in range(0, len(drawings), 256):
            x = pixels_to_net(torch.from_numpy(drawings.pixels[start : start + 256]))
            found.append(directions(reader, augment(x, generator) if number else x))
    return SemanticCodec(SHAPE, reader.net, fit_codebooks(np.concatenate(found), SHAPE.codes, seed))


@torch.inference_mode()
def directions(reader: Reader, x_B3SS: Tensor) -> np.ndarray:
    return reader.eval().net(x_B3SS).numpy()


@torch.inference_mode()
def names_told(reader: Reader, drawings: Drawings, directions_ND: np.ndarray, pictures: Sequence[Picture]) -> list[int]:
    """For each picture, how many names lie nearer to its direction than the true one."""
    at = {name: i for i, name in enumerate(drawings.names)}
    scores = reader.told(torch.from_numpy(directions_ND.astype(np.float32)))[0]
    true = scores.gather(1, torch.tensor([[at[p.label]] for p in pictures]))
    return (scores > true).sum(1).tolist()


def report(
    reader: Reader, codec: SemanticCodec, drawings: Drawings, pixels: np.ndarray, pictures: Sequence[Picture]
) -> None:
    """Print how often the encoder's own tables tell the name, before and after quantisation, by family."""
    known = set(drawings.names)
    for family in sorted({p.family for p in pictures}):
        shown = [p for p in pictures if p.family == family and p.split == "train" and not p.toned and p.label in known]
        found = codec.directions([pixels[p.picture] for p in shown])
        for stages in (None, len(codec.codebooks), 4, 2, 1):
            heard = found
            if stages is not None:
                books = codec.codebooks[:stages]
                heard = dequantise(quantise(found, books), books)
            ranks = names_told(reader, drawings, heard, shown)
            what = "not quantised" if stages is None else f"{stages} codes"
            print(f"{family}, {what}: name top-1 {top(ranks, 1)}, top-5 {top(ranks, 5)}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["train", "report"])
    parser.add_argument("--minutes", type=float, default=40, help="wall time of the training")
    parser.add_argument("--without", nargs="*", default=[], help="families to leave out and to measure on")
    parser.add_argument("--out", type=Path, default=WEIGHTS / SHAPE.name, help="folder of the codec")
    options = parser.parse_args(argv)
    pictures, pixels = load_pictures(), load_pixels()
    drawings = Drawings(pixels, training_pictures(pictures, options.without))
    name = SHAPE.name + "".join(f"-without-{family}" for family in options.without)
    checkpoint = cache_dir() / "pictograms" / "codecs" / name / "reader.safetensors"
    reader = train(drawings, options.minutes if options.what == "train" else 0, checkpoint)
    codec = codec_of(reader, drawings)
    if options.what == "train" and not options.without:
        codec.save(options.out)
        print(f"saved {options.out}")
    report(reader, codec, drawings, pixels, [p for p in pictures if p.held_out or p.family in options.without])


if __name__ == "__main__":
    main()
