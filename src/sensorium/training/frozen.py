"""Frozen weights in the format that the step computes in, so that they are not cast anew at every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def held_in(dtype: torch.dtype, module: nn.Module) -> Iterator[None]:
    """Within, float32 parameters that do not train are held in ``dtype``; afterwards they are as before, bit for bit.

    The originals stay in memory.
    """
    frozen = [p for p in module.parameters() if not p.requires_grad and p.dtype == torch.float32]
    originals = [] if dtype == torch.float32 else [(p, p.data) for p in frozen]
    casting = [m for m in module.modules() if originals and getattr(m, "cast_input_dtype_enabled", False)]
    for parameter, whole in originals:
        parameter.data = whole.to(dtype)
    for adapter in casting:  # peft would turn the inputs of adapters into float32, to be cast back
        adapter.cast_input_dtype_enabled = False
    try:
        yield
    finally:
        for adapter in casting:
            adapter.cast_input_dtype_enabled = True
        for parameter, whole in originals:
            parameter.data = whole.to(parameter.device)
