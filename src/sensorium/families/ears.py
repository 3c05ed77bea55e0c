"""A Whisper model, its encoder or all of it, wherever it is: on the Hub, in a folder, or in installed Python packages.

Two formats are read: that of `transformers`, and the ``model.bin`` of CTranslate2 (as of faster-whisper), which may be
cut into parts that lie in several packages. Tensors come in the names of `sensorium.families.whisper.Ear`, those of the
decoder in the names of `sensorium.families.recogniser_net.Writer`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensorium.families import pretrained_sources as sources
from sensorium.types import InputError

MODEL, VOCABULARY = "model.bin", "vocabulary.json"
HEARS = "what hears is a Whisper model"
FORMATS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
ENCODER, DECODER = "encoder/", "decoder/"
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
    "attention/layer_norm/gamma": "norm_heard.weight", "attention/layer_norm/beta": "norm_heard.bias",
    "attention/linear_0/weight": "ask.weight", "attention/linear_0/bias": "ask.bias",
    "attention/linear_1/weight": "hold.weight", "attention/linear_1/bias": "hold.bias",
    "attention/linear_2/weight": "take.weight", "attention/linear_2/bias": "take.bias",
    "embeddings/weight": "embedding.weight",
}  # fmt: skip
"""Of a layer, of the whole, then of what only a decoder has, as CTranslate2 calls them."""
OWN = {
    "self_attn.out_proj": "self_attn.out_proj", "self_attn_layer_norm": "norm1", "fc1": "linear1", "fc2": "linear2",
    "final_layer_norm": "norm2",
}  # fmt: skip
HEARD = {"encoder_attn_layer_norm": "norm_heard", "encoder_attn.q_proj": "ask", "encoder_attn.out_proj": "take"}
"""Of a layer, and of a decoder's beside that, as `transformers` calls them."""

