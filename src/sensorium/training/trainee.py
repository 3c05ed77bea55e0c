"""What the loop asks of whatever learns: parameters by group, what a checkpoint holds and fits, what is logged.

A grown model and any other network answer the same questions, so codecs, judges and readers train on the loop that
language models train on.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sensorium.device import format_of
from sensorium.train_config import TrainConfig
from sensorium.training import checkpoint, machine
from sensorium.training.attention import documents_only
from sensorium.training.frozen import held_in
from sensorium.training.machine import World
from sensorium.types import InputError


@dataclass(frozen=True)
class Group:
    """Parameters that are treated alike.

    Args:
        name: of their learning rate, see `TrainConfig`.
        muon: whether Muon may take them.
        decay: whether weight decay does.
    """

    name: str
    parameters: list[nn.Parameter]
    muon: bool
    decay: bool


class Trainee(ABC):
    """Args:
    module: what learns.
    """

    kinds: tuple[str, ...] = ()
    """Names of the parts of the loss; a loss may bring its own, see `BatchLoss`."""

    def __init__(self, module: Any):
        self.module = module

    @staticmethod
    def of(module: Any) -> Trainee:
        """For a `sensorium.model.Grown`, or for any other network."""
        return GrownTrainee(module) if hasattr(module, "parameters_to_train") else NetTrainee(module)

    def uniform_nats(self, kind: int) -> float | None:
        """What guessing evenly would lose a token of a kind; None where that means nothing."""
        return None

    @abstractmethod
    def groups(self) -> list[Group]: ...

    def beside(self) -> dict[str, Tensor]:
        """Tensors that a checkpoint needs beside the parameters that train."""
        return {}

    @abstractmethod
    def load(self, weights: dict[str, Tensor]) -> None:
        """Put back trained parameters and what `beside` gave; InputError when they belong to another model."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What a checkpoint only fits when it is the same, as JSON."""

    @abstractmethod
    def check(self, made_for: Mapping[str, Any]) -> None:
        """InputError when a checkpoint was written for something else; ``made_for`` is what `facts` said then."""

    def body(self) -> nn.Module:
        """What is worth compiling."""
        return self.module

    @abstractmethod
    def copied(self) -> Any:
        """The module again, to be sharded."""

    @contextmanager
    def ready(self, config: TrainConfig, world: World) -> Iterator[None]:
        """Within, steps are fast; afterwards the module is as it was, but for what it has learned."""
        was_training = self.module.training
        try:
            yield
        finally:
            self.module.train(was_training)


class GrownTrainee(Trainee):
    """A grown causal LM: what trains is what its way of learning says."""

    def __init__(self, module: Any):
        super().__init__(module)
        self.kinds = module.vocabulary.kinds

    def uniform_nats(self, kind: int) -> float | None:
        return self.module.vocabulary.uniform_nats(kind)

    def groups(self) -> list[Group]:
        lm, found = self.module.lm, []
        tables = {id(p) for m in (lm.get_input_embeddings(), lm.get_output_embeddings()) for p in m.parameters()}
        for name, members in self.module.parameters_to_train().items():
            matrices = [p for p in members if p.ndim >= 2 and name != "rows"]
            inner = {id(p) for p in matrices if name == "body" and p.ndim == 2} - tables
            taken = {id(p) for p in matrices}
            found += [
                Group(name, [p for p in matrices if id(p) in inner], muon=True, decay=True),
                Group(name, [p for p in matrices if id(p) not in inner], muon=False, decay=True),
                Group(name, [p for p in members if id(p) not in taken], muon=False, decay=False),
            ]
        return found

    def load(self, weights: dict[str, Tensor]) -> None:
        self.module.load_train_state(self._with_new_codecs(weights))

    def _with_new_codecs(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rows of codecs that came after the checkpoint stay as they begin; no other row has moved."""
        missing = {n: v for n, v in self.module.train_state().items() if n not in weights and ".rows.parts." in n}
        return weights | missing

    def facts(self) -> dict[str, Any]:
        return checkpoint.facts_of(self.module)

    def check(self, made_for: Mapping[str, Any]) -> None:
        checkpoint.check_fits(self.module, made_for)

    def body(self) -> nn.Module:
        return self.module.lm.base_model

    def copied(self) -> Any:
        return machine.copied(self.module)

    @contextmanager
    def ready(self, config: TrainConfig, world: World) -> Iterator[None]:
        with super().ready(config, world), ExitStack() as stack:
            if world.size == 1:  # shards hold one format, and gather whole rows
                self.module.to(world.device)
                stack.enter_context(documents_only(self.module))
                stack.enter_context(held_in(format_of(config.dtype, world.device), self.module))
            yield


class NetTrainee(Trainee):
    """Any network. Muon takes matrices and convolutions, but not those of a module with a true attribute ``adam``
    (first and last layers, tables), which with norms and biases form the group ``rest``."""

    def groups(self) -> list[Group]:
        apart = {id(p) for m in self.module.modules() if getattr(m, "adam", False) for p in m.parameters()}
        weights = [p for p in self.module.parameters() if p.requires_grad]
        inner = [p for p in weights if p.ndim >= 2 and id(p) not in apart]
        taken = {id(p) for p in inner}
        rest = [p for p in weights if id(p) not in taken]
        return [Group("body", inner, muon=True, decay=True), Group("rest", rest, muon=False, decay=False)]

    def beside(self) -> dict[str, Tensor]:
        trained = dict(self.module.named_parameters())
        return {name: value for name, value in self.module.state_dict().items() if name not in trained}

    def load(self, weights: dict[str, Tensor]) -> None:
        try:
            self.module.load_state_dict(dict(self.module.state_dict()) | weights)
        except RuntimeError as error:
            raise InputError(f"the checkpoint does not fit this network ({str(error)[:200]})") from error

    def facts(self) -> dict[str, Any]:
        return {"shapes": {name: list(value.shape) for name, value in self.module.state_dict().items()}}

    def check(self, made_for: Mapping[str, Any]) -> None:
        if made_for != self.facts():
            raise InputError(
                "the checkpoint belongs to another network; start a new run in another folder, or delete that one"
            )

    def copied(self) -> Any:
        return copy.deepcopy(self.module)


def no_layout_lost(parameter: Tensor, value: Tensor) -> Tensor:
    """``value`` laid out in memory as the parameter is: fused optimisers walk through both side by side."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
