"""The codec `image`, with which nano writes pictures: 64 codes of a trained FSQ autoencoder.

``python -m recipes pictograms codec image train`` trains it, ``... encode`` writes all drawings in its codes, and
``... report`` measures it on pictures it has not seen; ``... codec kmeans report`` measures k-means with as many codes.
The codec for reading is in `recipes.pictograms.reading`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.concepts import Picture, folder, load_pictures, load_pixels
from torch import Tensor

from sensorium.api import codec as boxed_codec
from sensorium.codecs import Codec, load_codec
from sensorium.data.labelled import Labelled
from sensorium.data.views import Kept
from sensorium.device import computing
from sensorium.families.fsq import FSQCodec, FSQConfig, reconstruction
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.net_codec import pixels_to_net
from sensorium.families.refine import refined
from sensorium.learning.report import codec_row, keep, table, write_report
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.modalities.augment import varied
from sensorium.model import resolve
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

SHAPE = FSQConfig(
    name="image",
    use="write",
    levels=(8, 8, 8, 5, 5),
    encoder_widths=(64, 128),
    encoder_blocks=(1, 1),
    decoder_widths=(64, 128),
    decoder_blocks=(1, 4),
    refine_steps=40,
)
REFINE_STEPS = 16
"""Of the codes of drawings to learn; there are many."""


def drawings(pictures: Sequence[Picture], evenness: float = 1.0) -> Labelled[Picture]:
    """Training pictures, their names, categories and words, sampled first by name, then by family."""
    by = {"group": lambda p: p.category}
    return Labelled(load_pixels(), pictures, pixels_to_net, lambda p: p.style, by, lambda p: p.tags, evenness)


def training_pictures(pictures: Sequence[Picture], without: Sequence[str] = ()) -> list[Picture]:
    """What may be trained on, less some families (to choose settings on them)."""
    return [p for p in pictures if p.trainable and p.family not in without]


def train(minutes: float, start: str = "") -> None:
    """Train the codec on drawings, as true to the pixels as 64 codes allow, or go on from its last checkpoint.

    Args:
        start: a model from whose codec to start, so that codes keep about their meaning.
    """
    shown = drawings(training_pictures(load_pictures()), evenness=0.5)
    torch.manual_seed(0)
    net, place = SHAPE.net(), codec_folder(SHAPE.name)
    if start:
        net.load_state_dict(fsq(load_codec(resolve(start) / "codecs" / SHAPE.name)).net.state_dict())
    training = CodecTraining(minutes=minutes, batch=64, lr=1e-2)
    train_codec(net, shown.changed(varied), picture_loss, training, checkpoint=place / "state.safetensors")
    FSQCodec(SHAPE, net).save(place / "codec")


def picture_loss(net: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    return {"picture": reconstruction(batch["x"], net(batch["x"])[0])}


def encode() -> None:
    """Write the training drawings in codes, (pictures, 64) int32, zeros for the others.

    Refined like the codec's own, but in large batches, with fewer steps, and in bfloat16 where that is fast.
    """
    codec, pixels = fsq(trained_codec(SHAPE.name)), load_pixels()
    net, side = codec.net, codec.settings.grid
    found = np.zeros((len(pixels), side, side), np.int32)
    for rows in batches(np.array([p.medium for p in training_pictures(load_pictures())])):
        x = pixels_to_net(torch.from_numpy(pixels[rows]))
        with torch.no_grad(), computing("auto", x.device):
            values = refined(net.quantiser, net.decoder, x, net.encoder(x), REFINE_STEPS)
        found[rows] = net.quantiser.encode(values).numpy()
    kept(SHAPE.name).write(found.reshape(len(pixels), -1))


def batches(items: np.ndarray, size: int = 256) -> Iterator[np.ndarray]:
    """Slices of at most ``size``, in order."""
    return (items[at : at + size] for at in range(0, len(items), size))


def report(out: Path) -> None:
    """Fidelity and use of the codes on pictures of unseen concepts, drawn by the training families."""
    rows = write_report(trained_codec(SHAPE.name), unseen_pixels(), out / SHAPE.name)
    keep(rows[0], f"python -m recipes pictograms codec {SHAPE.name} report", codec_folder(SHAPE.name) / "codec")
    print(table(rows))


def unseen_pixels() -> list[Signal]:
    pixels = load_pixels()
    return [Signal(pixels[p.medium]) for p in load_pictures() if p.split == "test" and not p.held_out]


def train_kmeans(minutes: float, start: str = "") -> None:
    """The baseline: as many patches in the codebook and codes in a picture as the writing codec has."""
    pixels = load_pixels()
    trained = [Signal(pixels[p.medium]) for p in training_pictures(load_pictures())]
    codec = KMeansCodec.fit(trained, codes=prod(SHAPE.levels), size_px=64, patch_px=8, steps=150, name="kmeans")
    codec.save(codec_folder("kmeans") / "codec")


def report_kmeans(out: Path) -> None:
    print(table([codec_row(load_codec(codec_folder("kmeans") / "codec"), unseen_pixels())]))


def kept(codec: str) -> Kept:
    """What a codec made of all pictures: codes of the writing one, values in several views of the reading one."""
    return Kept(codec_folder(codec) / "encoded.safetensors", f"python -m recipes pictograms codec {codec} encode")


def codec_folder(name: str) -> Path:
    """Where a codec's checkpoint lies, and in ``codec/`` the trained codec."""
    return folder() / "codecs" / name


def trained_codec(name: str) -> Codec:
    """The codec that was trained here, else the one in the box."""
    here = codec_folder(name) / "codec"
    return load_codec(here) if here.exists() else boxed_codec(name)


def fsq(codec: Codec) -> FSQCodec:
    """The codec, if it is of the family that this recipe trains."""
    if not isinstance(codec, FSQCodec):
        raise InputError(f"the codec {codec.facts.name!r} is of the family {codec.family!r}, not fsq")
    return codec


IMAGE = Learner(train=train, minutes=38, report=report, encode=encode)
KMEANS = Learner(train=train_kmeans, minutes=0, report=report_kmeans)
