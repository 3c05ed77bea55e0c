"""Model folders as they lie on disk, of whomever: found, and checked before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sensorium import seals
from sensorium.checked import NAME, Range, check_sizes, checked, checked_fields, read_json, told
from sensorium.files import is_file, tidy
from sensorium.stream import Thinking
from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary

HEAD_FILE = "sensorium.json"
ROWS_FILE = "rows.safetensors"
CODECS = "codecs"
FORMAT = 2
"""Of `HEAD_FILE`. Format 1 wrote out every fact, with null for a free grid; it is still read."""
IN_THE_BOX = Path(__file__).resolve().parent.parent / "weights"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
"""Suffixes of weights in forms that may run code when they are read, or that are not read."""


@dataclass(frozen=True)
class BaseName:
    """Where a rows-only model's base was found, and its `fingerprint`."""

    name: Annotated[str, Range(1, 4096)]
    fingerprint: NAME


def write_rows(folder: Path, input_NH: Tensor, output_NH: Tensor, vocabulary: Vocabulary) -> None:
    """Keep the rows of all new ids; of a codec that is never written, whose ids share an output row, that one once."""
    _, first = np.unique(_output_places(vocabulary), return_index=True)
    rows = {"input": input_NH.contiguous(), "output": output_NH[torch.from_numpy(first)].contiguous()}
    save_file(rows, folder / ROWS_FILE)


def read_rows(folder: Path, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """The rows of all new ids, "input" and "output"; those that earlier versions wrote out in full as well."""
    rows, places = load_file(folder / ROWS_FILE), _output_places(vocabulary)
    if "output" in rows and len(rows["output"]) == places.max(initial=-1) + 1:
        rows["output"] = rows["output"][torch.from_numpy(places)]
    return rows


def _output_places(vocabulary: Vocabulary) -> np.ndarray:
    """Of every new id, which of the output rows that are kept is its own."""
    places: list[np.ndarray] = []
    total = 0
    for layout in vocabulary.layouts:
        count = layout.stop - layout.open_id
        own = np.zeros(count, np.int64) if layout.facts.use == "read" else np.arange(count)
        places.append(total + own)
        total += own.max(initial=-1) + 1
    return np.concatenate(places) if places else np.zeros(0, np.int64)


Share = Annotated[float, Range(0, 1)]
Count = Annotated[int, Range(0, 2**20)]
Scale = Annotated[float, Range(0, 1e3)]


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """How further answers to one request are sampled, see `sensorium.engines.Attempts`; None where nothing is said."""

    temperature: Scale | None = None
    top_k: Count | None = None
    pool: Annotated[int, Range(1, 64)] | None = None


@dataclass(frozen=True, kw_only=True)
class Written:
    """How a modality is best written, see `sensorium.engines.Sampling`; None where nothing is said."""

    temperature: Scale | None = None
    top_k: Count | None = None
    top_p: Share | None = None
    guidance: Scale | None = None
    contrast: Scale | None = None
    max_tokens: Annotated[int, Range(1, 2**20)] | None = None
    seed: Annotated[int, Range(0, 2**53)] | None = None
    attempts: Attempts | None = None


@dataclass(frozen=True, kw_only=True)
class Head:
    """What ``sensorium.json`` says.

    Args:
        codecs: fingerprints by name.
        base: None for a model that is whole.
        adapter: None where there is no LoRA adapter; else it lies in ``adapter/``.
        sampling: by modality.
        thinking: how it is asked to think before it answers; None where it does not.
    """

    format: Literal[1, 2]
    vocabulary: dict[str, Any]
    codecs: Annotated[dict[str, NAME], Range(0, 256)]
    base: BaseName | None
    adapter: Annotated[str, Range(1, 4096)] | None = None
    sampling: dict[str, Written] | None = None
    thinking: Thinking | None = None
    checksums: dict[str, Any] | None = None
    seal: str | None = None

    def samplings(self) -> dict[str, dict[str, Any]]:
        """`sampling` as `Senses` takes it."""
        return {name: _said(one) for name, one in (self.sampling or {}).items()}


def _said(one: Any) -> dict[str, Any]:
    found = {name: value for name, value in vars(one).items() if value is not None}
    return {name: _said(value) if isinstance(value, Attempts) else value for name, value in found.items()}


def is_model(name: str | PathLike[str]) -> bool:
    """Whether a name or folder here is that of a grown model."""
    return any(is_file(folder / HEAD_FILE) for folder in (Path(name), IN_THE_BOX / str(name)))


def resolve(name: str | PathLike[str]) -> Path:
    """The folder of a model given by name, path or Hub id.

    Raises:
        InputError: no such model.
    """
    tidy(Path(name))
    for folder in (Path(name), IN_THE_BOX / str(name)):
        if is_file(folder / HEAD_FILE):
            return folder
    boxed = sorted(path.parent.name for path in IN_THE_BOX.glob(f"*/{HEAD_FILE}"))
    unknown = InputError(
        f"no model named {str(name)[:200]!r}: not a folder, not on the Hub, and not one of those in the box "
        f"({', '.join(boxed) or 'none'})"
    )
    try:
        if Path(name).exists():
            raise InputError(f"{name} is not a Sensorium model: it holds no {HEAD_FILE}; grow it first")
    except (OSError, ValueError) as error:
        raise error if isinstance(error, InputError) else unknown from error
    if str(name).count("/") != 1:  # not the form OWNER/MODEL: there is no need to ask the Hub
        raise unknown
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(str(name)))
    except Exception as error:  # the hub client raises many kinds, all meaning: not to be had
        raise unknown from error
    if not is_file(folder / HEAD_FILE):
        raise InputError(f"{name} is a model on the Hub but not a Sensorium model; grow it first")
    return folder


