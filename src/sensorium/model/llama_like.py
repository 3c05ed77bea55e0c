"""Llama-like bodies: what they have in common, so that their steps and exports can be written by hand.

Pre-norm layers of grouped-query attention with rotary positions and a gated MLP, all norms RMS; Qwen 2 has biases on
queries, keys and values, Qwen 3 norms on queries and keys.
"""

from __future__ import annotations

from typing import Any

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""Model types of `transformers`, and what llama.cpp calls them."""
STEADY_ROPE = frozenset({"default", "linear", "llama3", "yarn"})
"""Kinds of rotary positions that do not change with the length of the text."""


def unlike_llama(lm: Any) -> str | None:
    """What this causal LM has that `ARCHITECTURES` with full attention have not, in words; None if nothing."""
    config = lm.config
    if config.model_type not in ARCHITECTURES:
        return f"{config.model_type} models (known: {', '.join(sorted(ARCHITECTURES))})"
    if not lm.base_model.layers:
        return "no layers"
    if config.hidden_act != "silu":
        return f"the activation {config.hidden_act!r}"
    if has_window(config):
        return "attention over a sliding window"
    if getattr(lm.base_model.rotary_emb, "rope_type", "") not in STEADY_ROPE:
        return "positions that change with the length"
    return None


def has_window(config: Any) -> bool:
    """Whether a layer looks at the last ids only."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return kinds != {"full_attention"} or getattr(config, "sliding_window", None) is not None


def head_size(lm: Any) -> int:
    """Numbers of one attention head."""
    return lm.base_model.layers[0].self_attn.head_dim
