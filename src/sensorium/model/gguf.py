"""A plain model as a GGUF file, for llama.cpp and all that is built on it: weights, grown tokenizer, chat template.

Codes are control tokens, as in the Hugging Face tokenizer: llama.cpp parses them from a prompt's own markup and never
from what a user typed. A LoRA adapter becomes a file of its own, in llama.cpp's form. The joint vocabulary lies in the
key `VOCABULARY_KEY`, so that the file tells which ids are which codes.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from sensorium.files import atomic_file
from sensorium.model.llama_like import ARCHITECTURES, has_window, head_size
from sensorium.model.model import Model
from sensorium.types import InputError

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
VOCABULARY_KEY = "sensorium.vocabulary"
BLOCK = 32

# How text is cut before merging, as llama.cpp names it: the patterns of a tokenizer's Split steps, or what its
# Digits step stands for, before GPT-2's own pattern.
GPT2, DIGITS = "gpt-2", "single digits"
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
CUTS = {(GPT2,): "gpt-2", (DIGITS, GPT2): "smollm", (QWEN2,): "qwen2", (LLAMA3,): "llama-bpe"}


def export_gguf(model: Model, file: str | Path, precision: str = "fp32") -> Path:
    """Write a model without its adapter as one GGUF file, whole or not at all.

    Args:
        precision: ``"fp32"``, ``"fp16"``, or ``"int8"`` for llama.cpp's Q8_0 (8 bits, a scale for 32 weights); vectors
            stay in float32.

    Raises:
        InputError: the package ``gguf`` is missing, or llama.cpp has no like of this model or tokenizer.
    """
    architecture, cut = _demand_known(model, precision), _cut_of(model.tokenizer)
    with atomic_file(file) as place:
        writer = _writer(place, architecture)
        _add_facts(writer, model.lm, model.base_name or Path(file).stem)
        _add_tokenizer(writer, model, cut)
        writer.add_string(VOCABULARY_KEY, json.dumps(model.vocabulary.to_json()))
        for name, array in _tensors(model.lm, architecture):
            _add_tensor(writer, name, array, precision)
        _finish(writer)
    return Path(file)


def export_gguf_adapter(model: Model, file: str | Path) -> Path:
    """Write a model's LoRA adapter as a GGUF file for ``llama-server --lora``, in float32.

    Raises:
        InputError: see `export_gguf`; or the model has no adapter, or one that is not plain LoRA.
    """
    architecture = _demand_known(model, "fp32")
    if not model.has_adapter:
        raise InputError("this model has no adapter to write")
    config = model.lm.peft_config[next(iter(model.lm.peft_config))]
    if config.use_dora or config.use_rslora or config.rank_pattern or config.alpha_pattern:
        raise InputError("llama.cpp takes plain LoRA with one rank for all layers; merge this adapter into the model")
    with atomic_file(file) as place:
        writer = _writer(place, architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(config.lora_alpha))
        for name, array in _adapter_tensors(model.lm, architecture):
            _add_tensor(writer, name, array, "fp32")
        _finish(writer)
    return Path(file)


def _demand_known(model: Model, precision: str) -> str:
    if find_spec("gguf") is None:
        raise InputError("writing GGUF needs a package: pip install 'sensorium[gguf]'")
    if precision not in PRECISIONS:
        raise InputError(f"{precision!r} is not a precision of the GGUF export; it can be {', '.join(PRECISIONS)}")
    config = model.lm.config
    if config.model_type not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InputError(f"{config.model_type} models cannot be written as GGUF here (known: {known})")
    if has_window(config):
        raise InputError("attention over a sliding window cannot be written as GGUF here")
    return ARCHITECTURES[config.model_type]


def _writer(place: Path, architecture: str) -> Any:
    from gguf import GGUFWriter

    return GGUFWriter(place, architecture)


def _finish(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_facts(writer: Any, lm: Any, name: str) -> None:
    config, size = lm.config, head_size(lm)
    writer.add_type("model")
    writer.add_name(name)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(float(config.rms_norm_eps))


def _add_tokenizer(writer: Any, model: Model, cut: str) -> None:
    tokenizer, size = model.tokenizer, model.lm.config.vocab_size
    tokens, kinds = _tokens(tokenizer, size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in _spec(tokenizer)["model"]["merges"]])
    for add, token_id in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_eot_token_id, model.stream.stop_ids[0] if model.stream.stop_ids else None),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if token_id is not None:
            add(token_id)
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _tokens(tokenizer: Any, size: int) -> tuple[list[str], list[int]]:
    """The string and the kind of every id."""
    from gguf import TokenType

    tokens = [f"[unused {number}]" for number in range(size)]
    kinds = [int(TokenType.UNUSED)] * size
    for token, number in tokenizer.get_vocab().items():
        tokens[number], kinds[number] = token, int(TokenType.NORMAL)
    for number, added in tokenizer.added_tokens_decoder.items():
        kinds[number] = int(TokenType.CONTROL if added.special else TokenType.USER_DEFINED)
    return tokens, kinds


def _spec(tokenizer: Any) -> dict[str, Any]:
    return json.loads(tokenizer.backend_tokenizer.to_str())


def _cut_of(tokenizer: Any) -> str:
    """llama.cpp's name for how this tokenizer cuts text before merging bytes."""
    spec = _spec(tokenizer)
    steps = spec["pre_tokenizer"] or {}
    cuts: list[str] = []
    for step in steps.get("pretokenizers", [steps]):
        if step.get("type") == "Split":
            cuts.append(step["pattern"].get("Regex", ""))
        elif step.get("type") == "Digits" and step["individual_digits"]:
            cuts.append(DIGITS)
        elif step.get("type") != "ByteLevel" or step["add_prefix_space"]:
            cuts.append(str(step.get("type")))
        elif step["use_regex"]:
            cuts.append(GPT2)
    if spec["model"]["type"] != "BPE" or tuple(cuts) not in CUTS:
        raise InputError(
            f"llama.cpp has no tokenizer that cuts text as this model's does ({', '.join(cuts) or 'none'})"
        )
    return CUTS[tuple(cuts)]


def _tensors(lm: Any, architecture: str) -> Iterator[tuple[str, np.ndarray]]:
    """Every tensor of a model without its adapter, by llama.cpp's name."""
    name_of = _names(lm, architecture)
    tied = lm.get_output_embeddings().weight is lm.get_input_embeddings().weight
    for name, value in lm.state_dict().items():
        if "lora_" in name or (tied and name == "lm_head.weight"):
            continue
        plain = name.replace(".base_layer.", ".")
        stem, _, kind = plain.rpartition(".")
        yield f"{name_of(stem)}.{kind}", _turned(lm, architecture, stem, _array(value))
    if (factors := _rope_factors(lm, architecture)) is not None:
        yield "rope_freqs.weight", factors


def _adapter_tensors(lm: Any, architecture: str) -> Iterator[tuple[str, np.ndarray]]:
    name_of, adapter = _names(lm, architecture), next(iter(lm.peft_config))
    for stem, module in lm.named_modules():
        if adapter in getattr(module, "lora_A", {}):
            name = name_of(stem)
            yield f"{name}.weight.lora_a", _array(module.lora_A[adapter].weight)
            yield f"{name}.weight.lora_b", _turned(lm, architecture, stem, _array(module.lora_B[adapter].weight))


def _names(lm: Any, architecture: str) -> Callable[[str], str]:
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

    kind = next(arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES.get(arch) == architecture)
    table = get_tensor_name_map(kind, lm.config.num_hidden_layers)

    def name_of(stem: str) -> str:
        found = table.get_name(stem)
        if found is None:
            raise InputError(f"llama.cpp has no place for {stem!r} of this model")
        return found

    return name_of


def _turned(lm: Any, architecture: str, stem: str, value: np.ndarray) -> np.ndarray:
    """llama.cpp's Llama pairs neighbouring numbers where `transformers` pairs the two halves of a head."""
    if architecture != "llama" or not stem.endswith((".q_proj", ".k_proj")):
        return value
    config = lm.config
    heads = config.num_attention_heads if stem.endswith(".q_proj") else config.num_key_value_heads
    halves = value.reshape(heads, 2, len(value) // heads // 2, *value.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(value.shape)


def _rope_factors(lm: Any, architecture: str) -> np.ndarray | None:
    """What the plain frequencies of the positions are divided by, or None if they are plain."""
    rotary, config = lm.base_model.rotary_emb, lm.config
    actual = rotary.inv_freq.float().cpu().numpy()
    plain = float(config.rope_parameters["rope_theta"]) ** -(np.arange(len(actual)) / len(actual))
    factors = (plain / actual).astype(np.float32)
    if np.allclose(factors, 1, rtol=1e-4) and rotary.attention_scaling == 1:
        return None
    if architecture != "llama" or rotary.attention_scaling != 1 or rotary.rope_type == "dynamic":
        raise InputError(f"positions of the kind {rotary.rope_type!r} cannot be written as GGUF here")
    return factors


def _array(value: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(value.detach().float().cpu().numpy())


def _add_tensor(writer: Any, name: str, value: np.ndarray, precision: str) -> None:
    from gguf import GGMLQuantizationType, quantize

    if precision == "fp32" or value.ndim == 1:
        writer.add_tensor(name, value)
    elif precision == "int8" and value.shape[-1] % BLOCK == 0:
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(value, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, value.astype(np.float16))
