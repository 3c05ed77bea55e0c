"""What a causal LM does to its logits after the output head, so that a slice of the head gives the same."""

from __future__ import annotations

from typing import Any

import torch


def final_logits(config: Any, logits: torch.Tensor) -> torch.Tensor:
    """Apply the model's own scaling and soft-capping to raw head outputs of any width.

    Args:
        config: the model's (text) config; Granite divides by ``logits_scaling``, Cohere multiplies by
            ``logit_scale``, Gemma 2 and 3 cap with ``final_logit_softcapping``.
        logits: (..., any number of rows) products of hidden states and head rows.
    """
    scaling = getattr(config, "logits_scaling", None)
    if scaling is not None:
        logits = logits / scaling
    scale = getattr(config, "logit_scale", None)
    if scale is not None:
        logits = logits * scale
    cap = getattr(config, "final_logit_softcapping", None)
    if cap is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits
