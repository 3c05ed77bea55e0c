"""The judge of drawings: a small classifier of names, trained on real drawings, apart from the models.

It sees drawings of the training families only, so its own accuracy on held-out families tells how far its
verdicts can be trusted. ``python -m recipes pictograms train judge`` trains it and prints that accuracy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from recipes.pictograms.concepts import Gallery, folder
from torch import Tensor
from torch.nn import functional as F

from sensorium.data.labelled import Labelled
from sensorium.data.table import grouped
from sensorium.evaluate import Classifier, Judge, Share, top
from sensorium.learning.naming_net import WIDTH, NamingNet
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.modalities.augment import roughened
from sensorium.recipe import Learner


def load(place: Path | None = None, width: int = WIDTH) -> Classifier:
    """The judge in the cache, or in ``place``; InputError when it has not been trained."""
    make = "python -m recipes pictograms train judge"
    return Classifier.load(place or folder() / "judge", lambda labels: NamingNet(labels, width), to_net, make)


def train(
    minutes: float,
    start: str = "",
    gallery: Gallery | None = None,
    place: Path | None = None,
    width: int = WIDTH,
    steps: int | None = None,
    batch: int = 128,
) -> Judge:
    """Train for some minutes in all, or some steps, on the training families, and save; names are sampled, no files."""
    gallery, place = gallery or Gallery(), place or folder() / "judge"
    known = [p for concept in gallery.concepts.emoji for p in concept.plain]
    shown = Labelled(gallery.pixels, known, to_net, source=lambda p: "", classes={})
    torch.manual_seed(0)
    net = NamingNet(shown.counts[0], width).to(memory_format=torch.channels_last)  # a third faster on a CPU
    config = CodecTraining(minutes=minutes, steps=steps, batch=batch, lr=1e-2, adam_share=0.2)
    train_codec(net, shown.changed(roughened), name_loss, config, checkpoint=place / "state.safetensors")
    judge = Classifier(shown.classes["name"], net, to_net)
    judge.save(place)
    return judge


def name_loss(net: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    return {"name": F.cross_entropy(net(batch["x"]), batch["name"], label_smoothing=0.1)}


def to_net(pixels: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) uint8 as the network wants them; scaled to 64 x 64 px."""
    x_B3HW = pixels.permute(0, 3, 1, 2).float() / 255
    if x_B3HW.shape[-2:] != (64, 64):
        x_B3HW = F.interpolate(x_B3HW, size=(64, 64), mode="bilinear", antialias=True, align_corners=False)
    return x_B3HW.contiguous(memory_format=torch.channels_last)


def held_out_accuracy(judge: Judge, gallery: Gallery) -> dict[str, tuple[Share, Share]]:
    """Top-1 and top-5 on drawings of held-out families whose names the judge knows, by family."""
    known = set(judge.labels)
    shown = [p for p in gallery.pictures if p.held_out and not p.toned and p.label in known]
    found = {}
    for family, own in sorted(grouped(shown, lambda p: p.family).items()):
        ranks = judge.ranks(list(gallery.shown(own)), [p.label for p in own])
        found[family] = top(ranks, 1), top(ranks, 5)
    return found


def report(out: Path) -> None:
    for family, (first, five) in held_out_accuracy(load(), Gallery()).items():
        print(f"{family}: top-1 {first}, top-5 {five}")


JUDGE = Learner(train=train, minutes=12, report=report)
