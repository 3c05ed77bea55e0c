"""One training function for all trainable codecs: a time budget, checkpoints that resume, printed progress.

What differs between codecs comes in as two functions: one draws a batch, one turns a batch into named loss terms.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sensorium.device import Dtype, computing, keep_freed_memory
from sensorium.files import atomic_file
from sensorium.muon import Muon
from sensorium.types import InputError


@dataclass(frozen=True, kw_only=True)
class CodecTraining:
    """How long and how fast a codec learns.

    Args:
        minutes: wall time of the whole training, pauses between runs not counted.
        steps: stop after so many steps, whatever the time; a run can then be repeated exactly.
        batch: examples a step.
        lr: highest learning rate; it rises over ``warmup`` of the time and falls to zero in a straight line.
        adam_share: learning rate of what Adam trains, as a share of ``lr`` (its steps are larger than Muon's).
        warmup: share of the time.
        weight_decay: decoupled, on matrices and convolutions only.
        clip: largest norm of the gradient.
        seed: of the batches and of the first weights.
        save_every_s: seconds between checkpoints.
        say_every_s: seconds between progress lines.
        dtype: in which the network computes, see `sensorium.device`; weights and the loss stay in float32.
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
    say_every_s: float = 30.0
    dtype: Dtype = "auto"

    def done(self, seconds: float, steps: int) -> float:
        """Share of the training that has passed; 1 or more is the end."""
        return seconds / (60 * self.minutes) if self.steps is None else steps / self.steps

    def lr_at(self, done: float) -> float:
        """Learning rate when the share ``done`` of the time has passed."""
        return self.lr * min(done / self.warmup if self.warmup else 1.0, 1.0) * max(1.0 - done, 0.0)


@dataclass
class TrainingRun:
    """Where a training stands."""

    steps: int = 0
    seconds: float = 0.0
    rng: np.random.Generator = field(default_factory=np.random.default_rng)


Sample = Callable[[np.random.Generator, int], Any]
Loss = Callable[[nn.Module, Any], dict[str, Tensor]]


def train_codec(
    net: nn.Module,
    sample: Sample,
    loss: Loss,
    config: CodecTraining,
    *,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
) -> TrainingRun:
    """Train ``net`` in place until the time (or the number of steps) is up, and leave it in eval mode.

    Args:
        sample: (random generator, batch size) to a batch.
        loss: (net, batch) to named terms whose sum is minimised; the names appear in the progress lines.
        checkpoint: file to resume from when it exists and to save to on the way and at the end.

    Raises:
        InputError: the checkpoint belongs to another network or is damaged.
    """
    keep_freed_memory()
    torch.set_flush_denormal(True)  # numbers of next to nothing would slow a CPU down
    optimisers = make_optimisers(net, config)
    run = TrainingRun(rng=np.random.default_rng(config.seed))
    if checkpoint is not None and checkpoint.exists():
        _load(checkpoint, net, optimisers, run)
        say(f"resumed {checkpoint} at {run.seconds / 60:.1f} min, step {run.steps}")
    net.train()
    clock, sums = _Clock(run.seconds), _Means()
    while (done := config.done(clock.seconds(), run.steps)) < 1:
        batch = sample(run.rng, config.batch)
        with computing(config.dtype, torch.device("cpu")):
            terms = loss(net, batch)
        _step(net, optimisers, sum(terms.values(), torch.zeros(())), config.lr_at(done), config.clip)
        run.steps, run.seconds = run.steps + 1, clock.seconds()
        sums.add(terms)
        if sums.age_s > config.say_every_s:
            say(f"{run.seconds / 60:5.1f} min  step {run.steps:6d}  {sums.take()}")
        if checkpoint is not None and clock.since_save_s > config.save_every_s:
            _save(checkpoint, net, optimisers, run)
            clock.saved()
    net.eval()
    if checkpoint is not None:
        _save(checkpoint, net, optimisers, run)
    return run


def make_optimisers(net: nn.Module, config: CodecTraining) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices and convolutions, Adam for the rest.

    A module says which of its weights stay out of Muon with an ``adam`` attribute: first and last layers, tables.
    """
    apart = {id(p) for module in net.modules() if getattr(module, "adam", False) for p in module.parameters()}
    weights = [p for p in net.parameters() if p.requires_grad]
    inner = [p for p in weights if p.ndim >= 2 and id(p) not in apart]
    taken = {id(p) for p in inner}
    rest = [p for p in weights if id(p) not in taken]
    found: list[torch.optim.Optimizer] = []
    if inner:
        found.append(Muon(inner, lr=config.lr, weight_decay=config.weight_decay))
    if rest:
        found.append(torch.optim.AdamW(rest, lr=config.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True))
    for optimiser in found:
        share = 1.0 if isinstance(optimiser, Muon) else config.adam_share
        for group in optimiser.param_groups:
            group["scale"] = share
    return found


def _step(net: nn.Module, optimisers: list[torch.optim.Optimizer], loss: Tensor, lr: float, clip: float) -> None:
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), clip)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr * group["scale"]
        optimiser.step()
    net.zero_grad(set_to_none=True)


class _Clock:
    """Seconds of training, counted on from an earlier run."""

    def __init__(self, before_s: float) -> None:
        self.start = time.monotonic() - before_s
        self.last_save = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.start

    @property
    def since_save_s(self) -> float:
        return time.monotonic() - self.last_save

    def saved(self) -> None:
        self.last_save = time.monotonic()


class _Means:
    """Mean of each loss term since the last progress line."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.sums: dict[str, float] = {}
        self.count, self.start = 0, time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.start

    def add(self, terms: dict[str, Tensor]) -> None:
        self.count += 1
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(term.detach())

    def take(self) -> str:
        speed = self.count / max(self.age_s, 1e-9)
        text = "  ".join(f"{name} {value / self.count:.4f}" for name, value in self.sums.items())
        self._clear()
        return f"{text}  {speed:.2f} steps/s"


def _state(net: nn.Module, optimisers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    found = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    for o, optimiser in enumerate(optimisers):
        for p, weight in enumerate(optimiser.param_groups[0]["params"]):
            for name, value in optimiser.state.get(weight, {}).items():
                found[f"optimiser.{o}.{p}.{name}"] = torch.as_tensor(value)
    return found


def _save(path: Path, net: nn.Module, optimisers: list[torch.optim.Optimizer], run: TrainingRun) -> None:
    from safetensors.torch import save_file

    head = {"steps": run.steps, "seconds": run.seconds, "rng": run.rng.bit_generator.state}
    tensors = {name: tensor.detach().contiguous() for name, tensor in _state(net, optimisers).items()}
    with atomic_file(path) as temporary:
        save_file(tensors, str(temporary), metadata={"run": json.dumps(head)})


def trained_net(checkpoint: Path) -> dict[str, Tensor]:
    """The network's weights of a checkpoint.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(str(checkpoint))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{checkpoint} is missing or damaged ({error}); train the codec first") from error
    return {name.removeprefix("net."): value for name, value in tensors.items() if name.startswith("net.")}


def _laid_out_as(weight: Tensor, tensor: Tensor) -> Tensor:
    """Fused optimisers walk through memory, so their averages must lie in memory as the weight does."""
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor


def _load(path: Path, net: nn.Module, optimisers: list[torch.optim.Optimizer], run: TrainingRun) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            head = json.loads(file.metadata()["run"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        net.load_state_dict({n.removeprefix("net."): t for n, t in tensors.items() if n.startswith("net.")})
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a checkpoint of this codec ({str(error)[:200]}); delete it to train anew"
        ) from error
    for o, optimiser in enumerate(optimisers):
        for p, weight in enumerate(optimiser.param_groups[0]["params"]):
            prefix = f"optimiser.{o}.{p}."
            state = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            if state:
                optimiser.state[weight] = {n: _laid_out_as(weight, t) for n, t in state.items()}
    run.steps, run.seconds = head["steps"], head["seconds"]
    run.rng.bit_generator.state = head["rng"]
