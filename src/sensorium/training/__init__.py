"""Training: one loop, a loss per kind of token, checkpoints that resume exactly."""

from sensorium.training.config import TrainConfig
from sensorium.training.energy import Energy
from sensorium.training.loop import fit
from sensorium.training.losses import Batch, BatchLoss, Loss, NextTokenLoss, default_loss
from sensorium.training.report import KindLoss, LogLine, TrainResult, read_log

__all__ = [
    "Batch", "BatchLoss", "Energy", "KindLoss", "LogLine", "Loss", "NextTokenLoss", "TrainConfig", "TrainResult",
    "default_loss", "fit", "read_log",
]  # fmt: skip
