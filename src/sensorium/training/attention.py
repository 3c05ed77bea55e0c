"""Attention inside documents only, at the cost of the documents rather than of the rows they are packed into.

A row of 512 tokens holds five documents of 100: masked attention works out 512 x 512 products for each head, of which
a tenth counts. Here documents of about one length are gathered from all rows and done together. On a CPU this, and
matrix units doing the backward products too, makes attention two to four times faster.

Legend: B rows, T tokens of a row, X = B * T * heads, Q heads of queries, K heads of keys, G = Q / K, D numbers of a
head, N documents of about one length, L that length.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

NAME = "sensorium_documents"
ROUND = 32
"""Documents whose lengths agree up to this are done together."""
AT_ONCE = 2**24
"""Most scores held in memory."""


class Bucket(NamedTuple):
    """Documents of about one length, as places in (B * T * heads) numbers; beyond a document's end stands the last.

    No token inside a document attends to what is beyond its end, which comes later.

    Args:
        length: L.
        queries, keys: (N * Q * L) and (N * K * L).
        later_1QL: (1, G * L, L) minus infinity where a token would attend to a later one, else 0.
        inside: (N * K, G * L, 1) 1 inside documents, else 0.
    """

    length: int
    queries: Tensor
    keys: Tensor
    later_1QL: Tensor
    inside: Tensor


class Plan(NamedTuple):
    """Where the documents of a batch lie.

    Args:
        queries, keys: (B * T * heads) for each place, where it lies in the numbers of all buckets, one after the
            other, behind a row of zeros: 0 for documents of one token, as which empty places count.
    """

    buckets: list[Bucket]
    queries: Tensor
    keys: Tensor


def planned(position_ids: np.ndarray, heads: int, key_heads: int, dtype: torch.dtype) -> Plan:
    """Documents by length.

    Args:
        position_ids: (B, T), 0 where a document starts.
        heads, key_heads: Q and K.
    """
    starts = np.flatnonzero((position_ids == 0) | (np.arange(position_ids.shape[1]) == 0))
    lengths = np.diff(starts, append=position_ids.size)
    starts, lengths = starts[lengths > 1], lengths[lengths > 1]
    rounded = -(-lengths // ROUND) * ROUND
    found, places = [], position_ids.size
    back = [np.zeros(places * count, np.int64) for count in (heads, key_heads)]
    at = [1, 1]
    for length in np.unique(rounded).tolist():
        members = np.flatnonzero(rounded == length)
        most = max(1, AT_ONCE // (heads * length * length))
        for part in np.split(members, range(most, len(members), most)):
            sides = []
            for side, count in enumerate((heads, key_heads)):
                where, inside = _places(starts[part], lengths[part], length, count, places)
                back[side][where[inside]] = at[side] + np.flatnonzero(inside)
                at[side] += where.size
                sides.append(torch.from_numpy(where.ravel()))
            later = torch.full((length, length), -torch.inf, dtype=dtype).triu_(1).repeat(heads // key_heads, 1)
            inside = np.arange(length) < lengths[part][:, None, None]
            inside = np.broadcast_to(inside, (len(part), heads, length)).reshape(-1, len(later), 1)
            found.append(Bucket(length, *sides, later[None], torch.from_numpy(inside.copy()).to(dtype)))
    return Plan(found, *map(torch.from_numpy, back))


def _places(
    starts: np.ndarray, lengths: np.ndarray, length: int, heads: int, tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """(N, heads, L) places in (tokens * heads) numbers, and whether each is inside a document."""
    steps = np.arange(length)
    where_NHL = np.minimum(starts[:, None, None] + steps, tokens - 1) * heads + np.arange(heads)[:, None]
    inside = np.broadcast_to(steps < lengths[:, None, None], where_NHL.shape)
    return where_NHL, inside


_last: tuple[np.ndarray, tuple[Any, ...], Plan] | None = None


def _plan(position_ids_BT: Tensor, *shape: Any) -> Plan:
    """As `planned`; all layers of a step ask for the same."""
    global _last
    positions = position_ids_BT.numpy()
    if _last is None or _last[1] != shape or not np.array_equal(_last[0], positions):
        _last = (positions.copy(), shape, planned(positions, *shape))
    return _last[2]


def _flat(x_BHTD: Tensor) -> Tensor:
    """(B * T * H, D)."""
    return x_BHTD.transpose(1, 2).reshape(-1, x_BHTD.shape[-1])


def _attending(q: Tensor, k: Tensor, bucket: Bucket, scale: float) -> Tensor:
    """(N * K, G * L, L) how much each token attends to each that is not after it."""
    later = bucket.later_1QL.expand(len(q), -1, -1)
    return torch.baddbmm(later, q, k.mT, alpha=scale).softmax(-1)


def _put_back(parts: list[Tensor], where: Tensor, like_BHTD: Tensor) -> Tensor:
    """(B, T, H, D): the numbers of all buckets at their places in the batch."""
    rows, heads, tokens, size = like_BHTD.shape
    found = torch.cat([parts[0].new_zeros(1, size), *(part.reshape(-1, size) for part in parts)])
    return found.index_select(0, where).view(rows, tokens, heads, size)


@torch.library.custom_op("sensorium::documents_attention", mutates_args=())
def documents_attention(
    q_BQTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, position_ids_BT: Tensor, scale: float
) -> Tensor:
    """(B, T, Q, D) causal attention that stays inside documents; 0 at documents of one token."""
    size = q_BQTD.shape[-1]
    q_XD, k_XD, v_XD = _flat(q_BQTD), _flat(k_BKTD), _flat(v_BKTD)
    plan = _plan(position_ids_BT, q_BQTD.shape[1], k_BKTD.shape[1], q_BQTD.dtype)
    found = [q_XD[:0]]
    for bucket in plan.buckets:
        k, v = (x.index_select(0, bucket.keys).view(-1, bucket.length, size) for x in (k_XD, v_XD))
        q = q_XD.index_select(0, bucket.queries).view(len(k), -1, size)
        found.append(_attending(q, k, bucket, scale) @ v)
    return _put_back(found, plan.queries, q_BQTD)


@torch.library.custom_op("sensorium::documents_attention_backward", mutates_args=())
def documents_attention_backward(
    grad_BTQD: Tensor, q_BQTD: Tensor, k_BKTD: Tensor, v_BKTD: Tensor, position_ids_BT: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients (B, T, heads, D) of queries, keys and values. What attends to what is worked out again."""
    size = q_BQTD.shape[-1]
    q_XD, k_XD, v_XD = _flat(q_BQTD), _flat(k_BKTD), _flat(v_BKTD)
    plan = _plan(position_ids_BT, q_BQTD.shape[1], k_BKTD.shape[1], q_BQTD.dtype)
    grad_XD = grad_BTQD.reshape(-1, size)
    found: tuple[list[Tensor], ...] = ([q_XD[:0]], [k_XD[:0]], [v_XD[:0]])
    for bucket in plan.buckets:
        k, v = (x.index_select(0, bucket.keys).view(-1, bucket.length, size) for x in (k_XD, v_XD))
        q, grad = (x.index_select(0, bucket.queries).view(len(k), -1, size) for x in (q_XD, grad_XD))
        grad = grad * bucket.inside
        p = _attending(q, k, bucket, scale)
        grad_s = torch._softmax_backward_data(grad @ v.mT, p, -1, p.dtype)
        found[0].append((grad_s @ k).mul_(scale))
        found[1].append((grad_s.mT @ q).mul_(scale))
        found[2].append(p.mT @ grad)
    where = (plan.queries, plan.keys, plan.keys)
    dq, dk, dv = (_put_back(*item) for item in zip(found, where, (q_BQTD, k_BKTD, v_BKTD), strict=True))
    return dq, dk, dv


