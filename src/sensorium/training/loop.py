"""The training loop: one for CPU and GPU, for one process and for many.

Methods differ by the loss function passed in, never by a copy of this file.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sensorium.device import computing, format_of, give_back_freed_memory
from sensorium.training import checkpoint, machine
from sensorium.training.attention import documents_only
from sensorium.training.config import TrainConfig
from sensorium.training.energy import Energy, Meter
from sensorium.training.frozen import held_in
from sensorium.training.losses import Batch, BatchLoss, Loss, default_loss
from sensorium.training.machine import World
from sensorium.training.optimizer import Optimizer
from sensorium.training.report import KindLoss, LogLine, Reporter, Stopped, TrainResult
from sensorium.training.schedule import lr_share
from sensorium.types import InputError

AVERAGE = "ema/"
TIDY_EVERY = 100
"""Steps; batches differ in their number of targets, and free memory would grow by a gigabyte a minute."""


class Loader(Protocol):
    """Batches with ``ids``, ``targets`` and ``position_ids``, and an exact place to go on from."""

    def __iter__(self) -> Iterator[Any]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def fit(
    grown: Any, loader: Loader, config: TrainConfig, out: str | PathLike[str], loss: Loss = default_loss
) -> TrainResult:
    """Train a grown model (in place) until a budget is used up, the data end, or a signal asks to stop.

    Checkpoints go to ``out/checkpoints``. Called again with the same folder it goes on from the newest that is
    whole, and on a CPU repeats the uninterrupted run bit for bit (under a step budget; under a time budget as
    exactly as clocks go). Under ``torchrun`` every process calls this alike: weights are sharded, the rows of
    each batch are divided, and afterwards every process has the whole trained model.

    Args:
        grown: a `sensorium.model.Grown`.
        loader: a `sensorium.data.PackedLoader` over the rows of all processes, or one made for this rank.
        out: folder of the run.
        loss: see `sensorium.training.losses`.

    Raises:
        InputError: the folder's checkpoints belong to another model or other data, or are all damaged; the
            loss is no longer a number; the disk is full. Earlier checkpoints stay.
    """
    with ExitStack() as stack:
        world = stack.enter_context(machine.world(config))
        stop = stack.enter_context(stop_signals())
        was_training = grown.training
        stack.callback(lambda: grown.train(was_training))
        if world.size == 1:  # shards hold one format, and gather whole rows
            grown.to(world.device)
            stack.enter_context(documents_only(grown))
            stack.enter_context(held_in(format_of(config.dtype, world.device), grown))
        run = Run(grown, loader, config, Path(out), loss, world)
        stack.callback(run.close)
        return run.train(stop)


class Step(nn.Module):
    """The loss as a module, so that sharding gathers weights before it and no method of the model is left out."""

    def __init__(self, grown: Any, loss: Loss, config: TrainConfig):
        super().__init__()
        self.grown, self.loss, self.dtype = grown, loss, config.dtype

    def forward(self, batch: Batch) -> BatchLoss:
        with computing(self.dtype, batch.ids_BT.device):
            return self.loss(self.grown, batch)


class Run:
    """One run and where it stands: step, training seconds, tokens, sums since the last line of the log."""

    def __init__(self, grown: Any, loader: Loader, config: TrainConfig, out: Path, loss: Loss, world: World):
        self.grown, self.loader, self.config, self.out, self.world = grown, loader, config, out, world
        self.step, self.tokens, self.before_s, self.now_s, self.saved_s = 0, 0, 0.0, 0.0, 0.0
        self.kinds = grown.vocabulary.kinds
        self.saved_step = -1
        self.last: LogLine | None = None
        machine.seed_all(config.seed, 0, 0)
        found = checkpoint.load_latest(self.folder)
        if found is not None:
            checkpoint.check_fits(grown, found.state["made_for"])
            grown.load_train_state({k: v for k, v in found.weights.items() if not k.startswith(AVERAGE)})
        self.module = self._module(loss)
        self.optimizer = Optimizer(self.module.grown, config)
        self.sums = torch.zeros(2 + 2 * len(self.kinds), dtype=torch.float64, device=world.device)
        if found is not None:
            self._go_on_from(found)
        self.energy = Energy(**found.state["energy"]) if found else Energy()
        self.meter = Meter(self.energy if world.is_first else None, world.device.index)
        self.reporter = Reporter(out, config, self.step) if world.is_first else None
        self.grad_norm: Tensor | None = None
        self._mark = (time.monotonic(), self.tokens)

    @property
    def folder(self) -> Path:
        return self.out / "checkpoints"

    def _module(self, loss: Loss) -> Step:
        """The step on its device; sharded when there are several processes."""
        grown = self.grown if self.world.size == 1 else machine.copied(self.grown)
        grown.train().to(self.world.device)
        if self.config.compile:
            grown.lm.base_model.compile()
        module = Step(grown, loss, self.config)
        if self.world.size > 1:
            machine.shard(module, grown.lm, self.world)
        return module

    def _go_on_from(self, found: checkpoint.Checkpoint) -> None:
        state = found.state
        self.step, self.tokens, self.before_s = state["step"], state["tokens"], state["seconds"]
        self.saved_step, self.saved_s = self.step, self.before_s
        self.loader.load_state_dict(state["loader"])
        self.optimizer.load_state(found.optimizer)
        self.optimizer.load_average({k[len(AVERAGE) :]: v for k, v in found.weights.items() if k.startswith(AVERAGE)})
        if self.world.is_first:
            self.sums += torch.tensor(state["sums"], dtype=torch.float64, device=self.sums.device)

    def train(self, stop: threading.Event) -> TrainResult:
        start, batches = time.monotonic(), iter(self.loader)
        while True:
            elapsed = self.before_s + time.monotonic() - start
            self.now_s, asked = self.world.agree([elapsed, float(stop.is_set())])
            why = self._end(bool(asked))
            packed = None if why else next(batches, None)
            if packed is None:
                return self._finish(why or "data")
            self._one_step(packed)
            if self.step % self.config.log_every == 0:
                self._log()
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

    def _one_step(self, packed: Any) -> None:
        machine.seed_all(self.config.seed, self.step, self.world.rank)
        mine = getattr(self.loader, "world_size", 1) == self.world.size
        rows = slice(None) if mine else self.world.rows(len(packed.ids))
        loss = self.module(Batch.of(packed, rows, self.world.device))
        # Sharding averages gradients over processes; the loss is a mean over the tokens of them all.
        weight = self.world.sum(loss.weight).clamp(min=1e-9)
        (loss.total * (self.world.size / weight)).backward()
        self.grad_norm = self.optimizer.step(lr_share(self.config, self.step, self.now_s))
        self.sums += torch.cat([loss.total.detach()[None], loss.weight[None], loss.nats_K, loss.tokens_K])
        self.step += 1
        self.tokens += packed.ids.size * (self.world.size if mine else 1)

    def _finish(self, why: Stopped) -> TrainResult:
        if self.step != self.saved_step:
            if self.step % self.config.log_every:
                self._log()
            self._save()
        self._give_back()
        return TrainResult(
            steps=self.step,
            seconds=self.now_s,
            tokens=self.tokens,
            stopped=why,
            loss=self.last.loss if self.last else None,
            kinds=self.last.kinds if self.last else {},
            energy=self.energy,
            checkpoint=self.folder / f"step-{self.step:08d}",
        )

    def _give_back(self) -> None:
        """Leave the trained weights, or their average, in the model that was given."""
        self.module.grown.lm.base_model._compiled_call_impl = None
        if self.world.size > 1 or self.optimizer.average is not None:
            self.grown.load_train_state(self._whole(self.optimizer.average or self.optimizer.parameters))

    @staticmethod
    def _whole(tensors: dict[str, Any]) -> dict[str, Tensor]:
        return {name: machine.whole(value) for name, value in tensors.items()}

    def _summed(self) -> Tensor:
        """Sums of all processes since the last line of the log.

        Raises:
            InputError: the loss is no longer a number.
        """
        sums = self.world.sum(self.sums).cpu()
        if not torch.isfinite(sums).all():
            raise InputError(
                f"the loss is no longer a number at step {self.step}; lower lr, then run again: "
                "it goes on from the last checkpoint"
            )
        return sums

    def _log(self) -> None:
        total, weight, *rest = self._summed().tolist()
        count = len(self.kinds)
        now, (then, tokens) = time.monotonic(), self._mark
        kinds = {
            kind: KindLoss(nats / number, self.grown.vocabulary.uniform_nats(index), int(number))
            for index, (kind, nats, number) in enumerate(zip(self.kinds, rest[:count], rest[count:], strict=True))
            if number
        }
        self.last = LogLine(
            step=self.step,
            seconds=round(self.now_s, 2),
            lr_share=lr_share(self.config, self.step - 1, self.now_s),
            loss=total / max(weight, 1e-9),
            kinds=kinds,
            grad_norm=None if self.grad_norm is None else float(self.grad_norm),
            tokens=self.tokens,
            tokens_per_second=round((self.tokens - tokens) / max(now - then, 1e-9), 1),
            epochs=getattr(self.loader, "progress", None),
        )
        if self.reporter:
            self.reporter.line(self.last)
        self.sums.zero_()
        self._mark = (now, self.tokens)

    def _energy(self) -> Energy:
        """Energy of all processes; every process must call this."""
        own = self.meter.read()
        return replace(own, kwh=float(self.world.sum(torch.tensor(own.kwh, dtype=torch.float64))))

    def _save_is_due(self) -> bool:
        by_steps = self.config.save_every is not None and self.step % self.config.save_every == 0
        return by_steps or self.now_s - self.saved_s >= 60 * self.config.save_minutes

    def _save(self) -> None:
        sums = self._summed()
        weights = self._whole(self.optimizer.parameters)
        if self.optimizer.average is not None:
            weights |= {AVERAGE + name: value for name, value in self._whole(self.optimizer.average).items()}
        optimizer, self.energy = self.optimizer.state(), self._energy()
        if self.world.is_first:
            state = {
                "made_for": checkpoint.facts_of(self.grown),
                "config": self.config.to_json(),
                "step": self.step,
                "tokens": self.tokens,
                "seconds": self.now_s,
                "loader": self.loader.state_dict(),
                "sums": sums.tolist(),
                "energy": asdict(self.energy),
            }
            checkpoint.save(self.folder, self.step, checkpoint.Checkpoint(weights, optimizer, state))
        self.saved_step, self.saved_s = self.step, self.now_s

    def close(self) -> None:
        self.meter.close()
        if self.reporter:
            self.reporter.close()


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
