"""Muon: momentum whose matrix-shaped steps are made orthogonal (Jordan et al. 2024, kellerjordan.github.io/posts/muon).

A few minutes of CPU are a few thousand steps; there it reaches a given loss in clearly fewer steps than Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from sensorium.device import has_fast_bfloat16

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """For matrices and convolutions (seen as output x rest); everything else belongs to another optimiser.

    Steps are scaled so that their root mean square is about 0.2 lr, as Adam's are (Liu et al., arXiv 2502.16982), so
    Adam's learning rates and weight decay serve. Weights of one shape are done together. In bfloat16, as
    ``torch.optim.Muon``, only where that is fast: CPUs that emulate it are many times slower.

    Args:
        params: weights, or groups of them.
        momentum: decay of the gradient average (Nesterov form).
        weight_decay: decoupled, times lr.
        whole: a sharded tensor as a whole one; `like` (weight, whole tensor): its part that lies where the weight does.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        whole: Callable[[Tensor], Tensor] = lambda tensor: tensor,
        like: Callable[[Tensor, Tensor], Tensor] = lambda weight, tensor: tensor,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.whole, self.like = whole, like

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape.setdefault(weight.shape, []).append(weight)
            for members in by_shape.values():
                self._update(members, group)

    def _update(self, members: list[Tensor], group: dict[str, Any]) -> None:
        directions = []
        for weight in members:
            state = self.state[weight]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
            directions.append(self.whole(weight.grad.lerp(state["momentum"], group["momentum"])))
        matrices_NRC = torch.stack(directions).flatten(2)
        scale = group["lr"] * 0.2 * max(matrices_NRC.shape[1:]) ** 0.5
        for weight, update in zip(members, orthogonal(matrices_NRC), strict=True):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(self.like(weight, update.view(weight.shape)), alpha=-scale)


def orthogonal(matrices_NRC: Tensor, steps: int = 5) -> Tensor:
    """(N, R, C) matrices with singular values brought to about 1 (0.7 to 1.2), by quintic Newton-Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices_NRC.shape[1] > matrices_NRC.shape[2]
    x_NRC = matrices_NRC.mT if tall else matrices_NRC
    x_NRC = x_NRC.bfloat16() if has_fast_bfloat16(x_NRC.device.type) else x_NRC
    x_NRC = x_NRC / x_NRC.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram_NRR = x_NRC @ x_NRC.mT
        x_NRC = a * x_NRC + torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=b, alpha=c) @ x_NRC
    return (x_NRC.mT if tall else x_NRC).to(matrices_NRC.dtype)
