"""Cross-entropy of the next token over output rows, its gradient worked out on the way forward.

The loss is a weighted sum over tokens, so its gradient by every logit is known as soon as the logit is: the
probabilities, less 1 at the target, are that gradient, and two products end the work (as in Liger, arXiv 2410.10989).
Logits and probabilities are in the format that the model computes in; sums over the vocabulary are always float32. In
bfloat16 the loss of one token, which is told but not minimised, is so off by up to 0.004 nats, either way.

Legend: N tokens with a target, H hidden size, V output rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

LEAST = 1e-37
"""Probabilities below count as this: a loss of 85 nats."""


class _CrossEntropy(torch.autograd.Function):
    """Weighted sum of the loss over tokens, and the loss of every token (without a gradient)."""

    @staticmethod
    def forward(
        ctx: Any, hidden_NH: Tensor, targets_N: Tensor, weight_N: Tensor, at_once: int, *blocks: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows = [block.to(hidden_NH.dtype) for block in blocks]
        sizes = [len(block) for block in blocks]
        loss_N = torch.empty(len(targets_N), device=hidden_NH.device)
        grad_NH = torch.empty_like(hidden_NH)
        grads: list[Tensor | None] = [None] * len(blocks)
        for part in _parts(len(targets_N), max(1, at_once // sum(sizes))):
            hidden_nH = hidden_NH[part]
            weight_n1, target_n1 = weight_N[part, None].to(hidden_nH.dtype), targets_N[part, None]
            p_nV = torch.cat([hidden_nH @ block.T for block in rows], 1).softmax(-1)
            p_n1 = p_nV.gather(1, target_n1)
            loss_N[part] = -p_n1[:, 0].float().clamp(min=LEAST).log()
            p_nV.scatter_(1, target_n1, p_n1 - 1)  # now the gradient of the loss by the logits
            columns = p_nV.split(sizes, 1)
            grad_NH[part] = sum(column @ block for column, block in zip(columns, rows, strict=True)) * weight_n1
            for index, column in enumerate(columns):
                if ctx.needs_input_grad[4 + index]:
                    own = (column.T @ (hidden_nH * weight_n1)).to(blocks[index].dtype)
                    grads[index] = own if grads[index] is None else grads[index].add_(own)
        ctx.save_for_backward(grad_NH, *grads)
        ctx.mark_non_differentiable(loss_N)
        return (loss_N * weight_N).sum(), loss_N

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        grad_NH, *grads = (None if grad is None else grad * upstream[0].to(grad.dtype) for grad in ctx.saved_tensors)
        return (grad_NH, None, None, None, *grads)


def _parts(count: int, size: int) -> Sequence[slice]:
    return [slice(at, min(at + size, count)) for at in range(0, count, size)]


def cross_entropy(
    hidden_NH: Tensor, blocks: Sequence[Tensor], targets_N: Tensor, weight_N: Tensor, at_once: int
) -> tuple[Tensor, Tensor]:
    """The weighted sum of ``-log softmax(hidden @ rows.T)[target]``, and (N,) its unweighted terms, in nats.

    Args:
        blocks: the rows, in one piece or several, in any number format; products are in that of ``hidden_NH``.
        targets_N: numbers of rows.
        weight_N: float32.
        at_once: most logits held in memory.
    """
    with torch.autocast(hidden_NH.device.type, enabled=False):
        return _CrossEntropy.apply(hidden_NH, targets_N, weight_N, at_once, *blocks)
