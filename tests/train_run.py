"""A tiny training run, for the tests of training: in this process, or as a script that may be killed.

python tests/train_run.py OUT STEPS [PAUSE_S]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from toys import ToyCodec, random_codes, tiny_base

from sensorium.data import PackedLoader
from sensorium.data.packing import Sample
from sensorium.model import Grown, grow
from sensorium.training import TrainConfig, TrainResult, fit


def tiny_grown(learn: str = "full", seed: int = 0, **facts: Any) -> Grown:
    base = tiny_base(seed=seed)
    torch.manual_seed(seed + 1)
    return grow(base, [ToyCodec(**facts)], learn=learn)  # type: ignore[arg-type]


def samples(grown: Grown, count: int = 40) -> list[Sample]:
    """Text of one kind before a medium, in lengths that differ: easy to learn, of both kinds."""
    codec, generator, found = grown.codecs["toy"], np.random.default_rng(3), []
    for number in range(count):
        text = np.full(int(generator.integers(3, 9)), 40 + number % 3)
        ids = np.array([*text, *grown.vocabulary.layout("toy").ids(random_codes(codec, number % 3))], dtype=np.int32)
        found.append(Sample(ids, np.arange(len(ids)) > 1))
    return found


def loader(grown: Grown, pause_s: float = 0.0, rows: int = 4) -> PackedLoader:
    class Slow(PackedLoader):
        def __next__(self) -> Any:
            time.sleep(pause_s)
            return super().__next__()

    return Slow(samples(grown), batch_rows=rows, row_tokens=48, seed=5)


def config(**changes: Any) -> TrainConfig:
    plain: dict[str, Any] = {"max_steps": 16, "lr": 3e-3, "warmup": 2, "log_every": 1, "threads": 1, "device": "cpu"}
    return TrainConfig(**plain | changes)


def train(out: Path, learn: str = "full", pause_s: float = 0.0, **changes: Any) -> tuple[Grown, TrainResult]:
    grown = tiny_grown(learn)
    return grown, fit(grown, loader(grown, pause_s), config(**changes), out)


if __name__ == "__main__":
    pause = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    train(Path(sys.argv[1]), pause_s=pause, max_steps=int(sys.argv[2]), save_every=2, ema=0.9)
