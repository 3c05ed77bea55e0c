"""The step of Llama-like models without the per-layer cost of `transformers`' Python.

One id at a time, a small model spends more time in module calls, mask building and cache bookkeeping than in its
matrices. This decoder reads the same weights in place (nothing is copied, an adapter on a projection is honoured)
and writes keys and values into buffers that are there already. `PlainDecoder` is its slow twin in the tests.

Legend: B rows, T new ids, L ids in the cache, H hidden, N query heads, K key heads, G = N / K, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sensorium.engines.decoder import left_padded
from sensorium.engines.turn import Ids
from sensorium.model.llama_like import head_size, unlike_llama

ROOM = 64
"""Ids by which the cache grows."""

Project = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def is_lean(lm: Any) -> bool:
    """Whether `LeanDecoder` computes the same as this model's own forward."""
    return (
        unlike_llama(lm) is None
        and lm.dtype == torch.float32
        and not hasattr(lm, "hf_device_map")
        and not any(
            module._forward_hooks or module._forward_pre_hooks or _is_unknown_adapter(module)
            for module in lm.base_model.modules()
        )
    )


def _projection(module: nn.Module, adapter: bool) -> Project:
    """(rows, in), (rows, out) -> writes the product into the second."""
    if (parts := _low_rank(module)) is not None:
        base, deltas = _projection(parts[0], adapter), parts[1] if adapter else []
        return lambda x, out: _add_low_rank(x, base(x, out), deltas)
    if type(module) is not nn.Linear:
        return lambda x, out: out.copy_(module(x))
    weight = module.weight.detach().t()
    if module.bias is None:
        return lambda x, out: torch.mm(x, weight, out=out)
    bias = module.bias.detach()
    return lambda x, out: torch.addmm(bias, x, weight, out=out)


def _residual(module: nn.Module, adapter: bool) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """(rows, out), (rows, in) -> their sum after the projection."""
    if (parts := _low_rank(module)) is not None:
        base, deltas = _residual(parts[0], adapter), parts[1] if adapter else []
        return lambda residual, x: _add_low_rank(x, base(residual, x), deltas)
    if type(module) is not nn.Linear or module.bias is not None:
        return lambda residual, x: residual + module(x)
    weight = module.weight.detach().t()
    return lambda residual, x: torch.addmm(residual, x, weight)


Deltas = list[tuple[torch.Tensor, torch.Tensor, float]]


def _add_low_rank(x: torch.Tensor, out: torch.Tensor, deltas: Deltas) -> torch.Tensor:
    for down, up, scale in deltas:
        out.addmm_(x @ down, up, alpha=scale)
    return out


def _is_unknown_adapter(module: nn.Module) -> bool:
    return hasattr(module, "base_layer") and _low_rank(module) is None


def _low_rank(module: nn.Module) -> tuple[nn.Module, Deltas] | None:
    """The base layer and the active LoRA matrices of a plain LoRA layer of `peft`; None for anything else."""
    if type(module).__module__ != "peft.tuners.lora.layer" or type(module).__name__ != "Linear":
        return None
    lora: Any = module
    if lora.merged:
        return None
    names = [name for name in lora.active_adapters if name in lora.lora_A]
    matrices = [half for name in names for half in (lora.lora_A[name], lora.lora_B[name])]
    plain = all(type(half) is nn.Linear and half.bias is None for half in matrices)
    if not plain or any(name in lora.lora_variant for name in names):
        return None
    return lora.base_layer, [
        (lora.lora_A[name].weight.detach().t(), lora.lora_B[name].weight.detach().t(), lora.scaling[name])
        for name in names
    ]


class _Norm:
    """RMSNorm as x w sqrt(H) / sqrt(|x|^2 + H eps): four kernels instead of seven."""

    def __init__(self, module: Any):
        width = module.weight.shape[0]
        self._scale = module.weight.detach() * width**0.5
        self._floor = torch.tensor((width * module.variance_epsilon) ** 0.5, device=module.weight.device)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return (x * self._scale).div_(torch.hypot(length, self._floor))


