"""The judge of drawings: a small classifier of names, trained on real drawings, apart from the models.

It sees drawings of the training families only, so its own accuracy on held-out families tells how far its
verdicts can be trusted. ``python -m recipes pictograms train judge`` trains it and prints that accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.concepts import Concepts, Picture, folder, load_pictures, load_pixels
from torch import Tensor
from torch.nn import functional as F

from sensorium.data.labelled import Labelled
from sensorium.data.table import grouped
from sensorium.evaluate import Classifier, Judge, Share, top
from sensorium.learning.naming_net import WIDTH, NamingNet
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.recipe import Learner


def load(place: Path | None = None, width: int = WIDTH) -> Classifier:
    """The judge in the cache, or in ``place``; InputError when it has not been trained."""
    make = "python -m recipes pictograms train judge"
    return Classifier.load(place or default_folder(), lambda labels: NamingNet(labels, width), to_net, make)


def default_folder() -> Path:
    return folder() / "judge"


def train(
    pictures: Sequence[Picture],
    pixels: np.ndarray,
    minutes: float,
    place: Path,
    width: int = WIDTH,
    steps: int | None = None,
    batch: int = 128,
) -> Judge:
    """Train for some minutes in all, or some steps, on the training families, and save into ``place``.

    Names are sampled, not files.
    """
    known = [p for concept in Concepts(pictures).emoji for p in concept.plain]
    shown = Labelled(pixels, known, to_net, source=lambda p: "", classes={})
    torch.manual_seed(0)
    net = NamingNet(shown.counts[0], width).to(memory_format=torch.channels_last)  # a third faster on a CPU
    config = CodecTraining(minutes=minutes, steps=steps, batch=batch, lr=1e-2, adam_share=0.2)
    train_codec(net, shown.changed(augment), name_loss, config, checkpoint=place / "state.safetensors")
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


def augment(images_B3HW: Tensor, rng: np.random.Generator) -> Tensor:
    """Moved, scaled, turned a little, softened as a codec softens, and tinted a little; never mirrored."""
    torch.manual_seed(int(rng.integers(2**31)))
    count = len(images_B3HW)
    angle, scale = (torch.rand(count) - 0.5) * 0.4, 0.85 + torch.rand(count) * 0.4
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = (torch.rand(count, 2) - 0.5) * 0.25
    theta = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = F.affine_grid(theta, list(images_B3HW.shape), align_corners=False)
    ink = F.grid_sample(1 - images_B3HW, grid, align_corners=False)  # outside there is no ink
    tint = 1 + (torch.rand(count, 3, 1, 1) - 0.5) * 0.3
    ink = (ink * tint).clamp(0, 1)
    soft = F.interpolate(F.avg_pool2d(ink, 2), scale_factor=2, mode="bilinear", align_corners=False)
    ink = torch.where(torch.rand(count, 1, 1, 1) < 0.4, soft, ink)
    noise = torch.randn_like(ink) * 0.04 * torch.rand(count, 1, 1, 1)
    return (1 - ink + noise).clamp(0, 1)


def held_out_accuracy(judge: Judge, pictures: Sequence[Picture], pixels: np.ndarray) -> dict[str, tuple[Share, Share]]:
    """Top-1 and top-5 on drawings of held-out families whose names the judge knows, by family."""
    known = set(judge.labels)
    shown = [p for p in pictures if p.held_out and not p.toned and p.label in known]
    found = {}
    for family, own in sorted(grouped(shown, lambda p: p.family).items()):
        ranks = judge.ranks([pixels[p.medium] for p in own], [p.label for p in own])
        found[family] = top(ranks, 1), top(ranks, 5)
    return found


def report(out: Path) -> None:
    for family, (first, five) in held_out_accuracy(load(), load_pictures(), load_pixels()).items():
        print(f"{family}: top-1 {first}, top-5 {five}")


def train_here(minutes: float, start: str = "") -> None:
    train(load_pictures(), load_pixels(), minutes, default_folder())
    report(default_folder())


JUDGE = Learner(train=train_here, minutes=12, report=report)
