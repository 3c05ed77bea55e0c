"""A plain model as ONNX graphs that ONNX Runtime runs quickly on a CPU, with float32 or 8-bit weights.

Three graphs share one file of weights: `BODY` (ids to the last hidden states, with keys and values going in and out),
`HEAD` (hidden states to logits), and `WHOLE`, the two in one, named as ONNX Runtime GenAI wants it, so that its C, C#
and Java front ends load the folder as well. The fused operators are those of ONNX Runtime: grouped-query attention
that writes into the cache it is given, and matrix products with weights in blocks of 8 bits.

Legend: B rows, T new ids, L ids in the cache, H hidden, N rows of a matrix, K its columns, G blocks of a row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from sensorium.files import atomic_folder, cache_dir
from sensorium.model.llama_like import head_size, unlike_llama
from sensorium.model.model import Model
from sensorium.types import InputError

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
BODY, HEAD, WHOLE, WEIGHTS = "body.onnx", "head.onnx", "model.onnx", "weights.bin"
MASK, IDS, HIDDEN, LOGITS = "attention_mask", "input_ids", "hidden_states", "logits"
PAST, PRESENT = "past_key_values.{}.{}", "present.{}.{}"
BLOCK = 64
"""Weights that share a scale; products with blocks of 32 take up to twice as long."""
OPSET, IR_VERSION, FORMAT = 21, 10, 2
ALIGNMENT = 4096
INT8_ACTIVATIONS = 4
HEAD_SIZE_STEP = 16


def why_not(lm: Any) -> str | None:
    """What stands against writing this causal LM as ONNX, in words; None if nothing does."""
    if (reason := unlike_llama(lm)) is not None:
        return f"no ONNX graph here is made for {reason}"
    if head_size(lm) % HEAD_SIZE_STEP:
        return f"no ONNX graph here is made for attention heads whose size is no multiple of {HEAD_SIZE_STEP}"
    return None


def export_onnx(
    lm: Any, folder: str | Path, precision: str = "fp32", model: Model | None = None, adapter: bool = True
) -> Path:
    """Write a causal LM as ONNX graphs, whole or not at all.

    Args:
        lm: a `transformers` causal LM of a Llama-like class.
        precision: ``"fp32"``, or ``"int8"`` for weights rounded to 8 bits in blocks of `BLOCK` with a scale each.
        model: whose tokenizer and codecs to put beside the graphs, for use without Sensorium.
        adapter: merge the LoRA matrices, if there are any; else leave them out.

    Raises:
        InputError: an unknown precision, or a model that has no ONNX graph here.
    """
    _demand_precision(precision)
    if find_spec("onnx") is None:
        raise InputError("writing ONNX needs a package: pip install 'sensorium[fast]'")
    if (reason := why_not(lm)) is not None:
        raise InputError(f"{reason}; use the torch engine")
    with atomic_folder(folder) as out:
        _Writer(lm, out, precision, adapter).write()
        (out / "genai_config.json").write_text(json.dumps(_genai_config(lm), indent=2) + "\n", encoding="utf-8")
        if model is not None:
            model.tokenizer.save_pretrained(str(out))
            for name, codec in model.codecs.items():
                codec.save(out / "codecs" / name)
    return Path(folder)


def cached_onnx(lm: Any, precision: str = "fp32", adapter: bool = True) -> Path:
    """The folder of `export_onnx`, written once for the same weights."""
    _demand_precision(precision)
    folder = cache_dir() / "onnx" / f"{weights_digest(lm, adapter)}-{precision}"
    return folder if (folder / WHOLE).is_file() else export_onnx(lm, folder, precision, adapter=adapter)


def weights_digest(lm: Any, adapter: bool = True) -> str:
    """16 hex digits of all weights, the config, and the adapter if it counts."""
    digest = hashlib.sha256(f"{FORMAT} {lm.config.to_json_string()}".encode())
    for name, module in lm.named_modules():
        if adapter and hasattr(module, "base_layer"):
            digest.update(f"{name} {list(module.active_adapters)}".encode())
    for name, tensor in sorted(lm.state_dict().items()):
        if "lora_" in name and not adapter:
            continue
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().contiguous().cpu().numpy())
    return digest.hexdigest()[:16]


def _demand_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise InputError(
            f"{precision!r} is not a precision of the ONNX export: fp32 and int8 are; "
            "fewer bits were tried and change what the model says too much"
        )


def quantised(weight_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights as bytes around 128, (N, G, BLOCK) uint8, and the scale of each block, (N, G) float32."""
    rows, columns = weight_NK.shape
    groups = -(-columns // BLOCK)
    padded = np.zeros((rows, groups * BLOCK), dtype=np.float32)
    padded[:, :columns] = weight_NK
    blocks_NGB = padded.reshape(rows, groups, BLOCK)
    scale_NG = np.abs(blocks_NGB).max(-1) / 127
    steps_NGB = blocks_NGB / np.maximum(scale_NG, np.finfo(np.float32).tiny)[..., None]
    return (np.rint(steps_NGB) + 128).astype(np.uint8), scale_NG


Matrix = tuple[np.ndarray, np.ndarray | None]


def _matrix(module: Any, adapter: bool) -> Matrix:
    """Weight (N, K) and bias (N,) of a linear layer, its LoRA matrices added or not."""
    base = getattr(module, "base_layer", module)
    weight = base.weight.detach().float()
    if adapter and base is not module and not module.merged:
        for name in module.active_adapters:
            if name in module.lora_A:
                weight = weight + module.get_delta_weight(name).detach().float()
    bias = None if base.bias is None else base.bias.detach().float().cpu().numpy()
    return weight.cpu().numpy(), bias


def _stacked(layers: Iterable[Matrix]) -> Matrix:
    """Linear layers of the same input as one; a bias that is missing is zero where another has one."""
    weights, biases = zip(*layers, strict=True)
    weight_NK = np.concatenate(weights)
    if all(bias is None for bias in biases):
        return weight_NK, None
    zeros = (np.zeros(len(weight), np.float32) for weight in weights)
    return weight_NK, np.concatenate([zero if bias is None else bias for bias, zero in zip(biases, zeros, strict=True)])


class _Writer:
    """The graphs of one model, node by node; weights go to the file as they come."""

    def __init__(self, lm: Any, folder: Path, precision: str, adapter: bool):
        self._lm, self._folder, self._precision, self._adapter = lm, folder, precision, adapter
        config = lm.config
        self._eps = float(config.rms_norm_eps)
        self._heads, self._key_heads = config.num_attention_heads, config.num_key_value_heads
        self._layers = len(lm.base_model.layers)
        self._size = head_size(lm)
        self._nodes: list[Any] = []
        self._weights: dict[str, Any] = {}

    @torch.inference_mode()
    def write(self) -> None:
        with open(self._folder / WEIGHTS, "wb") as self._file:
            self._body()
            body, split = self._nodes, len(self._weights)
            self._nodes = []
            self._linear(LOGITS, self._lm.get_output_embeddings(), HIDDEN)
        head, names = self._nodes, list(self._weights)
        read, hidden = self._inputs(), _floats(HIDDEN, "batch", "new", self._lm.config.hidden_size)
        logits, present = _floats(LOGITS, "batch", "new", self._lm.config.vocab_size), self._cache(PRESENT, "total")
        self._save(BODY, body, names[:split], read, [hidden, *present])
        self._save(HEAD, head, names[split:], [hidden], [logits])
        self._save(WHOLE, body + head, names, read, [logits, *present])

    def _inputs(self) -> list[Any]:
        from onnx import TensorProto, helper

        ids = helper.make_tensor_value_info(IDS, TensorProto.INT64, ["batch", "new"])
        mask = helper.make_tensor_value_info(MASK, TensorProto.INT64, ["batch", "total"])
        return [ids, mask, *self._cache(PAST, "past")]

    def _cache(self, names: str, length: str) -> list[Any]:
        found = (names.format(number, kind) for number in range(self._layers) for kind in ("key", "value"))
        return [_floats(name, "batch", self._key_heads, length, self._size) for name in found]

    def _body(self) -> None:
        body = self._lm.base_model
        lengths, total = self._lengths()
        self._tables(body.rotary_emb)
        table = self._tensor("embedding", body.embed_tokens.weight.detach().float().cpu().numpy())
        x = self._node("Gather", [table, IDS], "x")
        y = self._norm("norm.first", body.layers[0].input_layernorm, x)
        for number, layer in enumerate(body.layers):
            out = self._attention(number, layer.self_attn, y, lengths, total)
            x, y = self._add_norm(f"{number}.mid", layer.post_attention_layernorm, x, out)
            out = self._mlp(number, layer.mlp, y)
            if number + 1 < self._layers:
                x, y = self._add_norm(f"{number}.end", body.layers[number + 1].input_layernorm, x, out)
            else:
                self._add_norm(HIDDEN, body.norm, x, out)

    def _lengths(self) -> tuple[str, str]:
        """Last position of every row, and the longest row, out of the mask."""
        one = self._constant("one", np.array([1], dtype=np.int64))
        counts = self._node("ReduceSum", [MASK, one], "counts", keepdims=0)
        last = self._node("Cast", [self._node("Sub", [counts, one], "last64")], "last", to=6)
        shape = self._node("Shape", [MASK], "mask_shape")
        total = self._node("Gather", [shape, self._constant("index", np.array(1, dtype=np.int64))], "total64", axis=0)
        return last, self._node("Cast", [total], "total", to=6)

    def _tables(self, rotary: Any) -> None:
        """Cosine and sine of every position, (positions, D / 2), as the model itself computes them."""
        positions = torch.arange(self._lm.config.max_position_embeddings, device=self._lm.device)
        cos, sin = rotary(torch.zeros(1, device=self._lm.device), positions[None])
        for name, table in (("cos", cos), ("sin", sin)):
            self._tensor(name, table[0, :, : self._size // 2].float().contiguous().cpu().numpy())

    def _attention(self, number: int, attention: Any, y: str, lengths: str, total: str) -> str:
        projections = attention.q_proj, attention.k_proj, attention.v_proj
        if hasattr(attention, "q_norm"):
            q, k, v = (self._linear(f"{number}.{n}", p, y) for n, p in zip("qkv", projections, strict=True))
            q = self._head_norm(f"{number}.q_norm", attention.q_norm, q, self._heads)
            k = self._head_norm(f"{number}.k_norm", attention.k_norm, k, self._key_heads)
        else:  # one product for all three, which the operator takes apart
            together = _stacked(_matrix(one, self._adapter) for one in projections)
            q, k, v = self._product(f"{number}.qkv", *together, y), "", ""
        past = [PAST.format(number, kind) for kind in ("key", "value")]
        present = [PRESENT.format(number, kind) for kind in ("key", "value")]
        out = self._node(
            "GroupQueryAttention",
            [q, k, v, *past, lengths, total, "cos", "sin"],
            f"{number}.attention",
            more=present,
            domain="com.microsoft",
            num_heads=self._heads,
            kv_num_heads=self._key_heads,
            scale=float(attention.scaling),
            do_rotary=1,
        )
        return self._linear(f"{number}.o", attention.o_proj, out)

    def _mlp(self, number: int, mlp: Any, y: str) -> str:
        gate = self._linear(f"{number}.gate", mlp.gate_proj, y)
        up = self._linear(f"{number}.up", mlp.up_proj, y)
        silu = self._node("QuickGelu", [gate], f"{number}.silu", domain="com.microsoft", alpha=1.0)
        return self._linear(f"{number}.down", mlp.down_proj, self._node("Mul", [silu, up], f"{number}.inner"))

    def _norm(self, name: str, module: Any, x: str) -> str:
        weight = self._tensor(f"{name}.weight", module.weight.detach().float().cpu().numpy())
        return self._node("SimplifiedLayerNormalization", [x, weight], name, axis=-1, epsilon=self._eps)

    def _add_norm(self, name: str, module: Any, x: str, out: str) -> tuple[str, str]:
        """The sum, and its norm."""
        weight = self._tensor(f"{name}.weight", module.weight.detach().float().cpu().numpy())
        added, kind = f"{name}.sum", "SkipSimplifiedLayerNormalization"
        normed = self._node(
            kind, [x, out, weight], name, more=["", "", added], domain="com.microsoft", epsilon=self._eps
        )
        return added, normed

    def _head_norm(self, name: str, module: Any, x: str, heads: int) -> str:
        split = self._constant(f"{name}.split", np.array([0, 0, heads, self._size], dtype=np.int64))
        joined = self._constant(f"{name}.joined", np.array([0, 0, heads * self._size], dtype=np.int64))
        normed = self._norm(name, module, self._node("Reshape", [x, split], f"{name}.in"))
        return self._node("Reshape", [normed, joined], f"{name}.out")

    def _linear(self, name: str, module: Any, x: str) -> str:
        return self._product(name, *_matrix(module, self._adapter), x)

    def _product(self, name: str, weight_NK: np.ndarray, bias: np.ndarray | None, x: str) -> str:
        product = name if bias is None else f"{name}.product"
        if self._precision == "fp32":
            self._node("MatMul", [x, self._tensor(f"{name}.weight", weight_NK.T)], product)
        else:
            self._product_int8(name, weight_NK, x, product)
        return name if bias is None else self._node("Add", [product, self._tensor(f"{name}.bias", bias)], name)

    def _product_int8(self, name: str, weight_NK: np.ndarray, x: str, product: str) -> None:
        steps, scales = quantised(weight_NK)
        self._node(
            "MatMulNBits",
            [x, self._tensor(f"{name}.steps", steps), self._tensor(f"{name}.scales", scales)],
            product,
            domain="com.microsoft",
            N=weight_NK.shape[0],
            K=weight_NK.shape[1],
            bits=8,
            block_size=BLOCK,
            accuracy_level=INT8_ACTIVATIONS,
        )

    def _node(
        self, kind: str, inputs: list[str], output: str, more: list[str] | None = None, domain: str = "", **facts: Any
    ) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output, *(more or [])], name=output, domain=domain, **facts))
        return output

    def _constant(self, name: str, value: np.ndarray) -> str:
        from onnx import numpy_helper

        self._weights[name] = numpy_helper.from_array(value, name)
        return name

    def _tensor(self, name: str, value: np.ndarray) -> str:
        """Append a tensor to the file of weights; the graphs only tell where it lies."""
        from onnx import TensorProto, helper

        self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
        start = self._file.tell()
        np.ascontiguousarray(value).tofile(self._file)
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", WEIGHTS), ("offset", start), ("length", self._file.tell() - start)):
            tensor.external_data.add(key=key, value=str(text))
        self._weights[name] = tensor
        return name

    def _save(self, file: str, nodes: list[Any], weights: list[str], inputs: list[Any], outputs: list[Any]) -> None:
        from onnx import helper

        graph = helper.make_graph(nodes, file, inputs, outputs, [self._weights[name] for name in weights])
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="sensorium")
        (self._folder / file).write_bytes(model.SerializeToString())


def _floats(name: str, *shape: int | str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _genai_config(lm: Any) -> dict[str, Any]:
    """What ONNX Runtime GenAI must know to run `WHOLE`."""
    config = lm.config
    decoder = {
        "filename": WHOLE,
        "session_options": {"provider_options": []},
        "head_size": head_size(lm),
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "inputs": {
            "input_ids": IDS,
            "attention_mask": MASK,
            "past_key_names": PAST.format("%d", "key"),
            "past_value_names": PAST.format("%d", "value"),
        },
        "outputs": {
            "logits": LOGITS,
            "present_key_names": PRESENT.format("%d", "key"),
            "present_value_names": PRESENT.format("%d", "value"),
        },
    }
    end = config.eos_token_id if config.eos_token_id is not None else 0
    model = {
        "type": config.model_type,
        "context_length": config.max_position_embeddings,
        "vocab_size": config.vocab_size,
        "bos_token_id": config.bos_token_id if config.bos_token_id is not None else 0,
        "eos_token_id": end,
        "pad_token_id": config.pad_token_id if config.pad_token_id is not None else 0,
        "decoder": decoder,
    }
    return {"model": model, "search": {"max_length": config.max_position_embeddings, "past_present_share_buffer": True}}
