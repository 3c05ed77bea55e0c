"""What a run tells while it goes and when it ends: progress, a log, TensorBoard, the result."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sensorium.files import atomic_file
from sensorium.train_config import TrainConfig
from sensorium.training.energy import Energy
from sensorium.training.schedule import progress

Stopped = Literal["steps", "time", "data", "signal"]
Split = Literal["train", "validation"]
WHY = {"steps": "all steps done", "time": "time is up", "data": "no more data", "signal": "stopped by a signal"}
FEW_STEPS = 200
QUIET_S = 30.0  # between lines where there is no terminal


@dataclass(frozen=True)
class KindLoss:
    """Args:
    nats: mean loss per token, in nats.
    uniform_nats: what guessing evenly would give; None where that means nothing.
    tokens: targets it is the mean of.
    """

    nats: float
    uniform_nats: float | None
    tokens: int


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of ``log.jsonl``, over the steps since the one before.

    Args:
        split: ``"validation"`` for the loss of data that are not trained on, as the model is at this step.
        seconds: training time, all resumes together.
        loss: what was minimised, nats per token.
        kinds: by kind of token; kinds that did not occur are left out.
        tokens: trained on so far, empty places of rows included.
        epochs: times the data were gone round; None where the loader does not say.
    """

    step: int
    split: Split = "train"
    seconds: float
    lr_share: float
    loss: float
    kinds: dict[str, KindLoss]
    grad_norm: float | None
    tokens: int
    tokens_per_second: float
    epochs: float | None


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a run ended.

    Args:
        steps, seconds, tokens: of the whole run, all resumes together.
        steps_now: of them, those of this call; 0 where the budget had been used up before.
        stopped: which end was reached.
        loss, kinds: of the last line of the log; None and empty when there was none.
        validation: the last line about data that were not trained on.
        energy: of the whole run.
        checkpoint: folder of the last one.
    """

    steps: int
    seconds: float
    tokens: int
    stopped: Stopped
    loss: float | None
    kinds: dict[str, KindLoss]
    validation: LogLine | None = None
    energy: Energy
    checkpoint: Path
    steps_now: int | None = None

    @property
    def unlearned(self) -> dict[str, KindLoss]:
        """Kinds that the model tells no better than guessing evenly would."""
        return {k: v for k, v in self.kinds.items() if v.uniform_nats is not None and v.nats >= v.uniform_nats}

    def __str__(self) -> str:
        a_token = " nats a token" if any(v.uniform_nats is not None for v in self.kinds.values()) else ""
        loss = "" if self.loss is None else f", loss {self.loss:.3f}{a_token}"
        lines = [
            f"{self.steps} steps in {self.seconds / 60:.1f} minutes ({WHY[self.stopped]}), {self.tokens} tokens{loss}",
            *(f"  {kind}: {_told(v)}" for kind, v in self.kinds.items()),
        ]
        if self.validation is not None:
            kinds = ", ".join(f"{kind} {v.nats:.3f}" for kind, v in self.validation.kinds.items())
            lines.append(f"  validation: loss {self.validation.loss:.3f} ({kinds})")
        return "\n".join([*lines, f"  energy: {self.energy}", *self.warnings()])

    def warnings(self) -> list[str]:
        """What the user should know and do, in sentences."""
        found = []
        if self.steps_now == 0 and self.stopped in ("time", "steps"):
            found.append(
                "  nothing was left to do: the budget of this run was used up before; allow more time (or steps), or "
                "start a new run in another folder"
            )
        if self.unlearned:
            kinds = " and ".join(repr(kind) for kind in self.unlearned)
            found.append(
                f"  nothing is learned yet of {kinds}: the loss is no better than guessing evenly; train longer"
                + (", or take smaller steps (fewer rows, shorter rows)" if self.steps < FEW_STEPS else "")
            )
        return found


def _told(kind: KindLoss) -> str:
    uniform = "" if kind.uniform_nats is None else f" nats (uniform {kind.uniform_nats:.3f})"
    return f"{kind.nats:.3f}{uniform}"


class Reporter:
    """Writes the log, TensorBoard scalars and the progress on the screen; only process 0 has one.

    Args:
        out: folder of the run; ``log.jsonl`` and ``tensorboard/`` go there.
        step: step the run goes on from; what an earlier, cut-off run logged beyond it is dropped.
    """

    def __init__(self, out: Path, config: TrainConfig, step: int):
        self.config, self.path = config, out / "log.jsonl"
        self._keep_until(step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board = _board(out / "tensorboard", step)
        self._bar = _Bar(config) if sys.stderr.isatty() else None
        self._said = -QUIET_S

    def line(self, line: LogLine) -> None:
        self._file.write(json.dumps(asdict(line)) + "\n")
        self._file.flush()
        for name, value in _scalars(line):
            if self._board is not None:
                self._board.add_scalar(name, value, line.step)
        if self._bar is not None:
            self._bar.show(line)
        elif time.monotonic() - self._said >= QUIET_S:
            self._said = time.monotonic()
            print(_words(line), file=sys.stderr, flush=True)

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()
        if self._bar is not None:
            self._bar.close()

    def _keep_until(self, step: int) -> None:
        lines = read_log(self.path, None)
        with atomic_file(self.path) as path:
            kept = [json.dumps(line) + "\n" for line in lines if line["step"] <= step]
            path.write_text("".join(kept), encoding="utf-8")


def read_log(path: Path, split: Split | None = "train") -> list[dict[str, Any]]:
    """The lines of a ``log.jsonl`` about one of them, or (None) all; a line that was cut short is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return [line for line in lines if split in (None, line.get("split", "train"))]


class _Bar:
    def __init__(self, config: TrainConfig):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._config, self._progress = config, Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task("starting", total=1.0)
        self._progress.start()

    def show(self, line: LogLine) -> None:
        done = used(self._config, line.step, line.seconds)
        self._progress.update(self._task, completed=done, description=_words(line))

    def close(self) -> None:
        self._progress.stop()


def used(config: TrainConfig, step: int, seconds: float) -> float:
    """How much of the nearer budget is used, in 0 to 1."""
    by_time = seconds / (60 * config.minutes) if config.minutes else 0.0
    return min(1.0, max(by_time, progress(config, step, seconds)))


def _words(line: LogLine) -> str:
    uniform = {kind: "" if v.uniform_nats is None else f"/{v.uniform_nats:.2f}" for kind, v in line.kinds.items()}
    kinds = "  ".join(f"{kind} {v.nats:.2f}{uniform[kind]}" for kind, v in line.kinds.items())
    split = "" if line.split == "train" else f"{line.split}, "
    return f"{split}step {line.step}  loss {line.loss:.3f}  {kinds}  {line.tokens_per_second:.0f} tokens/s"


def _scalars(line: LogLine) -> list[tuple[str, float]]:
    if line.split == "validation":
        kinds = [(f"validation/{kind}", value.nats) for kind, value in line.kinds.items()]
        return [("validation/loss", line.loss), *kinds]
    found = [("loss", line.loss), ("lr_share", line.lr_share), ("tokens_per_second", line.tokens_per_second)]
    if line.grad_norm is not None:
        found.append(("grad_norm", line.grad_norm))
    for kind, value in line.kinds.items():
        found.append((f"loss/{kind}", value.nats))
        if value.uniform_nats is not None:
            found.append((f"uniform/{kind}", value.uniform_nats))
    return found


def _board(folder: Path, step: int) -> Any | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