class _Layer:
    """The callables of one decoder layer."""

    def __init__(self, layer: Any, adapter: bool):
        attention, mlp = layer.self_attn, layer.mlp
        self.before, self.between = _Norm(layer.input_layernorm), _Norm(layer.post_attention_layernorm)
        self.q, self.k, self.v = (
            _projection(one, adapter) for one in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        self.q_norm = _Norm(attention.q_norm) if hasattr(attention, "q_norm") else None
        self.k_norm = _Norm(attention.k_norm) if hasattr(attention, "k_norm") else None
        self.o, self.down = _residual(attention.o_proj, adapter), _residual(mlp.down_proj, adapter)
        self.gate, self.up = _projection(mlp.gate_proj, adapter), _projection(mlp.up_proj, adapter)
        self.scale = attention.scaling


class _Scratch:
    """Buffers of one pass of B x T ids and views into them, reused while the shape stays."""

    def __init__(self, rows: int, new: int, heads: tuple[int, int, int], inner: int, like: torch.Tensor):
        queries, keys, size = heads
        count = rows * new
        qkv = like.new_empty(count, (queries + 2 * keys) * size)
        self.q = qkv[:, : queries * size]
        self.k = qkv[:, queries * size : (queries + keys) * size]
        self.v = qkv[:, (queries + keys) * size :]
        split = qkv.view(rows, new, queries + 2 * keys, size)
        self.q_heads, self.k_heads = split[:, :, :queries], split[:, :, queries : queries + keys]
        self.turned = split[:, :, : queries + keys]
        self.swapped = torch.empty_like(self.turned, memory_format=torch.contiguous_format)
        self._halves = self.turned[..., size // 2 :], self.turned[..., : size // 2]
        self.kv_BKTD = split[:, :, queries:].transpose(1, 2)
        self.gate, self.up = like.new_empty(count, inner), like.new_empty(count, inner)
        grouped = split[:, :, :queries].view(rows, new, keys, queries // keys, size).permute(0, 2, 1, 3, 4)
        self._grouped_BKTGD, self._single = grouped, grouped[:, :, 0] if new == 1 else None
        self._count = count

    def turn(self, cos: torch.Tensor, sin: torch.Tensor) -> None:
        """Rotary positions of queries and keys; the sign of "rotate half" is in the sine."""
        torch.cat(self._halves, dim=-1, out=self.swapped)
        self.turned.mul_(cos).add_(self.swapped.mul_(sin))

    def queries(self) -> torch.Tensor:
        """(B, K, T x G, D): the queries that share a key head side by side, so that keys need no copies."""
        return self._grouped_BKTGD.flatten(2, 3) if self._single is None else self._single

    def joined(self, out_BKQD: torch.Tensor) -> torch.Tensor:
        """(B x T, N x D): the inverse of `queries`."""
        if self._single is None:
            out_BKQD = out_BKQD.view(self._grouped_BKTGD.shape).permute(0, 2, 1, 3, 4)
        return out_BKQD.reshape(self._count, -1)


class LeanDecoder:
    """A `Decoder` for Llama-like models.

    Args:
        lm: a model for which `is_lean` holds.
        prompts: one per row, none empty; `hidden` is the state after each.
        adapter: compute with the model's LoRA matrices, if it has any, or without.
    """

    def __init__(self, lm: Any, prompts: Sequence[Ids], adapter: bool = True):
        body, config = lm.base_model, lm.config
        self._embedding, self._rotary = body.embed_tokens, body.rotary_emb
        self._layers, self._norm = [_Layer(layer, adapter) for layer in body.layers], _Norm(body.norm)
        self._heads = (config.num_attention_heads, config.num_key_value_heads, head_size(lm))
        self._inner = config.intermediate_size
        self._like = torch.empty(0, dtype=lm.dtype, device=lm.device)
        self._scratch: tuple[tuple[int, int], _Scratch] | None = None
        self._length, self._cache_BKLD = 0, self._empty_cache(len(prompts), 0)
        self._turn(0)
        ids_BT, real_BT = left_padded(prompts, lm.device)
        self._real_BL = None if bool(real_BT.all()) else real_BT
        self._next_B = real_BT.sum(-1)
        self.hidden = self._pass(ids_BT, (real_BT.cumsum(-1) - 1).clamp_(min=0))

    def read(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """See `Decoder.read`."""
        new = ids_BT.shape[1]
        if self._real_BL is not None:
            self._real_BL = F.pad(self._real_BL, (0, new), value=True)
        position_BT = self._next_B[:, None] + torch.arange(new, device=ids_BT.device)
        self._next_B = self._next_B + new
        return self._pass(ids_BT, position_BT)

    def keep(self, rows: Sequence[int]) -> None:
        """See `Decoder.keep`."""
        index = torch.tensor(rows, device=self._like.device)
        self._cache_BKLD = [cache[index] for cache in self._cache_BKLD]
        self._next_B = self._next_B[index]
        if self._real_BL is not None:
            self._real_BL = self._real_BL[index]

    def join(self, other: LeanDecoder) -> None:
        """Go on with another decoder's rows behind these, moved so that the last ids of all lie side by side.

        What lies before the longest row is cut off, so that the cache does not grow while rows come and go.
        """
        rows = torch.cat([self._next_B, other._next_B])
        length = int(rows.max())
        for number, (mine, theirs) in enumerate(zip(self._cache_BKLD, other._cache_BKLD, strict=True)):
            _, heads, _, size = mine.shape
            joined = mine.new_zeros(len(rows), heads, length + ROOM, size)
            start = 0
            for part, end in ((mine, self._length), (theirs, other._length)):
                kept = min(end, length)
                joined[start : start + len(part), :, length - kept : length] = part[:, :, end - kept : end]
                start += len(part)
            self._cache_BKLD[number] = joined
        self._next_B, self._length = rows, length
        real_BL = torch.arange(length, device=rows.device) >= length - rows[:, None]
        self._real_BL = None if bool(real_BL.all()) else real_BL
        self._turn(length + ROOM)

    def _pass(self, ids_BT: torch.Tensor, position_BT: torch.Tensor) -> torch.Tensor:
        rows, new = ids_BT.shape
        start, self._length = self._length, self._length + new
        self._grow(rows)
        scratch, mask = self._scratch_for(rows, new), self._mask(new)
        turn = self._cos[position_BT][:, :, None], self._sin[position_BT][:, :, None]
        x = self._embedding(ids_BT).flatten(0, 1)
        for layer, cache in zip(self._layers, self._cache_BKLD, strict=True):
            x = self._attend(layer, cache, x, scratch, start, turn, mask)
            y = layer.between(x)
            layer.gate(y, scratch.gate)
            layer.up(y, scratch.up)
            x = layer.down(x, F.silu(scratch.gate).mul_(scratch.up))
        return self._norm(x.view(rows, new, -1)[:, -1])

    def _attend(
        self,
        layer: _Layer,
        cache_BKLD: torch.Tensor,
        x: torch.Tensor,
        scratch: _Scratch,
        start: int,
        turn: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """``x`` plus the attention of one layer; new keys and values go into the cache at ``start``."""
        y = layer.before(x)
        layer.q(y, scratch.q)
        layer.k(y, scratch.k)
        layer.v(y, scratch.v)
        if layer.q_norm is not None and layer.k_norm is not None:
            scratch.q_heads.copy_(layer.q_norm(scratch.q_heads))
            scratch.k_heads.copy_(layer.k_norm(scratch.k_heads))
        scratch.turn(*turn)
        cache_BKLD[:, :, start : self._length] = scratch.kv_BKTD
        keys = self._heads[1]
        out = F.scaled_dot_product_attention(
            scratch.queries(),
            cache_BKLD[:, :keys, : self._length],
            cache_BKLD[:, keys:, : self._length],
            attn_mask=mask,
            scale=layer.scale,
        )
        return layer.o(x, scratch.joined(out))

    def _mask(self, new: int) -> torch.Tensor | None:
        """(B or 1, 1, T x G, L), True where a query may look; None when it may look everywhere."""
        if new == 1 and self._real_BL is None:
            return None
        queries = torch.arange(self._length - new, self._length, device=self._like.device)[:, None]
        keys = torch.arange(self._length, device=self._like.device)
        seen = (keys <= queries)[None]
        if self._real_BL is not None:  # padding sees itself, so that no row of the softmax is empty
            seen = (seen & self._real_BL[:, None]) | (keys == queries)
        groups = self._heads[0] // self._heads[1]
        return seen.repeat_interleave(groups, dim=1)[:, None]

    def _scratch_for(self, rows: int, new: int) -> _Scratch:
        if self._scratch is None or self._scratch[0] != (rows, new):
            self._scratch = (rows, new), _Scratch(rows, new, self._heads, self._inner, self._like)
        return self._scratch[1]

    def _empty_cache(self, rows: int, room: int) -> list[torch.Tensor]:
        _, keys, size = self._heads
        return [self._like.new_empty(rows, 2 * keys, room, size) for _ in self._layers]

    def _grow(self, rows: int) -> None:
        """Make room for the ids up to ``self._length``."""
        had = self._cache_BKLD[0].shape[2]
        if self._length <= had:
            return
        room = max(self._length + ROOM, had * 3 // 2)
        for number, larger in enumerate(self._empty_cache(rows, room)):
            larger[:, :, :had] = self._cache_BKLD[number]
            self._cache_BKLD[number] = larger
        self._turn(room)

    def _turn(self, room: int) -> None:
        """Rotary tables of the first positions, the sign of "rotate half" folded into the sine."""
        cos_1LD, sin_1LD = self._rotary(self._like, torch.arange(room, device=self._like.device)[None])
        sin_1LD = sin_1LD.clone()
        sin_1LD[..., : self._heads[2] // 2].neg_()
        self._cos, self._sin = cos_1LD[0], sin_1LD[0]
