"""The two picture codecs of this recipe: `image` writes (64 codes), `image-read` reads (16 codes that carry meaning).

``python -m recipes.pictograms.codec write --minutes 35`` trains the first, ``... read --minutes 25`` the second;
both go on from their last checkpoint when started again, and save into nano's folder in the package.
``... report`` measures both on pictures they have not seen, ``... baseline`` k-means with as many codes.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.augment import augment, varied
from recipes.pictograms.concepts import Picture, load_pictures
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs import Codec, load_codec
from sensorium.codecs.fsq import FSQCodec, FSQConfig, pixels_to_net, reconstruction
from sensorium.codecs.fsq_net import FsqNet, LabelHead
from sensorium.codecs.kmeans import KMeansCodec
from sensorium.codecs.report import code_use, codec_row, collisions, table, write_report
from sensorium.codecs.training import CodecTraining, Sample, train_codec
from sensorium.files import cache_dir

WEIGHTS = Path(__file__).resolve().parents[2] / "src" / "sensorium" / "weights" / "nano" / "codecs"


@dataclass(frozen=True, kw_only=True)
class CodecRun:
    """A codec and how it is trained.

    Args:
        codec: its shape.
        training: how long and how fast.
        labels: whether the codes must also tell name, category and the words of name and tags.
        picture_weight: weight of the reconstruction beside the labels.
        smoothing: share of the label spread over all classes.
    """

    codec: FSQConfig
    training: CodecTraining = field(default_factory=lambda: CodecTraining(minutes=30))
    labels: bool = False
    picture_weight: float = 1.0
    smoothing: float = 0.1


def write_run(minutes: float = 38.0) -> CodecRun:
    """The codec for drawing: as true to the pixels as 64 codes allow."""
    codec = FSQConfig(
        name="image",
        use="write",
        levels=(8, 8, 8, 5, 5),
        encoder_widths=(64, 128),
        encoder_blocks=(1, 1),
        decoder_widths=(64, 128),
        decoder_blocks=(1, 4),
    )
    return CodecRun(codec=codec, training=CodecTraining(minutes=minutes, batch=32, lr=1e-2))


def read_run(minutes: float = 25.0) -> CodecRun:
    """The codec for reading: 16 codes from which the name can be told, also in a drawing style not seen before."""
    codec = FSQConfig(
        name="image-read",
        use="read",
        grid=4,
        levels=(8, 5, 5, 5),
        encoder_widths=(64, 128, 192),
        encoder_blocks=(1, 2, 2),
        decoder_widths=(32, 64, 128),
        decoder_blocks=(0, 1, 1),
    )
    training = CodecTraining(minutes=minutes, batch=64, lr=6e-3, adam_share=0.8, weight_decay=0.1)
    return CodecRun(codec=codec, training=training, labels=True, picture_weight=2.0)


RUNS = {"write": write_run, "read": read_run}


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


class Learner(nn.Module):
    """A codec's network and, for a reading codec, the head that judges its codes."""

    def __init__(self, net: FsqNet, head: LabelHead | None) -> None:
        super().__init__()
        self.net, self.head = net, head


def losses(learner: Any, batch: dict[str, Any], run: CodecRun) -> dict[str, Tensor]:
    """Reconstruction and, with labels, cross-entropy of name, group and words told from the quantised values."""
    y, q, _ = learner.net(batch["x"])
    found = {"picture": run.picture_weight * reconstruction(batch["x"], y)}
    if learner.head is not None:
        name, group, words = learner.head(q)
        found["name"] = F.cross_entropy(name, batch["name"], label_smoothing=run.smoothing)
        found["group"] = 0.3 * F.cross_entropy(group, batch["group"])
        found["words"] = 0.5 * F.cross_entropy(words, batch["words"])
    return found


def make_learner(run: CodecRun, drawings: Drawings) -> Learner:
    torch.manual_seed(run.training.seed)
    shape, classes = run.codec, (len(drawings.names), len(drawings.groups), len(drawings.words))
    head = LabelHead(shape.grid, len(shape.levels), classes) if run.labels else None
    return Learner(shape.net(), head)


def training_pictures(pictures: Sequence[Picture], without: Sequence[str] = ()) -> list[Picture]:
    """What may be trained on, less some families (to choose settings on them)."""
    return [p for p in pictures if p.split == "train" and not p.held_out and p.family not in without]


def train(run: CodecRun, drawings: Drawings, checkpoint: Path | None = None) -> Learner:
    """Train a codec (and its head) on drawings."""
    learner = make_learner(run, drawings)
    sample = drawings.changed(augment if run.labels else varied)
    train_codec(learner, sample, lambda net, batch: losses(net, batch, run), run.training, checkpoint=checkpoint)
    return learner


