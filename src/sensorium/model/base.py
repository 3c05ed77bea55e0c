"""The base model: a Hugging Face causal LM with its tokenizer, from a Hub id, a folder, or memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sensorium.types import InputError


@dataclass(frozen=True)
class Base:
    """A causal LM, its tokenizer, and the name under which it can be found again ("" when in memory only)."""

    lm: Any
    tokenizer: Any
    name: str = ""


def load_base(source: str | Path | Base, dtype: torch.dtype = torch.float32) -> Base:
    """Load a causal LM and its fast tokenizer.

    Args:
        source: a Hub id, a folder of a plain Hugging Face model, or a `Base` (returned as it is).

    Raises:
        InputError: nothing usable lies there.
    """
    if isinstance(source, Base):
        return source
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = str(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
        lm = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"no causal language model could be loaded from {name!r}: {reason}") from error
    if not tokenizer.is_fast:
        raise InputError(f"{name!r} has no fast tokenizer, which is needed to place media in text")
    return Base(lm.eval(), tokenizer, name)


def fingerprint(lm: Any) -> str:
    """16 hex digits of a model's shapes and of the first values of every tensor, to tell bases apart."""
    digest = hashlib.sha256()
    for name, tensor in sorted(lm.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten()[:1024].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
