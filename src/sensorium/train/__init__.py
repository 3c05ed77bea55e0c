"""Training: one loop, a loss per kind of token, checkpoints that resume exactly."""

from sensorium.train.config import TrainConfig
from sensorium.train.energy import Energy
from sensorium.train.loop import fit
from sensorium.train.losses import Batch, BatchLoss, Loss, NextTokenLoss, default_loss
from sensorium.train.report import KindLoss, LogLine, TrainResult, read_log

__all__ = [
    "Batch", "BatchLoss", "Energy", "KindLoss", "LogLine", "Loss", "NextTokenLoss", "TrainConfig", "TrainResult",
    "default_loss", "fit", "read_log",
]  # fmt: skip