def read_head(folder: Path) -> tuple[Head, Vocabulary]:
    """What a model's folder says of itself; its files are those that were written.

    Raises:
        InputError: it is damaged, of a later format, or its files have other checksums.
    """
    path = folder / HEAD_FILE
    found = read_json(path)
    if type(found.get("format")) is int and not 1 <= found["format"] <= FORMAT:
        raise InputError(
            f"the model in {folder} has format {found['format']}, this version reads formats 1 to {FORMAT}; "
            "update sensorium"
        )
    seals.check_head(path, found)
    with told(f"{path} is damaged", "; copy the model again"):
        head = checked(found, Head, "it")
        vocabulary = Vocabulary.from_json(head.vocabulary)
    seals.check(folder, found)
    return head, vocabulary


def check_plain(place: str, file: Any) -> None:
    """Look at what `transformers` is going to read: no code, no pickles, no adapter that points elsewhere, no size that
    would take all memory.

    Args:
        file: the path of a file there, None when there is no such file.

    Raises:
        InputError: there is something of that.
    """
    if file("adapter_config.json") is not None:
        raise InputError("it is a LoRA adapter and not a model; merge it into its base with PEFT's merge_and_unload")
    found = [path.name for path in _listed(Path(place))]
    if not any(name.endswith(".safetensors") for name in found):
        pickles = sorted(name for name in found if name.endswith(PICKLES))
        if pickles:
            raise InputError(
                f"its weights are in {pickles[0]}, a form that can run code when it is read; convert them on a machine "
                "that you trust: AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
            )
    path = file("config.json")
    if path is None:
        raise InputError("it has no config.json")
    config = read_json(path, infinite=True)
    if "auto_map" in config and not _is_known(config.get("model_type")):
        raise InputError(
            'it needs code of its own ("auto_map" in config.json), which is never run; take a model of a class that '
            "transformers has"
        )
    layers = sum(len(shapes) for shapes in tensors_in(Path(place)).values())
    check_sizes(config, "config.json", max(64, layers) if layers else 2**10)
    for key, value in config.items():
        if "implementation" in key and isinstance(value, str) and "/" in value:
            raise InputError(f"config.json has {key!r}: {value!r:.80}, which is code of the Hub; delete it")


def _is_known(kind: Any) -> bool:
    """Whether transformers itself has such models."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return isinstance(kind, str) and kind in CONFIG_MAPPING


def tensors_in(folder: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes of the tensors in the safetensors files of a folder, by file and name, read from their heads."""
    from safetensors import safe_open

    found = {}
    for path in _listed(folder):
        if path.suffix == ".safetensors" and is_file(path):
            damaged = told("its weights are missing, cut short or damaged", "; copy the model again")
            with damaged, safe_open(str(path), "pt") as file:
                names = file.keys()
                found[path.name] = {name: tuple(file.get_slice(name).get_shape()) for name in names}
    return found


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


@dataclass(frozen=True, kw_only=True)
class Lora:
    """What is taken of PEFT's ``adapter_config.json``."""

    peft_type: Literal["LORA"]
    r: Annotated[int, Range(1, 2**12)]
    lora_alpha: Annotated[float, Range(0, 1e6)]
    target_modules: Annotated[tuple[Annotated[str, Range(1, 512)], ...], Range(1, 2**14)]
    fan_in_fan_out: bool = False
    use_rslora: bool = False


LEFT_OUT = {
    "auto_mapping", "base_model_name_or_path", "inference_mode", "init_lora_weights", "lora_dropout", "megatron_core",
    "peft_version", "qalora_group_size", "revision", "task_type",
}  # fmt: skip
"""Settings of PEFT that mean nothing to an adapter that is only read; others must be empty."""


def read_adapter(folder: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    """PEFT's config of a model's LoRA adapter, made of plain numbers and names alone, and its tensors.

    Never outside the model's folder, and never looked for on the Hub.

    Raises:
        InputError: it is missing, damaged, or has settings that are not known here.
    """
    from peft import LoraConfig
    from safetensors.torch import load_file

    place = folder / "adapter"
    if not is_file(place / "adapter_config.json"):
        raise InputError(f"the adapter of the model in {folder} is missing; copy the model again as a whole")
    with told(f"the adapter of the model in {folder} is damaged", "; copy the model again"):
        known = set(Lora.__dataclass_fields__)
        found = read_json(place / "adapter_config.json")
        other = next((name for name, value in found.items() if name not in known | LEFT_OUT and _means(value)), None)
        if other is not None:
            raise InputError(f"it has the setting {other!r}, which is not known here")
        given = checked_fields(Lora, {name: found[name] for name in known & found.keys()}, "adapter_config.json")
        tensors = load_file(place / "adapter_model.safetensors")
        ranks = {len(value) for name, value in tensors.items() if name.endswith("lora_A.weight")}
        if ranks != {given["r"]}:
            raise InputError(f"its matrices have the ranks {sorted(ranks)}, not {given['r']}")
        given["target_modules"] = list(given["target_modules"])
        return LoraConfig(**{name: value for name, value in given.items() if name != "peft_type"}), tensors


def _means(value: Any) -> bool:
    """Whether a setting asks for something."""
    return value not in (None, False, "none", "") and value != {} and value != []
