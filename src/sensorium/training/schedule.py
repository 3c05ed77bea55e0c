"""The learning rate along a run, as a share of its peak."""

from __future__ import annotations

from math import cos, pi

from sensorium.train_config import TrainConfig


def progress(config: TrainConfig, step: int, seconds: float) -> float:
    """How much of the budget is used before step ``step`` (from 0), in 0 to 1.

    It counts steps where there is a step budget, so that a resumed run repeats the uninterrupted one exactly;
    else training seconds, which checkpoints record.
    """
    if config.max_steps is not None:
        return min(1.0, step / config.max_steps)
    if config.minutes is not None:
        return min(1.0, seconds / (60 * config.minutes))
    return 0.0


def lr_share(config: TrainConfig, step: int, seconds: float) -> float:
    """The share of the peak learning rate for step ``step``, in 0 to 1."""
    done = progress(config, step, seconds)
    warm = _warm(config, step, done)
    if config.schedule == "linear":
        return warm * (1 - done)
    if config.schedule == "cosine":
        return warm * 0.5 * (1 + cos(pi * done))
    if config.schedule == "trapezoid":
        return warm * min(1.0, (1 - done) / config.cooldown)
    return warm


def _warm(config: TrainConfig, step: int, done: float) -> float:
    """How far the warm-up has come, in 0 to 1."""
    if not config.warmup:
        return 1.0
    if config.warmup >= 1:
        return min(1.0, (step + 1) / config.warmup)
    if config.max_steps is not None:
        return min(1.0, (step + 1) / max(1.0, config.warmup * config.max_steps))
    return min(1.0, max(done / config.warmup, 1e-3)) if config.minutes is not None else 1.0
