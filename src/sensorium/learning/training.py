"""How codecs, readers and judges are trained: on the loop that language models train on, with settings that suit them.

What differs between them comes in as two functions: one draws a batch, one turns a batch into named loss terms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor, nn

from sensorium.train_config import Dtype
from sensorium.training import Drawn, Terms, TrainConfig, TrainResult, fit
from sensorium.training.checkpoint import load_latest
from sensorium.training.nets import Sample, TermsOf
from sensorium.types import InputError


@dataclass(frozen=True, kw_only=True)
class CodecTraining:
    """How long and how fast a codec learns.

    Args:
        minutes: time of the whole training, pauses between runs not counted.
        steps: stop after so many steps, whatever the time; a run can then be repeated exactly.
        batch: examples a step.
        lr: highest learning rate; it rises over ``warmup`` of the budget and falls to zero in a straight line.
        adam_share: learning rate of what Adam trains, as a share of ``lr`` (its steps are larger than Muon's).
        warmup: share of the budget.
        weight_decay: decoupled, on matrices and convolutions only.
        clip: largest norm of the gradient.
        seed: of the batches.
        save_every_s: seconds between checkpoints.
        dtype: in which the network computes, see `sensorium.device`; weights and the loss stay in float32.
        device: ``"auto"`` takes a GPU where there is one.
    """

    minutes: float
    steps: int | None = None
    batch: int = 64
    lr: float = 5e-3
    adam_share: float = 0.25
    warmup: float = 0.04
    weight_decay: float = 0.05
    clip: float = 1.0
    seed: int = 0
    save_every_s: float = 120.0
    dtype: Dtype = "auto"
    device: str = "auto"

    def config(self) -> TrainConfig:
        return TrainConfig(
            minutes=None if self.steps is not None else self.minutes,
            max_steps=self.steps,
            lr={"body": self.lr, "rest": self.lr * self.adam_share},
            warmup=self.warmup,
            schedule="linear",
            optimizer="muon",
            weight_decay=self.weight_decay,
            betas=(0.9, 0.98),
            grad_clip=self.clip,
            save_minutes=max(self.save_every_s / 60, 1e-9),
            seed=self.seed,
            dtype=self.dtype,
            device=self.device,
        )


def train_codec(
    net: nn.Module,
    sample: Sample,
    loss: TermsOf,
    config: CodecTraining,
    *,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
) -> TrainResult:
    """Train ``net`` in place until the time (or the number of steps) is up, and leave it on the CPU in eval mode.

    Args:
        sample: (random generator, batch size) to a batch.
        loss: (net, batch) to named terms whose sum is minimised; the names appear in the log.
        checkpoint: name of the run; its folder, without the ending, holds checkpoints and log, and is gone on from.

    Raises:
        InputError: the checkpoint belongs to another network or is damaged.
    """
    with TemporaryDirectory() as nowhere:
        place = Path(nowhere) if checkpoint is None else run_folder(checkpoint)
        if list(place.glob("checkpoints/step-*")):
            say(f"going on where the run in {place} stopped")
        batches = Drawn(sample, config.batch, config.seed)
        result = fit(net, batches, config.config(), place, Terms(loss))
    say(str(result))
    net.eval().to("cpu")
    return result


def run_folder(checkpoint: Path) -> Path:
    return checkpoint.with_suffix("")


def trained_net(checkpoint: Path) -> dict[str, Tensor]:
    """The network's weights of a run's last checkpoint.

    Raises:
        InputError: there is none, or all are damaged.
    """
    found = load_latest(run_folder(checkpoint) / "checkpoints")
    if found is None:
        raise InputError(f"there is no checkpoint in {run_folder(checkpoint)}; train the codec first")
    return found.weights