@torch.inference_mode()
def names_told(
    learner: Learner, drawings: Drawings, pixels: np.ndarray, pictures: Sequence[Picture], best: int = 5
) -> tuple[float, float, int]:
    """How often the head tells a picture's name from its codes: top 1, top ``best``, and of how many pictures.

    It chooses among the names of the training drawings; pictures with other names are left out.
    """
    assert learner.head is not None
    at = {name: i for i, name in enumerate(drawings.names)}
    known = [p for p in pictures if p.label in at]
    first = among = 0
    for start in range(0, len(known), 64):
        part = known[start : start + 64]
        x = pixels_to_net(torch.from_numpy(pixels[[p.picture for p in part]]))
        told = learner.head(learner.net(x)[1])[0].topk(best).indices.tolist()
        first += sum(at[p.label] == row[0] for p, row in zip(part, told, strict=True))
        among += sum(at[p.label] in row for p, row in zip(part, told, strict=True))
    return first / max(len(known), 1), among / max(len(known), 1), len(known)


def tell_names(learner: Learner, drawings: Drawings, pixels: np.ndarray, pictures: Sequence[Picture]) -> None:
    """Print `names_told` for each family that was not trained on (skin-tone variants left out)."""
    for family in sorted({p.family for p in pictures}):
        seen = [p for p in pictures if p.family == family and p.split == "train" and not p.toned]
        first, among, count = names_told(learner, drawings, pixels, seen)
        print(f"{family}: the name of {count} pictures is told from codes, top 1 {first:.1%}, top 5 {among:.1%}")


def kmeans_baseline(pictures: Sequence[Picture], pixels: np.ndarray) -> KMeansCodec:
    """As many patches in the codebook and codes in a picture as the writing codec, found by k-means."""
    trained = [pixels[p.picture] for p in training_pictures(pictures)]
    return KMeansCodec.fit(
        trained, codes=prod(write_run().codec.levels), size_px=64, patch_px=8, steps=150, name="kmeans"
    )


def report(codec: Codec, pictures: Sequence[Picture], pixels: np.ndarray, folder: Path) -> None:
    """Fidelity on unseen concepts of the training families; code use on those and all held-out families."""
    name = codec.facts.name
    concepts = [pixels[p.picture] for p in pictures if p.split == "test" and not p.held_out]
    print(table(write_report(codec, concepts, folder / name)))
    unseen = [pixels[p.picture] for p in pictures if p.split == "test" or p.held_out]
    codes = codec.encode(unseen)
    used, entropy = code_use(codes, codec.facts.codebook_sizes)
    same = collisions(unseen, codes)
    line = f"All {len(unseen)} unseen pictures: {used:.1%} of the codes used, {entropy:.2f} bits a code, "
    line += f"{same} pictures share their codes with a different one.\n"
    print(line)
    with (folder / name / "report.md").open("a", encoding="utf-8") as file:
        file.write("\n" + line)


def train_and_save(run: CodecRun, without: Sequence[str], out: Path) -> None:
    """Train one codec on the pictures table, save it, and tell how its codes fare on families left out."""
    pictures, pixels = load_pictures(), load_pixels()
    drawings = Drawings(pixels, training_pictures(pictures, without), evenness=1.0 if run.labels else 0.5)
    name = run.codec.name + "".join(f"-without-{family}" for family in without)
    learner = train(run, drawings, cache_dir() / "pictograms" / "codecs" / name / "state.safetensors")
    FSQCodec(run.codec, learner.net).save(out / name)
    print(f"saved {out / name}")
    if learner.head is not None:
        tell_names(learner, drawings, pixels, [p for p in pictures if p.held_out or p.family in without])


def load_pixels() -> np.ndarray:
    """(N, 64, 64, 3) uint8, mapped from the file."""
    return np.load(cache_dir() / "pictograms" / "pixels-64.npy", mmap_mode="r")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=[*sorted(RUNS), "report", "baseline"])
    parser.add_argument("--minutes", type=float, help="wall time of the training")
    parser.add_argument("--without", nargs="*", default=[], help="families to leave out and to measure on")
    parser.add_argument("--out", type=Path, help="folder for the trained codec, or for the reports")
    options = parser.parse_args(argv)
    if options.what == "report":
        pictures, pixels = load_pictures(), load_pixels()
        folder = options.out or Path("results") / "codecs"
        for name in ("image", "image-read"):
            report(load_codec(WEIGHTS / name), pictures, pixels, folder)
        return
    if options.what == "baseline":
        pictures, pixels = load_pictures(), load_pixels()
        unseen = [pixels[p.picture] for p in pictures if p.split == "test" and not p.held_out]
        print(table([codec_row(kmeans_baseline(pictures, pixels), unseen)[0]]))
        return
    run = RUNS[options.what]()
    if options.minutes is not None:
        run = replace(run, training=replace(run.training, minutes=options.minutes))
    train_and_save(run, options.without, options.out or WEIGHTS)


if __name__ == "__main__":
    main()
