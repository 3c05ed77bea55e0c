"""The optimiser: AdamW for everything, or Muon for the body's matrices and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sensorium.training import machine
from sensorium.training.config import TrainConfig
from sensorium.types import InputError

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Optimizer:
    """What trains of a grown model, its optimisers, and the moving average of the weights.

    Args:
        grown: gives the parameters, by group; already on its device, and sharded if it will be.
    """

    def __init__(self, grown: Any, config: TrainConfig):
        self.config = config
        self.parameters: dict[str, nn.Parameter] = {
            name: parameter for name, parameter in grown.named_parameters() if parameter.requires_grad
        }
        if not self.parameters:
            raise InputError("this model has nothing that trains; grow it with new rows first")
        adam, muon = self._groups(grown)
        self.parts: list[torch.optim.Optimizer] = [AdamW(adam, betas=config.betas, fused=True)] if adam else []
        if muon:
            self.parts.append(Muon(muon))
        self._owner = {p: part for part in self.parts for group in part.param_groups for p in group["params"]}
        self.average: dict[str, Tensor] | None = None
        if config.ema is not None:
            self.average = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
            self._update_average = get_ema_multi_avg_fn(config.ema)

    def _groups(self, grown: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Parameter groups for AdamW and for Muon, each with its peak learning rate and weight decay."""
        tables = {id(parameter) for parameter in _tables(grown)}
        adam, muon = [], []
        for name, members in grown.parameters_to_train().items():
            sorts: dict[str, list[nn.Parameter]] = {"muon": [], "decayed": [], "plain": []}
            for parameter in members:
                matrix = parameter.ndim >= 2 and name != "rows"
                by_muon = name == "body" and parameter.ndim == 2 and id(parameter) not in tables
                by_muon &= self.config.optimizer == "muon"
                sorts["muon" if by_muon else "decayed" if matrix else "plain"].append(parameter)
            for sort, chosen in sorts.items():
                decay = 0.0 if sort == "plain" else self.config.weight_decay
                group = {"params": chosen, "lr": 0.0, "peak": self.config.lr_of(name), "weight_decay": decay}
                if chosen:
                    (muon if sort == "muon" else adam).append(group)
        return adam, muon

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
            self._owner[parameter].state[parameter][entry] = kept

    def load_average(self, weights: dict[str, Tensor]) -> None:
        if self.average is not None:
            for name, value in weights.items():
                self.average[name] = machine.like(self.average[name], value)


class Muon(torch.optim.Optimizer):
    """Momentum whose update of each matrix is made orthogonal by a Newton-Schulz iteration.

    After Jordan et al. (2024, "Muon"); updates are scaled to the size of AdamW's, so that its learning rates
    and weight decay serve (arXiv 2502.16982). Matrices of one shape are done together. In float32 on the CPU:
    bfloat16, as in ``torch.optim.Muon``, is many times slower on CPUs that emulate it.
    """

    def __init__(self, params: Iterable[dict[str, Any]], momentum: float = 0.95):
        super().__init__(params, {"lr": 1e-3, "weight_decay": 0.0, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            for members in by_shape.values():
                self._update(members, group)

    def _update(self, members: list[nn.Parameter], group: dict[str, Any]) -> None:
        directions = []
        for parameter in members:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            nesterov = parameter.grad.lerp(state["momentum"], group["momentum"])
            directions.append(machine.gathered(nesterov))
        rows, columns = members[0].shape
        step = group["lr"] * 0.2 * max(rows, columns) ** 0.5
        for parameter, update in zip(members, orthogonal(torch.stack(directions)), strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(machine.like(parameter, update), alpha=-step)


def orthogonal(matrices_NRC: Tensor, steps: int = 5) -> Tensor:
    """(N, R, C) matrices with all singular values brought to about 1 (0.7 to 1.2)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices_NRC.shape[1] > matrices_NRC.shape[2]
    x_NRC = matrices_NRC.mT if tall else matrices_NRC
    x_NRC = x_NRC.bfloat16() if x_NRC.is_cuda else x_NRC
    x_NRC = x_NRC / x_NRC.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram_NRR = x_NRC @ x_NRC.mT
        x_NRC = a * x_NRC + torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=b, alpha=c) @ x_NRC
    return (x_NRC.mT if tall else x_NRC).to(matrices_NRC.dtype)


def _entries(part: torch.optim.Optimizer) -> tuple[str, ...]:
    return ("momentum",) if isinstance(part, Muon) else ("step", "exp_avg", "exp_avg_sq")


def _tables(grown: Any) -> Iterable[nn.Parameter]:
    """The base model's embedding tables and output head, which are tables of tokens rather than maps."""
    for module in (grown.lm.get_input_embeddings(), grown.lm.get_output_embeddings()):
        yield from module.parameters()