@documents_attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, position_ids: Tensor, scale: float) -> Tensor:
    rows, heads, tokens, size = q.shape
    return q.new_empty(rows, tokens, heads, size)


@documents_attention_backward.register_fake
def _(grad: Tensor, q: Tensor, k: Tensor, v: Tensor, position_ids: Tensor, scale: float) -> tuple[Tensor, ...]:
    return tuple(x.new_empty(x.shape[0], x.shape[2], x.shape[1], x.shape[3]) for x in (q, k, v))


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.scale = inputs[4]


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    q, k, v, position_ids = ctx.saved_tensors
    found = documents_attention_backward(grad.to(v.dtype).contiguous(), q, k, v, position_ids, ctx.scale)
    return (*(x.transpose(1, 2) for x in found), None, None)


documents_attention.register_autograd(_backward, setup_context=_remember)


def _interface(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: None, scaling: float, **other: Any
) -> tuple[Tensor, None]:
    """What `transformers` calls."""
    query, key = query.to(value.dtype), key.to(value.dtype)
    return documents_attention(query, key, value, other["position_ids"], scaling), None


@contextmanager
def documents_only(grown: Any) -> Iterator[bool]:
    """Within, the model's attention is `documents_attention`, where it can be; tells whether it is.

    It can on a CPU, in models whose tokens attend to all before them with nothing else done to the scores. That is
    tried: hidden states of a few short documents must come out as before.
    """
    config = grown.lm.config.get_text_config()
    before = config._attn_implementation
    plain = before == "sdpa" and grown.device.type == "cpu" and not getattr(config, "attention_dropout", 0)
    plain = plain and not getattr(config, "sliding_window", None) and grown.keeps_documents_apart()
    try:
        yield plain and _agrees(grown, config)
    finally:
        config._attn_implementation = before


@torch.no_grad()
def _agrees(grown: Any, config: Any) -> bool:
    """Switch, and switch back unless it gives the same."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _interface)
    before, was_training = config._attn_implementation, grown.training
    ids_BT = torch.arange(96).view(2, 48) % grown.vocabulary.text_size
    positions_BT = torch.cat([torch.arange(n) for n in (5, 43, 36, 12)]).view(2, 48)
    grown.eval()
    wanted = grown.hidden(ids_BT, positions_BT)
    config._attn_implementation = NAME
    try:
        same = torch.allclose(grown.hidden(ids_BT, positions_BT), wanted, rtol=1e-3, atol=1e-4)
    except (KeyError, TypeError, RuntimeError):  # other arguments than attention has elsewhere
        same = False
    grown.train(was_training)
    if not same:
        config._attn_implementation = before
    return same
