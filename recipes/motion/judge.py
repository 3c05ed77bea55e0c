"""The judge of written clips: a small classifier of what the one thing in a clip does, trained on real clips only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from recipes.motion.clips import FRAMES, Clip, done
from recipes.motion.moved import atlas_of, moved
from recipes.motion.tasks import DOINGS
from recipes.scenes.atlas import Atlas
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.data.table import Side
from sensorium.evaluate import Classifier, Share, top
from sensorium.files import cache_dir
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.recipe import Learner

MINUTES, LEARNED_FROM, SHOWN, WIDTH = 8.0, 4000, 300, 48
SEEN = FRAMES // 2  # every other frame, at half the size


class MotionNet(nn.Module):
    """(B, 3 `SEEN`, 32, 32), the frames as channels, to logits (B, labels)."""

    def __init__(self, labels: int, width: int = WIDTH) -> None:
        super().__init__()
        sizes = (3 * SEEN, width, 2 * width, 2 * width)
        steps = zip(sizes, sizes[1:], strict=False)
        self.body = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.SiLU()) for a, b in steps)
        )
        self.head = nn.Linear(2 * width * 16, labels)

    def forward(self, x_BDN: Tensor) -> Tensor:
        return self.head(self.body(x_BDN).flatten(1))


def to_net(clips: Tensor) -> Tensor:
    """Clips (B, `FRAMES`, 64, 64, 3) uint8: each frame less the mean of all, so that what stays is not looked at."""
    x_BTHW3 = clips[:, ::2].float() / 255
    x_B3THW = (x_BTHW3 - x_BTHW3.mean(1, keepdim=True)).movedim(4, 1)
    return F.avg_pool2d(x_B3THW.flatten(1, 2), 2)


def alone(side: Side, seed: str, atlas: Atlas) -> Iterator[Clip]:
    """Clips of one thing, endlessly."""
    random = Random(seed)
    while True:
        clip = moved(random, side, atlas)
        if len(clip.facts.things) == 1:
            yield clip


def labelled(side: Side, seed: str, count: int) -> tuple[np.ndarray, list[str]]:
    """Clips (count, `FRAMES`, 64, 64, 3) and what happens in each."""
    found = [clip for clip, _ in zip(alone(side, seed, atlas_of(side)), range(count), strict=False)]
    return np.stack([clip.frames for clip in found]), [done(clip.facts.events[0]) for clip in found]


def train(minutes: float, start: str = "", count: int = LEARNED_FROM, steps: int | None = None) -> Classifier:
    """Train for some minutes in all, or some steps, and save."""
    clips, labels = labelled("train", "judge", count)
    classes = torch.tensor([DOINGS.index(label) for label in labels])
    torch.manual_seed(0)
    net = MotionNet(len(DOINGS))

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        rows = rng.integers(0, count, batch)
        return {"x": to_net(torch.from_numpy(clips[rows])), "doing": classes[rows]}

    def loss(net: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"doing": F.cross_entropy(net(batch["x"]), batch["doing"], label_smoothing=0.05)}

    config = CodecTraining(minutes=minutes, steps=steps, lr=1e-2, adam_share=0.2)
    train_codec(net, sample, loss, config, checkpoint=home() / "state.safetensors")
    judge = Classifier(DOINGS, net, to_net)
    judge.save(home())
    return judge


def load() -> Classifier:
    """InputError when it has not been trained."""
    return Classifier.load(home(), MotionNet, to_net, "python -m recipes motion train judge")


def accuracy(judge: Classifier, count: int = SHOWN) -> Share:
    """On held-out combinations of thing and motion."""
    clips, labels = labelled("test", "judged", count)
    return top(judge.ranks(list(clips), labels), 1)


def home() -> Path:
    return cache_dir() / "motion" / "judge"


def report(out: Path) -> None:
    print(f"held-out combinations: top-1 {accuracy(load())}")


JUDGE = Learner(train=train, minutes=MINUTES, report=report)
