"""The training loop: one for CPU and GPU, for one process and for many.

Methods differ by the loss function passed in, never by a copy of this file.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Protocol

import torch
from torch import Tensor, nn

from sensorium.checked import Range, checked, told
from sensorium.device import computing, give_back_freed_memory
from sensorium.train_config import TrainConfig
from sensorium.training import checkpoint, machine
from sensorium.training.energy import Energy, Meter
from sensorium.training.losses import BatchLoss, Loss, default_loss
from sensorium.training.machine import World
from sensorium.training.optimizer import Optimizer
from sensorium.training.report import KindLoss, LogLine, Reporter, Split, Stopped, TrainResult
from sensorium.training.schedule import lr_share
from sensorium.training.trainee import Trainee
from sensorium.types import InputError

AVERAGE = "ema/"
CHECKPOINTS = "checkpoints"
STATE: dict[str, Any] = {
    "made_for": dict[str, Any],
    "step": Annotated[int, Range(0, 2**53)],
    "tokens": Annotated[int, Range(0, 2**53)],
    "seconds": Annotated[float, Range(0, 1e12)],
    "loader": dict[str, Any],
    "kinds": tuple[str, ...],
    "sums": tuple[float, ...],
    "energy": dict[str, Any],
}
"""What a checkpoint tells beside tensors."""
TIDY_EVERY = 100
"""Steps; batches differ in their number of targets, and free memory would grow by a gigabyte a minute."""


class Loader(Protocol):
    """Batches, and an exact place to go on from.

    A batch has ``rows`` and ``tokens``, numbers, and ``to(device, rows)``, which gives what the loss takes: the rows of
    a slice, on the device. A property ``progress``, where there is one, tells the epochs done.
    """

    def __iter__(self) -> Iterator[Any]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def fit(
    module: Any,
    loader: Loader,
    config: TrainConfig,
    out: str | PathLike[str],
    loss: Loss = default_loss,
    validate: Iterable[Any] = (),
) -> TrainResult:
    """Train a model or any network (in place) until a budget is used up, the data end, or a signal asks to stop.

    Checkpoints go to ``out/checkpoints``. Called again with the same folder it goes on from the newest that is
    whole, and on a CPU repeats the uninterrupted run bit for bit (under a step budget; under a time budget as
    exactly as clocks go). Under ``torchrun`` every process calls this alike: weights are sharded, the rows of
    each batch are divided, and afterwards every process has the whole trained model.

    Args:
        module: a `sensorium.model.Grown`, or another network.
        loader: a `sensorium.data.PackedLoader` over the rows of all processes, or one made for this rank; for networks
            `sensorium.training.Drawn`.
        out: folder of the run.
        loss: see `sensorium.training.losses`, for networks `sensorium.training.Terms`.
        validate: batches that are never trained on; every ``validate_every`` steps, and at the end, the loss of all of
            them is logged beside that of training.

    Raises:
        InputError: the folder's checkpoints belong to another model or other data, or are all damaged; the
            loss is no longer a number; the disk is full. Earlier checkpoints stay.
    """
    with ExitStack() as stack:
        world = stack.enter_context(machine.world(config))
        stop = stack.enter_context(stop_signals())
        trainee = Trainee.of(module)
        stack.enter_context(trainee.ready(config, world))
        run = Run(trainee, loader, config, Path(out), loss, world, validate)
        stack.callback(run.close)
        return run.train(stop)


class Step(nn.Module):
    """The loss as a module, so that sharding gathers weights before it and no method of the model is left out."""

    def __init__(self, trained: Any, loss: Loss, config: TrainConfig, device: torch.device):
        super().__init__()
        self.trained, self.loss, self.dtype, self.device = trained, loss, config.dtype, device

    def forward(self, batch: Any) -> BatchLoss:
        with computing(self.dtype, self.device):
            return self.loss(self.trained, batch)


class Run:
    """One run and where it stands: step, training seconds, tokens, sums since the last line of the log."""

    def __init__(
        self,
        trainee: Trainee,
        loader: Loader,
        config: TrainConfig,
        out: Path,
        loss: Loss,
        world: World,
        validate: Iterable[Any],
    ):
        self.trainee, self.loader, self.config, self.out, self.world = trainee, loader, config, out, world
        self.validate = validate
        self.step, self.tokens, self.before_s, self.now_s, self.saved_s = 0, 0, 0.0, 0.0, 0.0
        self.kinds = trainee.kinds
        self.saved_step = -1
        self.last: LogLine | None = None
        self.last_validation: LogLine | None = None
        machine.seed_all(config.seed, 0, 0)
        found = checkpoint.load_latest(self.folder)
        if found is not None:
            with told(f"the checkpoints in {self.folder} do not tell where the run stood", again=False):
                _check_state(found.state)
                trainee.check(found.state["made_for"])
            trainee.load({k: v for k, v in found.weights.items() if not k.startswith(AVERAGE)})
        self.module = self._module(loss)
        self.sharded = Trainee.of(self.module.trained)
        self.optimizer = Optimizer(self.sharded, config)
        self.sums: Tensor | None = None
        if found is not None:
            with told(f"the run cannot go on from the checkpoints in {self.folder}", again=False):
                self._go_on_from(found)
        self.first_step = self.step
        self.energy = Energy(**found.state["energy"]) if found else Energy()
        self.meter = Meter(self.energy if world.is_first else None, world.device.index)
        self.reporter = Reporter(out, config, self.step) if world.is_first else None
        self.grad_norm: Tensor | None = None
        self._mark = (time.monotonic(), self.tokens)

    @property
    def folder(self) -> Path:
        return self.out / CHECKPOINTS

    def _module(self, loss: Loss) -> Step:
        """The step on its device; sharded when there are several processes."""
        trained = self.trainee.module if self.world.size == 1 else self.trainee.copied()
        trained.train().to(self.world.device)
        if self.config.compile:
            Trainee.of(trained).body().compile()
        module = Step(trained, loss, self.config, self.world.device)
        if self.world.size > 1:
            machine.shard(module, getattr(trained, "lm", trained), self.world)
        return module

    def _go_on_from(self, found: checkpoint.Checkpoint) -> None:
        state = found.state
        self.step, self.tokens, self.before_s = state["step"], state["tokens"], state["seconds"]
        self.saved_step, self.saved_s = self.step, self.before_s
        self.loader.load_state_dict(state["loader"])
        self.optimizer.load_state(found.optimizer)
        self.optimizer.load_average({k[len(AVERAGE) :]: v for k, v in found.weights.items() if k.startswith(AVERAGE)})
        self.kinds = self.trainee.kinds or tuple(state["kinds"])
        if self.world.is_first:
            self._add(torch.tensor(state["sums"], dtype=torch.float64))

    def _add(self, sums: Tensor) -> None:
        """Sums of total, weight, and of nats and tokens by kind, since the last line of the log."""
        sums = sums.to(self.world.device, torch.float64)
        # A checkpoint from before a codec was added holds fewer.
        self.sums = sums if self.sums is None or len(sums) != len(self.sums) else self.sums + sums

    def train(self, stop: threading.Event) -> TrainResult:
        start, batches = time.monotonic(), iter(self.loader)
        while True:
            elapsed = self.before_s + time.monotonic() - start
            self.now_s, asked = self.world.agree([elapsed, float(stop.is_set())])
            why = self._end(bool(asked))
            taken = [] if why else list(islice(batches, self.config.accumulate))
            if not taken:
                return self._finish(why or "data")
            self._one_step(taken)
            if self.step % self.config.log_every == 0:
                self._log()
            if self.config.validate_every and self.step % self.config.validate_every == 0:
                self._validate()
            if self.step % TIDY_EVERY == 0 and self.world.device.type == "cpu":
                give_back_freed_memory()
            if self._save_is_due():
                self._save()

    def _end(self, asked: bool) -> Stopped | None:
        if asked:
            return "signal"
        if self.config.max_steps is not None and self.step >= self.config.max_steps:
            return "steps"
        if self.config.minutes is not None and self.now_s >= 60 * self.config.minutes:
            return "time"
        return None

    def _one_step(self, taken: Sequence[Any]) -> None:
        """One step of the optimiser, on one batch or on several whose gradients add up."""
        machine.seed_all(self.config.seed, self.step, self.world.rank)
        weights = []
        for batch in taken:
            loss = self.module(batch.to(self.world.device, self._rows(batch)))
            # Sharding averages gradients over processes; the loss is a mean over the tokens of them all.
            weights.append(self.world.sum(loss.weight).clamp(min=1e-9))
            share = self.world.size / weights[0] if len(taken) == 1 else self.world.size
            (loss.total * share).backward()
            self._count(loss)
            self.tokens += batch.tokens * (self.world.size if self._is_mine() else 1)
        if len(taken) > 1:
            self.optimizer.scale(1 / torch.stack(weights).sum())
        self.grad_norm = self.optimizer.step(lr_share(self.config, self.step, self.now_s))
        self.step += 1

    def _is_mine(self) -> bool:
        """Whether the loader gives each process its own rows."""
        return getattr(self.loader, "world_size", 1) == self.world.size

    def _rows(self, batch: Any) -> slice:
        return slice(None) if self._is_mine() else self.world.rows(batch.rows)

    def _count(self, loss: BatchLoss) -> None:
        self.kinds = loss.kinds or self.kinds
        self._add(torch.cat([loss.total.detach()[None], loss.weight[None], loss.nats_K, loss.tokens_K]))

    @torch.no_grad()
    def _validate(self) -> None:
        """Log the loss of the batches that are not trained on."""
        kept, self.sums, tokens = self.sums, None, self.tokens
        self.module.trained.eval()
        for batch in self.validate:
            rows = slice(None) if self.world.size == 1 else self.world.rows(batch.rows)
            self._count(self.module(batch.to(self.world.device, rows)))
            tokens += batch.tokens
        self.module.trained.train()
        if self.sums is not None:
            self.last_validation = self._line("validation", tokens)
        self.sums, self._mark = kept, (time.monotonic(), self.tokens)

    def _finish(self, why: Stopped) -> TrainResult:
        if self.step != self.first_step:
            if self.step % self.config.log_every:
                self._log()
            if self.validate and not (self.config.validate_every and self.step % self.config.validate_every == 0):
                self._validate()
        if self.step != self.saved_step:
            self._save()
        self._give_back()
        return TrainResult(
            steps=self.step,
            steps_now=self.step - self.first_step,
            seconds=self.now_s,
            tokens=self.tokens,
            stopped=why,
            loss=self.last.loss if self.last else None,
            kinds=self.last.kinds if self.last else {},
            validation=self.last_validation,
            energy=self.energy,
            checkpoint=self.folder / f"step-{self.step:08d}",
        )

    def _give_back(self) -> None:
        """Leave the trained weights, or their average, in the model that was given."""
        self.sharded.body()._compiled_call_impl = None
        if self.world.size > 1 or self.optimizer.average is not None:
            weights = self._whole(self.optimizer.average or self.optimizer.parameters)
            self.trainee.load(weights | self._whole(self.sharded.beside()))

    @staticmethod
    def _whole(tensors: dict[str, Any]) -> dict[str, Tensor]:
        return {name: machine.whole(value) for name, value in tensors.items()}

    def _summed(self) -> Tensor:
        """Sums of all processes since the last line of the log.

        Raises:
            InputError: the loss is no longer a number.
        """
        sums = self.sums if self.sums is not None else torch.zeros(2 + 2 * len(self.kinds), dtype=torch.float64)
        sums = self.world.sum(sums).cpu()
        if not torch.isfinite(sums).all():
            raise InputError(
                f"the loss is no longer a number at step {self.step}; lower lr, then run again: "
                "it goes on from the last checkpoint"
            )
        return sums

    def _log(self) -> None:
        self.last = self._line("train", self.tokens)
        self.sums = None
        self._mark = (time.monotonic(), self.tokens)

    def _line(self, split: Split, tokens: int) -> LogLine:
        """A line of the log from the sums; ``tokens`` until now."""
        total, weight, *rest = self._summed().tolist()
        count = len(self.kinds)
        then, before = self._mark
        kinds = {
            kind: KindLoss(nats / number, self.trainee.uniform_nats(index), int(number))
            for index, (kind, nats, number) in enumerate(zip(self.kinds, rest[:count], rest[count:], strict=True))
            if number
        }
        line = LogLine(
            step=self.step,
            split=split,
            seconds=round(self.now_s, 2),
            lr_share=lr_share(self.config, self.step - 1, self.now_s),
            loss=total / max(weight, 1e-9),
            kinds=kinds,
            grad_norm=None if self.grad_norm is None or split != "train" else float(self.grad_norm),
            tokens=self.tokens,
            tokens_per_second=round((tokens - before) / max(time.monotonic() - then, 1e-9), 1),
            epochs=getattr(self.loader, "progress", None),
        )
        if self.reporter:
            self.reporter.line(line)
        return line

    def _energy(self) -> Energy:
        """Energy of all processes; every process must call this."""
        own = self.meter.read()
        return replace(own, kwh=float(self.world.sum(torch.tensor(own.kwh, dtype=torch.float64))))

    def _save_is_due(self) -> bool:
        by_steps = self.config.save_every is not None and self.step % self.config.save_every == 0
        return by_steps or self.now_s - self.saved_s >= 60 * self.config.save_minutes

    def _save(self) -> None:
        sums = self._summed()
        weights = self._whole(self.optimizer.parameters) | self._whole(self.sharded.beside())
        if self.optimizer.average is not None:
            weights |= {AVERAGE + name: value for name, value in self._whole(self.optimizer.average).items()}
        optimizer, self.energy = self.optimizer.state(), self._energy()
        if self.world.is_first:
            state = {
                "made_for": self.trainee.facts(),
                "config": self.config.to_json(),
                "step": self.step,
                "tokens": self.tokens,
                "seconds": self.now_s,
                "loader": self.loader.state_dict(),
                "kinds": self.kinds,
                "sums": sums.tolist(),
                "energy": asdict(self.energy),
            }
            checkpoint.save(self.folder, self.step, checkpoint.Checkpoint(weights, optimizer, state))
        self.saved_step, self.saved_s = self.step, self.now_s

    def close(self) -> None:
        self.meter.close()
        if self.reporter:
            self.reporter.close()


def _check_state(state: Mapping[str, Any]) -> None:
    """InputError for a state that `Run._save` does not write."""
    for name, hint in STATE.items():
        checked(state.get(name), hint, f"state.{name}")


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and the first Ctrl-C set; a second Ctrl-C interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: Any) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    former = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
