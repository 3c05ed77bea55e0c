"""The judge of drawings: a small classifier of names, trained on real drawings, apart from the models.

It sees drawings of the training families only, so its own accuracy on held-out families tells how far its
verdicts can be trusted. ``python -m recipes pictograms train judge`` trains it and prints that accuracy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from recipes.pictograms.concepts import Concepts, Picture, folder, load_pictures, load_pixels
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium import evaluate
from sensorium.data.table import grouped
from sensorium.evaluate import Share, top
from sensorium.files import atomic_folder
from sensorium.recipe import Learner
from sensorium.types import InputError

# Shapes: B batch, C channels, L labels; images_B3HW float in 0..1 (1 = white paper).
WIDTH = 40
BATCH = 128


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016), the first with a stride."""

    def __init__(self, inside: int, outside: int, stride: int):
        super().__init__()
        self.one = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm_one = nn.BatchNorm2d(outside)
        self.two = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm_two = nn.BatchNorm2d(outside)
        self.short = nn.Conv2d(inside, outside, 1, bias=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_two(self.two(F.relu(self.norm_one(self.one(x)))))
        short = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        return F.relu(y + self.short(short))


class JudgeNet(nn.Module):
    """64 x 64 px to the logits of ``labels`` names."""

    def __init__(self, labels: int, width: int = WIDTH):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.body = nn.Sequential(
            Block(width, 2 * width, 1), Block(2 * width, 4 * width, 2), Block(4 * width, 6 * width, 2)
        )
        # The 4 x 4 map keeps where things are: arrows and clocks differ by nothing else.
        self.head = nn.Sequential(
            nn.Conv2d(6 * width, 2 * width, 1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * width * 16, labels)
        )

    def forward(self, images_B3HW: Tensor) -> Tensor:
        return self.head(self.body(self.stem(2 * images_B3HW - 1)))


class Judge(evaluate.Judge):
    """Names for pictures.

    Args:
        labels: the names it knows.
        net: its network.
    """

    def __init__(self, labels: Sequence[str], net: JudgeNet):
        self.labels, self.net = list(labels), net.eval()

    @torch.no_grad()
    def log_probs(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(N, labels) log-probabilities of uint8 RGB pictures of any size, scaled to 64 x 64 px."""
        batches = [torch.stack([_tensor(image) for image in images[i : i + 256]]) for i in range(0, len(images), 256)]
        return torch.cat([self.net(batch).log_softmax(-1) for batch in batches]).numpy()

    def save(self, folder: Path, notes: dict[str, float]) -> None:
        from safetensors.torch import save_file

        with atomic_folder(folder) as out:
            state = {name: value.contiguous() for name, value in self.net.state_dict().items()}
            save_file(state, out / "judge.safetensors")
            head = {"labels": self.labels, "width": self.net.stem[0].out_channels, **notes}
            (out / "judge.json").write_text(json.dumps(head, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, place: Path | None = None) -> Judge:
        """The judge in the cache, or in ``place``; InputError when it has not been trained."""
        from safetensors.torch import load_file

        place = place or default_folder()
        if not (place / "judge.json").exists():
            raise InputError(f"no judge in {place}; train it with `python -m recipes pictograms train judge`")
        head = json.loads((place / "judge.json").read_text(encoding="utf-8"))
        net = JudgeNet(len(head["labels"]), head["width"])
        net.load_state_dict(load_file(place / "judge.safetensors"))
        return cls(head["labels"], net)


def default_folder() -> Path:
    return folder() / "judge"


def train(
    pictures: Sequence[Picture],
    pixels: np.ndarray,
    minutes: float,
    folder: Path,
    seed: int = 0,
    width: int = WIDTH,
    peak_rate: float = 2e-3,
    drawings: int | None = None,
) -> Judge:
    """Train for some minutes, or at most ``drawings``, on the training families; save into ``folder``.

    Names are sampled, not files. The learning rate rises, then falls to nothing at the end. A folder that already
    holds a judge of the same names is taken up again.
    """
    groups = {concept.label: concept.plain for concept in Concepts(pictures).emoji}
    judge = _take_up(folder, sorted(groups), width)
    files = [np.array([p.medium for p in groups[label]]) for label in judge.labels]
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.net.parameters(), lr=peak_rate, weight_decay=0.05)
    start, saved, seen, smooth = time.monotonic(), time.monotonic(), 0, 0.0
    judge.net.train().to(memory_format=torch.channels_last)  # a third faster on a CPU
    while (done := max((time.monotonic() - start) / (60 * minutes), seen / (drawings or float("inf")))) < 1:
        for group in optimizer.param_groups:
            group["lr"] = peak_rate * min(done / 0.05, (1 - done) / 0.95)
        labels = generator.integers(len(files), size=BATCH)
        rows = np.array([generator.choice(files[label]) for label in labels])
        images = augment(torch.from_numpy(pixels[rows]).permute(0, 3, 1, 2).float() / 255)
        images = images.contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(judge.net(images), torch.from_numpy(labels), label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += BATCH
        smooth = 0.98 * smooth + 0.02 * loss.item() if seen > BATCH else loss.item()
        if time.monotonic() - saved > 120:
            judge.save(folder, {"loss": smooth})
            saved = time.monotonic()
            print(f"{100 * done:5.1f} %  {seen} drawings  loss {smooth:.3f}", flush=True)
    judge.net.eval()
    judge.save(folder, {"loss": smooth, "minutes": minutes, "drawings": seen})
    print(f"done: {seen} drawings of {len(files)} names, loss {smooth:.3f}", flush=True)
    return judge


def augment(images_B3HW: Tensor) -> Tensor:
    """Moved, scaled, turned a little, softened as a codec softens, and tinted a little; never mirrored."""
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


def _tensor(image: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(np.array(image, copy=True)).permute(2, 0, 1).float()[None] / 255
    if tensor.shape[-2:] != (64, 64):
        tensor = F.interpolate(tensor, size=(64, 64), mode="bilinear", antialias=True, align_corners=False)
    return tensor[0]


def _take_up(folder: Path, labels: list[str], width: int) -> Judge:
    if (folder / "judge.json").exists():
        judge = Judge.load(folder)
        if judge.labels == labels:
            return judge
    return Judge(labels, JudgeNet(len(labels), width))


def report(out: Path) -> None:
    for family, (first, five) in held_out_accuracy(Judge.load(), load_pictures(), load_pixels()).items():
        print(f"{family}: top-1 {first}, top-5 {five}")


def train_here(minutes: float, start: str = "") -> None:
    train(load_pictures(), load_pixels(), minutes, default_folder())
    report(default_folder())


JUDGE = Learner(train=train_here, minutes=12, report=report)