Found = tuple[dict[str, Any], dict[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole Whisper model.

    Args:
        heads: of a layer's attention.
        encoder, decoder: tensors.
        vocabulary: tokens as byte-level pieces; special ones in ``<|...|>``, "" for those without a name.
    """

    heads: int
    encoder: Mapping[str, Tensor]
    decoder: Mapping[str, Tensor]
    vocabulary: Sequence[str]


def pretrained_ear(source: str) -> Found:
    """Shape (settings of a codec of the family `whisper`) and tensors of an encoder, float32.

    Args:
        source: Hub id or folder of a Whisper model, or ``package:NAME`` of the packages that carry one.

    Raises:
        InputError: there is no Whisper model.
    """
    held = _model_file(source)
    if held is None:
        return _of_transformers(source)
    tensors, heads = _side(held, ENCODER, source)
    width, bands, _ = tensors["conv1.weight"].shape
    shape = {
        "bands": width, "ear_bands": bands, "ear_layers": layers_of(tensors), "ear_heads": heads,
        "ear_wide": len(tensors["layers.0.linear1.bias"]),
    }  # fmt: skip
    return shape, tensors


def pretrained_whole(source: str) -> Whole:
    """A whole Whisper model, float32.

    Args:
        source: as of `pretrained_ear`.

    Raises:
        InputError: there is no Whisper model, or its vocabulary is missing.
    """
    held = _model_file(source)
    if held is None:
        return _whole_of_transformers(source)
    (encoder, heads), (decoder, _) = (_side(held, side, source) for side in (ENCODER, DECODER))
    return Whole(heads=heads, encoder=encoder, decoder=decoder, vocabulary=_vocabulary(source))


def _model_file(source: str) -> bytes | None:
    """That of CTranslate2; None where there is none."""
    if source.startswith(sources.PACKAGE):
        return b"".join(one.read_bytes() for one in sources.carried(f"{MODEL}*", source, HEARS))
    return (Path(source) / MODEL).read_bytes() if (Path(source) / MODEL).is_file() else None


def _vocabulary(source: str) -> list[str]:
    found = [Path(source) / VOCABULARY]
    if source.startswith(sources.PACKAGE):
        found = sources.carried(f"{VOCABULARY}*", source, HEARS, some=True)
    try:
        return [str(one) for one in json.loads(found[-1].read_text(encoding="utf-8"))]
    except (OSError, IndexError, ValueError) as error:
        raise InputError(f"{source} has no {VOCABULARY} that can be read; fetch it again") from error


def _side(held: bytes, side: str, source: str) -> tuple[dict[str, Tensor], int]:
    """Tensors of the encoder or the decoder in a model file, and its heads."""
    tensors, heads = {}, 0
    for name, array in _variables(held, source):
        if name == f"{side}num_heads":
            heads = int(array)
        scope, _, rest = name.removeprefix(side).partition("/")
        if not name.startswith(side) or array.ndim == 0:
            continue
        layer = scope.removeprefix("layer_") if scope.startswith("layer_") and scope != "layer_norm" else ""
        own = NAMES.get(rest if layer else f"{scope}/{rest}")
        if own is not None:
            tensors[f"layers.{layer}.{own}" if layer else own] = torch.from_numpy(array.astype(np.float32))
    if not layers_of(tensors):
        raise InputError(f"the model file of {source} is no Whisper model")
    return tensors, heads


def layers_of(tensors: Mapping[str, Tensor]) -> int:
    """How many layers there are tensors of."""
    return len({name.split(".")[1] for name in tensors if name.startswith("layers.")})


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
    model, config = _model_of(source)
    shape = {
        "bands": config.d_model, "ear_bands": config.num_mel_bins, "ear_layers": config.encoder_layers,
        "ear_heads": config.encoder_attention_heads, "ear_wide": config.encoder_ffn_dim,
    }  # fmt: skip
    return shape, _renamed(model.encoder)


def _whole_of_transformers(source: str) -> Whole:
    from transformers import AutoTokenizer

    model, config = _model_of(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{source!r} has no tokenizer that can be read; fetch it again") from error
    known = {number: token for token, number in tokenizer.get_vocab().items()}
    return Whole(
        heads=config.encoder_attention_heads,
        encoder=_renamed(model.encoder),
        decoder=_renamed(model.decoder),
        vocabulary=[known.get(number, "") for number in range(config.vocab_size)],
    )


def _model_of(source: str) -> tuple[Any, Any]:
    config = sources.config_of(source)
    if config.model_type != "whisper":
        raise InputError(f"{source!r} is a model of type {config.model_type!r}, not a Whisper model")
    from transformers.models.whisper.modeling_whisper import WhisperModel

    return sources.whole(WhisperModel, source), config


def _renamed(side: torch.nn.Module) -> dict[str, Tensor]:
    """An encoder's or decoder's tensors in our names."""
    state = side.state_dict()
    tensors = {
        "positions_TW": state["embed_positions.weight"], "norm.weight": state["layer_norm.weight"],
        "norm.bias": state["layer_norm.bias"],
    } | {name: one for name, one in state.items() if name.startswith("conv")}  # fmt: skip
    if "embed_tokens.weight" in state:
        tensors["embedding.weight"] = state["embed_tokens.weight"]
    for number in range(layers_of(state)):
        own = f"layers.{number}."
        tensors |= _layer({n.removeprefix(own): v for n, v in state.items() if n.startswith(own)}, own)
    return tensors


def _layer(state: Mapping[str, Tensor], own: str) -> dict[str, Tensor]:
    """A layer in the names of `torch.nn.TransformerEncoderLayer`, whose three projections are one."""
    found = _joined(state, "self_attn", "qkv", "self_attn.in_proj_")
    renamed = OWN
    if "encoder_attn.q_proj.weight" in state:
        found |= _joined(state, "encoder_attn", "kv", "hold.")
        renamed = OWN | HEARD
    for theirs, ours in renamed.items():
        found |= {f"{ours}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    return {own + name: value for name, value in found.items()}


def _joined(state: Mapping[str, Tensor], attention: str, sides: str, ours: str) -> dict[str, Tensor]:
    """Projections as one; that of keys has no bias."""
    weights = [state[f"{attention}.{one}_proj.weight"] for one in sides]
    nought = torch.zeros(len(weights[0]))
    biases = [state.get(f"{attention}.{one}_proj.bias", nought) for one in sides]
    return {f"{ours}weight": torch.cat(weights), f"{ours}bias": torch.cat(biases)}
