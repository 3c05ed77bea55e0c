"""The codec `image`, with which nano writes pictures: 64 codes of a trained FSQ autoencoder.

``python -m recipes.pictograms.codec train --minutes 38`` trains it, going on from its last checkpoint when started
again, and with ``--from-box`` from the weights in the package, so that codes keep about their meaning. ``... codes``
writes all drawings in codes; `recipes.pictograms.nano` takes the codec into the package. ``... report`` measures it on
pictures it has not seen, ``... baseline`` k-means with as many codes. The codec for reading is in
`recipes.pictograms.reading`.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.augment import varied
from recipes.pictograms.concepts import Picture, load_pictures
from torch import Tensor

from sensorium.api import codec as boxed_codec
from sensorium.codecs import Codec, load_codec
from sensorium.device import computing
from sensorium.families.fsq import FSQCodec, FSQConfig, pixels_to_net, reconstruction
from sensorium.families.fsq_net import FsqNet
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.refine import refined
from sensorium.files import atomic_file, cache_dir
from sensorium.learning.report import codec_row, table, write_report
from sensorium.learning.training import CodecTraining, Sample, train_codec
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


class Drawings:
    """Training pictures and their labels, sampled per concept: first a name, then a family, then a drawing.

    Args:
        pixels: (N, 64, 64, 3) uint8, row = number of the picture; may be a memory map.
        pictures: those to draw from.
        evenness: 1 draws every name equally often; 0 by its number of drawings.
    """

    def __init__(self, pixels: np.ndarray, pictures: Sequence[Picture], evenness: float = 1.0) -> None:
        self.names = sorted({p.label for p in pictures})
        self.groups = sorted({p.category for p in pictures})
        name_at = {name: i for i, name in enumerate(self.names)}
        group_at = {name: i for i, name in enumerate(self.groups)}
        self.pixels = np.ascontiguousarray(pixels[[p.picture for p in pictures]])
        self.name = np.array([name_at[p.label] for p in pictures])
        self.group = np.array([group_at[p.category] for p in pictures])
        self.words, self.word_share = word_shares(self.names, pictures)
        self.odds = np.cumsum(sampling_weights(pictures, evenness))

    def __len__(self) -> int:
        return len(self.pixels)

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Any]:
        """A batch: ``x`` floats (B, 3, 64, 64) in -1..1, ``name`` and ``group`` class numbers (B,),
        ``words`` shares (B, words)."""
        rows = np.searchsorted(self.odds, rng.random(size) * self.odds[-1]).clip(max=len(self) - 1)
        return {
            "x": pixels_to_net(torch.from_numpy(self.pixels[rows])),
            "name": torch.from_numpy(self.name[rows]),
            "group": torch.from_numpy(self.group[rows]),
            "words": torch.from_numpy(self.word_share[self.name[rows]]),
        }

    def changed(self, change: Callable[[Tensor, np.random.Generator], Tensor]) -> Sample:
        """`sample` followed by a random change of the pictures."""

        def sample(rng: np.random.Generator, size: int) -> dict[str, Any]:
            batch = self.sample(rng, size)
            return batch | {"x": change(batch["x"], rng)}

        return sample


def word_shares(names: Sequence[str], pictures: Sequence[Picture], least: int = 4) -> tuple[list[str], np.ndarray]:
    """Words of names and tags that several names share, and how each name divides among them, (names, words)."""
    told: dict[str, set[str]] = {name: set(re.findall(r"\w{2,}", name.lower())) for name in names}
    for p in pictures:
        told[p.label].update(word for tag in p.tags for word in re.findall(r"\w{2,}", tag.lower()))
    counts = Counter(word for words in told.values() for word in words)
    words = sorted(word for word, count in counts.items() if count >= least)
    at = {word: i for i, word in enumerate(words)}
    share = np.zeros((len(names), len(words)), np.float32)
    for i, name in enumerate(names):
        share[i, [at[word] for word in told[name] if word in at]] = 1
    return words, share / np.maximum(share.sum(1, keepdims=True), 1)


def sampling_weights(pictures: Sequence[Picture], evenness: float) -> np.ndarray:
    """Odds of each picture: a name's share is its count of (family) drawings to the power ``1 - evenness``."""
    per_name: dict[str, set[str]] = {}
    per_drawing: dict[tuple[str, str], int] = {}
    for p in pictures:
        per_name.setdefault(p.label, set()).add(p.style)
        per_drawing[p.label, p.style] = per_drawing.get((p.label, p.style), 0) + 1
    return np.array([len(per_name[p.label]) ** -evenness / per_drawing[p.label, p.style] for p in pictures])


def training_pictures(pictures: Sequence[Picture], without: Sequence[str] = ()) -> list[Picture]:
    """What may be trained on, less some families (to choose settings on them)."""
    return [p for p in pictures if p.split == "train" and not p.held_out and p.family not in without]


def train(drawings: Drawings, minutes: float, checkpoint: Path | None = None, start: FsqNet | None = None) -> FsqNet:
    """Train the codec on drawings: as true to the pixels as 64 codes allow."""
    torch.manual_seed(0)
    net = SHAPE.net()
    if start is not None:
        net.load_state_dict(start.state_dict())
    training = CodecTraining(minutes=minutes, batch=64, lr=1e-2)
    train_codec(net, drawings.changed(varied), picture_loss, training, checkpoint=checkpoint)
    return net


