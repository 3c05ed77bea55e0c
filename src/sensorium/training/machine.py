"""The machine a run has: device, threads, and how many processes share the work."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist

from sensorium.device import device_of, keep_freed_memory
from sensorium.train_config import TrainConfig


@dataclass(frozen=True)
class World:
    """Args:
    device: where this process computes.
    rank: number of this process.
    size: number of processes; 1 without ``torchrun``.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """This process's share of a batch of ``count`` rows."""
        return slice(self.rank, count, self.size)

    def sum(self, value: Tensor) -> Tensor:
        """``value`` summed over all processes."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def wait(self) -> None:
        """Until all processes are here; one may encode for an hour before."""
        if self.size > 1:
            dist.monitored_barrier(timeout=timedelta(days=1)) if dist.get_backend() == "gloo" else dist.barrier()

    def agree(self, numbers: list[float]) -> list[float]:
        """What process 0 has; times and signals differ between processes, decisions must not."""
        if self.size == 1:
            return numbers
        shared = torch.tensor(numbers, dtype=torch.float64)
        dist.broadcast(shared, src=0)
        return shared.tolist()


@contextmanager
def world(config: TrainConfig) -> Iterator[World]:
    """Join the processes that ``torchrun`` started, if any, and prepare threads and memory."""
    device = device_of(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    if device.type == "cpu":
        keep_freed_memory()
        torch.set_flush_denormal(True)  # numbers of next to nothing would slow a CPU down
    try:
        with _joined(device) as found:
            yield found
    finally:
        if device.type == "cpu":
            torch.set_flush_denormal(False)  # what the program does afterwards is to have them


@contextmanager
def _joined(device: torch.device) -> Iterator[World]:
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    own = not dist.is_initialized()
    if own:
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(minutes=30))
    try:
        yield World(device, dist.get_rank(), dist.get_world_size())
    finally:
        if own:
            dist.destroy_process_group()


def copied(grown: Any) -> Any:
    """A copy of a grown model's weights, to be sharded; its senses are shared."""
    return copy.deepcopy(grown, memo={id(grown.senses): grown.senses})


def shard(module: nn.Module, lm: Any, world: World) -> None:
    """Spread weights, gradients and optimiser state over all processes (in place).

    By ``fully_shard`` (arXiv 2304.11277): each block of ``lm`` is gathered when its turn comes, the rest of
    ``module`` once a step.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(world.device.type, (world.size,))
    blocks = set(getattr(lm, "_no_split_modules", None) or ())
    for part in list(lm.modules()):
        if type(part).__name__ in blocks:
            fully_shard(part, mesh=mesh)
    fully_shard(module, mesh=mesh)


def gathered(tensor: Any) -> Tensor:
    """A tensor with all its shards; every process must call this."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def whole(tensor: Tensor) -> Tensor:
    """As `gathered`, on the CPU and without a gradient."""
    return gathered(tensor).detach().cpu()


def like(tensor: Any, value: Tensor) -> Tensor:
    """A whole value on the device of ``tensor``, and sharded as it is."""
    if hasattr(tensor, "full_tensor"):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(value.to(tensor.device), tensor.device_mesh, tensor.placements)
    return value.to(tensor.device)


def seed_all(seed: int, step: int, rank: int) -> None:
    """Seed every generator from the step, so that a resumed run draws what the uninterrupted one drew."""
    words = np.random.SeedSequence([seed, step, rank]).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(int(words[0]))
    torch.manual_seed(int(words[1]))
