"""Checkpoints: whole or not at all, the last two kept, a damaged one noticed. No pickle.

A checkpoint is a folder ``step-00001200`` of

- ``weights.safetensors``: what trains, by name, and its moving average as ``ema/<name>``,
- ``optimizer.safetensors``: the optimiser's tensors as ``<name>/<entry>``,
- ``state.json``: everything else, with the checksums of the other files and its own, see `sensorium.seals`.

Tensors are stored whole, also by a sharded run: process 0 writes, so a run may go on with another number of
processes. Random numbers need no state: every step seeds them anew from (seed, step, process).
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from sensorium import seals
from sensorium.checked import checked, read_json, told
from sensorium.files import atomic_folder
from sensorium.types import InputError

log = logging.getLogger(__name__)

FORMAT = 2
"""Of ``state.json``. Format 1 had no checksum of itself; it is still read."""
KEEP = 2
FILES = ("weights.safetensors", "optimizer.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """Args:
    weights, optimizer: tensors by name, on the CPU, see the head of this file.
    state: JSON-able; whatever the run wants to find again.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]


def save(folder: str | PathLike[str], step: int, checkpoint: Checkpoint) -> Path:
    """Write ``folder/step-<step>`` and drop all but the last two.

    Raises:
        InputError: the disk is full or not writable; earlier checkpoints stay.
    """
    from safetensors.torch import save_file

    target = Path(folder) / f"step-{step:08d}"
    with atomic_folder(target) as out:
        for name, tensors in zip(FILES, (checkpoint.weights, checkpoint.optimizer), strict=True):
            save_file({key: value.contiguous() for key, value in tensors.items()}, str(out / name))
        head = {"format": FORMAT, "state": checkpoint.state}
        seals.write(out / "state.json", head, seals.sums_of(out, FILES), indent=1)
    for old in _folders(folder)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load(path: str | PathLike[str]) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        InputError: it was cut short or changed; the message names the file.
    """
    from safetensors.torch import load_file

    path = Path(path)
    with told(f"the checkpoint {path} is damaged"):
        head = read_json(path / "state.json")
        version = head.get("format")
        if version == 1:  # its sums lay elsewhere, and it had none of its own
            sums = checked(head.get("files"), dict[str, dict[str, Any]], "files")
            head = head | {seals.CHECKSUMS: {name: [one["bytes"], one["sha256"]] for name, one in sums.items()}}
        elif version != FORMAT or type(version) is not int:
            raise InputError(f"it has format {version!r:.40}, this version of Sensorium reads {FORMAT}")
        elif seals.SEAL not in head:
            raise InputError("state.json has no checksum")
        else:
            seals.check_head(path / "state.json", head)
        missing = set(FILES) - set(head[seals.CHECKSUMS])
        if missing:
            raise InputError(f"state.json has no checksum of {min(missing)}")
        seals.check(path, head)
        state = checked(head.get("state"), dict[str, Any], "state")
        return Checkpoint(*(load_file(str(path / name)) for name in FILES), state)


def load_latest(folder: str | PathLike[str]) -> Checkpoint | None:
    """The newest checkpoint that is whole; None where there is none yet. A warning names each damaged one.

    Raises:
        InputError: there are checkpoints, but all are damaged.
    """
    found = _folders(folder)
    for path in reversed(found):
        try:
            return load(path)
        except InputError as error:
            log.warning("%s; the one before is used", error)
    if found:
        raise InputError(f"every checkpoint in {folder} is damaged; delete that folder to start anew")
    return None


def check_fits(grown: Any, made_for: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another model; one from before codecs were added is of the same.

    Args:
        made_for: what `facts_of` said when the checkpoint was written.

    Raises:
        InputError: codecs, text vocabulary, base model or way of learning differ; the message says which.
    """
    now, then = facts_of(grown), made_for
    for key, what in (("base", "base model"), ("text_size", "text vocabulary"), ("learn", "way of learning")):
        if now[key] != then[key]:
            raise InputError(
                f"the checkpoint was trained with another {what} ({then[key]}, here {now[key]}); "
                "use the same, or start a new run in another folder"
            )
    for place, (name, codec) in enumerate(then["codecs"].items()):
        _check_codec(name, codec, now["codecs"].get(name))
        if list(now["codecs"])[place] != name:
            raise InputError(
                f"codec {name!r} has another place among this model's codecs than in the checkpoint's, so its tokens "
                "have other ids; give new codecs after it"
            )


def _check_codec(name: str, then: Mapping[str, Any], now: Mapping[str, Any] | None) -> None:
    if now is None:
        raise InputError(f"the checkpoint was trained with codec {name!r}, which this model lacks; add it")
    for fact, value in then["facts"].items():
        if now["facts"].get(fact) != value:
            raise InputError(
                f"codec {name!r} has {fact} {now['facts'].get(fact)}, but the checkpoint was trained with "
                f"{value}; use that codec, or start a new run in another folder"
            )
    if now["fingerprint"] != then["fingerprint"]:
        raise InputError(
            f"codec {name!r} has other weights than the one the checkpoint was trained with, so its codes mean "
            "other things; use that codec, or start a new run in another folder"
        )


def facts_of(grown: Any) -> dict[str, Any]:
    """What a checkpoint only fits when it is the same, as JSON."""
    codecs = {
        name: {"facts": json.loads(json.dumps(codec.facts.to_json())), "fingerprint": codec.fingerprint()}
        for name, codec in grown.codecs.items()
    }
    return {
        "codecs": codecs,
        "text_size": grown.vocabulary.text_size,
        "learn": grown.learn,
        "base": None if grown.learn == "full" else grown.base_fingerprint,  # full: all weights are in the checkpoint
    }


def is_any(folder: str | PathLike[str]) -> bool:
    """Whether a checkpoint was written whole, damaged since or not."""
    return bool(_folders(folder))


def _folders(folder: str | PathLike[str]) -> list[Path]:
    """Checkpoints from oldest to newest; a folder half written has another name."""
    return sorted(path for path in Path(folder).glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name))