def picture_loss(net: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    return {"picture": reconstruction(batch["x"], net(batch["x"])[0])}


def write_codes(codec: FSQCodec, pixels: np.ndarray, drawn: Sequence[int]) -> np.ndarray:
    """(pictures, frames, 1) codes of the pictures of the table that are ``drawn``; zeros for the rest.

    Refined like the codec's own, but in large batches, with fewer steps, and in bfloat16 where that is fast.
    """
    net, side = codec.net, codec.settings.grid
    found = np.zeros((len(pixels), side, side), np.int64)
    for rows in batches(np.array(drawn)):
        x = pixels_to_net(torch.from_numpy(pixels[rows]))
        with torch.no_grad(), computing("auto", x.device):
            values = refined(net.quantiser, net.decoder, x, net.encoder(x), REFINE_STEPS)
        found[rows] = net.quantiser.encode(values).numpy()
    return found.reshape(len(pixels), -1, 1)


def batches(pixels: np.ndarray, size: int = 256) -> Iterator[np.ndarray]:
    """Slices of at most ``size``, in order."""
    return (pixels[at : at + size] for at in range(0, len(pixels), size))


def kmeans_baseline(pictures: Sequence[Picture], pixels: np.ndarray) -> KMeansCodec:
    """As many patches in the codebook and codes in a picture as the writing codec, found by k-means."""
    trained = [pixels[p.picture] for p in training_pictures(pictures)]
    return KMeansCodec.fit(trained, codes=prod(SHAPE.levels), size_px=64, patch_px=8, steps=150, name="kmeans")


def report(codec: Codec, pictures: Sequence[Picture], pixels: np.ndarray, folder: Path) -> None:
    """Fidelity and use of the codes on unseen concepts."""
    print(
        table(
            write_report(codec, [Signal(one) for one in unseen_concepts(pictures, pixels)], folder / codec.facts.name)
        )
    )


def unseen_concepts(pictures: Sequence[Picture], pixels: np.ndarray) -> list[np.ndarray]:
    """Pictures of concepts that were not trained on, drawn by the training families."""
    return [pixels[p.picture] for p in pictures if p.split == "test" and not p.held_out]


def drawn_codes() -> np.ndarray:
    """(pictures, 64, 1) codes that ``... codes`` wrote; zeros where a picture is not drawn."""
    from safetensors.numpy import load_file

    if not codes_file().exists():
        raise InputError(f"{codes_file()} is missing; run python -m recipes.pictograms.codec codes")
    return load_file(codes_file())["codes"]


def codes_file() -> Path:
    return codec_folder(SHAPE.name) / "codes.safetensors"


def codec_folder(name: str) -> Path:
    """Where a codec's checkpoint lies, and in ``codec/`` the trained codec."""
    return cache_dir() / "pictograms" / "codecs" / name


def trained_codec(name: str) -> Codec:
    """The codec that was trained here, else the one in the box."""
    here = codec_folder(name) / "codec"
    return load_codec(here) if here.exists() else boxed_codec(name)


def fsq(codec: Codec) -> FSQCodec:
    """The codec, if it is of the family that this recipe trains."""
    if not isinstance(codec, FSQCodec):
        raise InputError(f"the codec {codec.facts.name!r} is of the family {codec.family!r}, not fsq")
    return codec


def load_pixels() -> np.ndarray:
    """(N, 64, 64, 3) uint8, mapped from the file."""
    return np.load(cache_dir() / "pictograms" / "pixels-64.npy", mmap_mode="r")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["train", "codes", "report", "baseline"])
    parser.add_argument("--minutes", type=float, default=38, help="wall time of the training")
    parser.add_argument("--from-box", action="store_true", help="start from the weights in the package")
    parser.add_argument("--out", type=Path, default=Path("results") / "codecs", help="folder for the report")
    options = parser.parse_args(argv)
    pictures, pixels = load_pictures(), load_pixels()
    if options.what == "report":
        report(trained_codec(SHAPE.name), pictures, pixels, options.out)
    elif options.what == "baseline":
        print(table([codec_row(kmeans_baseline(pictures, pixels), unseen_concepts(pictures, pixels))[0]]))
    else:
        improve(options, training_pictures(pictures), pixels)


def improve(options: argparse.Namespace, pictures: Sequence[Picture], pixels: np.ndarray) -> None:
    """The commands that need training pictures."""
    from safetensors.numpy import save_file

    place, numbers = codec_folder(SHAPE.name), [picture.picture for picture in pictures]
    if options.what == "codes":
        with atomic_file(codes_file()) as file:
            save_file({"codes": write_codes(fsq(trained_codec(SHAPE.name)), pixels, numbers).astype(np.int32)}, file)
        return
    drawings = Drawings(pixels, pictures, evenness=0.5)
    start = fsq(boxed_codec(SHAPE.name)).net if options.from_box else None
    net = train(drawings, options.minutes, place / "state.safetensors", start)
    FSQCodec(SHAPE, net).save(place / "codec")


if __name__ == "__main__":
    main()
