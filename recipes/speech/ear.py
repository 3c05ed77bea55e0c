"""The encoder of Whisper base (MIT), out of the packages in which the outside recogniser comes.

Its file is of CTranslate2: names with shapes and bytes, one after the other. What was trained behind it lies with the
recipe, without the encoder, which is many times larger.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from recipes.speech.recogniser import joined
from safetensors.numpy import load_file, save_file
from torch import Tensor

from sensorium.families.whisper import WhisperCodec
from sensorium.files import atomic_folder

EAR, CONFIG, TENSORS = "ear.", "config.json", "behind.safetensors"
FORMATS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
NAMES = {
    "self_attention/layer_norm/gamma": "norm1.weight", "self_attention/layer_norm/beta": "norm1.bias",
    "self_attention/linear_0/weight": "self_attn.in_proj_weight",
    "self_attention/linear_0/bias": "self_attn.in_proj_bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "norm2.weight", "ffn/layer_norm/beta": "norm2.bias",
    "ffn/linear_0/weight": "linear1.weight", "ffn/linear_0/bias": "linear1.bias",
    "ffn/linear_1/weight": "linear2.weight", "ffn/linear_1/bias": "linear2.bias",
    "conv1/weight": "conv1.weight", "conv1/bias": "conv1.bias", "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias", "position_encodings/encodings": "positions_TW",
    "layer_norm/gamma": "norm.weight", "layer_norm/beta": "norm.bias",
}  # fmt: skip
"""Of a layer, then of the whole, in the terms of `sensorium.families.whisper.Ear`."""


def ear(folder: Path | None = None) -> dict[str, Tensor]:
    """The tensors of the encoder, float32; joined from its packages where no folder is given."""
    found = {}
    for name, array in variables((folder or joined()) / "model.bin"):
        scope, _, rest = name.removeprefix("encoder/").partition("/")
        if not name.startswith("encoder/") or array.ndim == 0:
            continue
        layer = scope.removeprefix("layer_") if scope.startswith("layer_") and scope != "layer_norm" else ""
        own = f"layers.{layer}.{NAMES[rest]}" if layer else NAMES[f"{scope}/{rest}"]
        found[own] = torch.from_numpy(array.astype(np.float32))
    return found


def keep(codec: WhisperCodec, place: Path) -> None:
    """Write what was trained of a codec, without the ear."""
    with atomic_folder(place) as fresh:
        save_file({name: one for name, one in codec.tensors().items() if not name.startswith(EAR)}, fresh / TENSORS)
        (fresh / CONFIG).write_text(json.dumps(codec.config(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def with_ear(place: Path) -> WhisperCodec:
    """The codec of which `keep` wrote the trained part."""
    own = {EAR + name: one.numpy() for name, one in ear().items()}
    config = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    return WhisperCodec.build(config, load_file(place / TENSORS) | own)


def variables(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """What a model file of CTranslate2 holds, by name."""
    held, at = file.read_bytes(), 0

    def number(kind: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{kind}", held, at)
        at += struct.calcsize(kind)
        return value

    def name() -> str:
        nonlocal at
        size = number("H")
        at += size
        return held[at - size : at].rstrip(b"\0").decode()

    number("I"), name(), number("I")  # version of the format, kind of model, its revision
    for _ in range(number("I")):
        called = name()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = FORMATS[number("B")], number("I")
        at += size
        yield called, np.frombuffer(held, kind, size // np.dtype(kind).itemsize, at - size).reshape(shape)
