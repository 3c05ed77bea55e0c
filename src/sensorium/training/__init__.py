"""Training: one loop for all that learns, a loss per kind of token, checkpoints that resume exactly."""

from sensorium.data.packing import Batch
from sensorium.train_config import TrainConfig
from sensorium.training.energy import Energy
from sensorium.training.kept_words import KeptWordsLoss, loss_of
from sensorium.training.loop import fit
from sensorium.training.losses import BatchLoss, Loss, NextTokenLoss, default_loss
from sensorium.training.nets import Drawn, Terms
from sensorium.training.report import KindLoss, LogLine, TrainResult, read_log

__all__ = [
    "Batch", "BatchLoss", "Drawn", "Energy", "KeptWordsLoss", "KindLoss", "LogLine", "Loss", "NextTokenLoss", "Terms",
    "TrainConfig", "TrainResult", "default_loss", "fit", "loss_of", "read_log",
]  # fmt: skip
