"""The optimiser: AdamW for everything, or Muon for the body's matrices and AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sensorium.train_config import TrainConfig
from sensorium.training import machine
from sensorium.training.muon import Muon
from sensorium.training.trainee import Trainee, no_layout_lost
from sensorium.types import InputError


class Optimizer:
    """What trains, its optimisers, and the moving average of the weights.

    Args:
        trainee: gives the parameters, by group; already on its device, and sharded if it will be.
    """

    def __init__(self, trainee: Trainee, config: TrainConfig):
        self.config = config
        self.parameters: dict[str, nn.Parameter] = {
            name: parameter for name, parameter in trainee.module.named_parameters() if parameter.requires_grad
        }
        if not self.parameters:
            raise InputError("this model has nothing that trains; grow it with new rows first")
        adam, muon = self._groups(trainee)
        self.parts: list[torch.optim.Optimizer] = [AdamW(adam, betas=config.betas, fused=True)] if adam else []
        if muon:
            self.parts.append(Muon(muon, whole=machine.gathered, like=machine.like))
        self._owner = {p: part for part in self.parts for group in part.param_groups for p in group["params"]}
        self.average: dict[str, Tensor] | None = None
        if config.ema is not None:
            self.average = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
            self._update_average = get_ema_multi_avg_fn(config.ema)

    def _groups(self, trainee: Trainee) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Parameter groups for AdamW and for Muon, each with its peak learning rate and weight decay."""
        adam: list[dict[str, Any]] = []
        muon: list[dict[str, Any]] = []
        for group in trainee.groups():
            by_muon = group.muon and self.config.optimizer == "muon"
            decay = self.config.weight_decay if group.decay else 0.0
            peak = self.config.lr_of(group.name)
            if group.parameters:
                found = {"params": group.parameters, "lr": 0.0, "peak": peak, "weight_decay": decay}
                (muon if by_muon else adam).append(found)
        return adam, muon

    def scale(self, share: Tensor) -> None:
        """Multiply all gradients."""
        torch._foreach_mul_([p.grad for p in self.parameters.values() if p.grad is not None], share)

    def step(self, lr_share: float) -> Tensor | None:
        """Clip the gradient, step at a share of the peak learning rates, clear the gradient.

        Returns:
            () norm of the gradient before clipping; None without clipping.
        """
        norm = self._clip()
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = group["peak"] * lr_share
            part.step()
            part.zero_grad(set_to_none=True)
        if self.average is not None:
            with torch.no_grad():
                self._update_average(list(self.average.values()), list(self.parameters.values()), None)
        return norm

    def _clip(self) -> Tensor | None:
        if self.config.grad_clip is None:
            return None
        return machine.gathered(nn.utils.clip_grad_norm_(self.parameters.values(), self.config.grad_clip))

    def state(self) -> dict[str, Tensor]:
        """The optimisers' tensors as ``<name>/<entry>``, whole, on the CPU; every process must call this."""
        found = {}
        for name, parameter in self.parameters.items():
            for entry, value in self._owner[parameter].state[parameter].items():
                found[f"{name}/{entry}"] = machine.whole(torch.as_tensor(value))
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave. Entries of another optimiser are left out, so one may be changed on the way."""
        for key, value in state.items():
            name, entry = key.rsplit("/", 1)
            parameter = self.parameters.get(name)
            if parameter is None or entry not in _entries(self._owner[parameter]):
                continue
            same = value.shape == parameter.shape
            kept = machine.like(parameter, value) if same else value.to(parameter.device)
            if same and not hasattr(parameter, "full_tensor"):
                kept = no_layout_lost(parameter, kept)
            self._owner[parameter].state[parameter][entry] = kept

    def load_average(self, weights: dict[str, Tensor]) -> None:
        if self.average is not None:
            for name, value in weights.items():
                self.average[name] = machine.like(self.average[name], value)


def _entries(part: torch.optim.Optimizer) -> tuple[str, ...]:
    return ("momentum",) if isinstance(part, Muon) else ("step", "exp_avg", "exp_avg_sq")
