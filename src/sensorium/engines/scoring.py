"""How likely many continuations are after one prompt: the prompt is read once, and so is every shared prefix.

The prefixes of the continuations form a tree. Its nodes are read in a few passes over the prompt's KV cache, under a
mask that lets a node see the prompt, its ancestors and itself (tree attention, Miao et al. 2024, arXiv:2305.09781).

Legend: N nodes of one pass, L nodes in the cache, V vocabulary, H hidden.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from sensorium.engines.engine import Known, ranked
from sensorium.engines.output_head import OutputHead
from sensorium.engines.trie import Node, blocks, grow
from sensorium.engines.turn import Ids, Scored

BLOCK = 192
"""Nodes read in one pass when all continuations are scored."""
WIDTH = 48
"""Nodes read in one pass when the best are searched."""
NAIVE_ROWS = 16


class Table:
    """Log-probabilities of ids after N nodes; only those asked for are normalised."""

    def __init__(self, logits_NV: torch.Tensor):
        self._logits_NV, self._norm_N = logits_NV, logits_NV.logsumexp(-1)

    def look_up(self, rows: Sequence[int], ids: Sequence[int]) -> list[float]:
        """Log-probability (nats) of each id after the node in the same place of ``rows``."""
        where = torch.tensor([list(rows), list(ids)], dtype=torch.long, device=self._norm_N.device)
        return (self._logits_NV[where[0], where[1]] - self._norm_N[where[0]]).tolist()


class TreeReader:
    """Reads nodes of a tree after a prompt.

    Args:
        lm: a causal LM for which `can_read_trees` holds.
        prompt: read once.

    Attributes:
        root: what may follow the prompt, a table of one row.
    """

    def __init__(self, lm: Any, head: OutputHead, prompt: Ids):
        self._lm, self._head, self._prompt = lm, head, len(prompt)
        self._cache: Any = DynamicCache(config=lm.config.get_text_config())
        ids = torch.tensor([list(prompt)], device=lm.device)
        hidden_H = lm.base_model(input_ids=ids, past_key_values=self._cache, use_cache=True).last_hidden_state[0, -1]
        self.root = Table(head.full(hidden_H[None]))
        self._start = [(layer.keys, layer.values) for layer in self._cache.layers]

    def reset(self) -> None:
        """Forget every node; the prompt stays read."""
        for layer, (keys, values) in zip(self._cache.layers, self._start, strict=True):
            layer.keys, layer.values = keys, values
            if hasattr(layer, "cumulative_length"):
                layer.cumulative_length = self._prompt

    def read(self, tokens: Sequence[int], depths: Sequence[int], sees_NL: np.ndarray) -> Table:
        """What may follow each of the nodes.

        Args:
            tokens, depths: of the nodes; depth 1 follows the prompt.
            sees_NL: True where a node sees a node read since `reset`, the new ones included.
        """
        device = self._lm.device
        mask_NL = torch.full((len(tokens), self._prompt + sees_NL.shape[1]), torch.finfo(self._lm.dtype).min)
        mask_NL[:, : self._prompt] = 0
        mask_NL[:, self._prompt :].masked_fill_(torch.from_numpy(sees_NL), 0)
        out = self._lm.base_model(
            input_ids=torch.tensor([list(tokens)], device=device),
            position_ids=torch.tensor([list(depths)], device=device) + (self._prompt - 1),
            attention_mask=mask_NL[None, None].to(device, self._lm.dtype),
            past_key_values=self._cache,
            use_cache=True,
        )
        return Table(self._head.full(out.last_hidden_state[0]))


def can_read_trees(lm: Any, ids: int) -> bool:
    """Whether the model takes a mask of our own and keeps ``ids`` ids in every layer of its cache."""
    config = lm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None)
    return (
        config._attn_implementation in ("sdpa", "eager")
        and kinds <= {"full_attention", "sliding_attention"}
        and getattr(lm, "_is_stateful", False) is False
        and (window is None or ids < window)
    )


@dataclass(frozen=True)
class _Block:
    """One pass: the inner nodes of a tree, and the edges to their children, the root's first."""

    root: Node
    inner: list[Node]
    sees_NN: np.ndarray
    edges: list[Node]
    places: list[int]

    @classmethod
    def of(cls, root: Node) -> _Block:
        inner = list(root.inner())
        place = {id(node): number for number, node in enumerate(inner)}
        sees_NN = np.eye(len(inner), dtype=bool)
        for number, node in enumerate(inner):
            if node.depth > 1:
                sees_NN[number] |= sees_NN[place[id(node.parent)]]
        edges = [child for node in [root, *inner] for child in node.children]
        return cls(root, inner, sees_NN, edges, [place[id(node.parent)] for node in edges[len(root.children) :]])

    def steps(self, reader: TreeReader) -> list[float]:
        """Log-probability of every edge."""
        first, later = self.edges[: len(self.root.children)], self.edges[len(self.root.children) :]
        steps = reader.root.look_up([0] * len(first), [node.token for node in first])
        if not self.inner:
            return steps
        reader.reset()
        table = reader.read([node.token for node in self.inner], [node.depth for node in self.inner], self.sees_NN)
        return steps + table.look_up(self.places, [node.token for node in later])


@lru_cache(maxsize=4)
def _plan(continuations: tuple[tuple[int, ...], ...]) -> list[_Block]:
    return [_Block.of(grow(continuations, chosen)) for chosen in blocks(continuations, BLOCK)]


def score_all(lm: Any, head: OutputHead, prompt: Ids, continuations: Sequence[Ids]) -> list[float]:
    """Summed log-probability of every continuation; 0 for an empty one."""
    longest = max(map(len, continuations), default=0)
    if not can_read_trees(lm, len(prompt) + longest + BLOCK):
        return score_naively(lm, head, prompt, continuations)
    reader, scores = TreeReader(lm, head, prompt), [0.0] * len(continuations)
    for block in _plan(tuple(map(tuple, continuations))):
        sums = {id(block.root): 0.0}
        for node, step in zip(block.edges, block.steps(reader), strict=True):
            sums[id(node)] = sums[id(node.parent)] + step
            for index in node.ends:
                scores[index] = sums[id(node)]
    return scores


def score_naively(lm: Any, head: OutputHead, prompt: Ids, continuations: Sequence[Ids]) -> list[float]:
    """As `score_all` for any causal LM: prompt and continuation read together, padded on the right."""
    scores: list[float] = []
    for first in range(0, len(continuations), NAIVE_ROWS):
        some = continuations[first : first + NAIVE_ROWS]
        width = max(map(len, some), default=0)
        ids = torch.tensor([[*prompt, *one, *[0] * (width - len(one))] for one in some], device=lm.device)
        hidden = lm.base_model(input_ids=ids, use_cache=False).last_hidden_state
        for one, row in zip(some, hidden[:, len(prompt) - 1 :], strict=True):
            logs = head.full(row[: len(one)]).log_softmax(-1)
            scores.append(float(logs[range(len(one)), list(one)].sum()) if len(one) else 0.0)
    return scores


def know(lm: Any, head: OutputHead, ids: Ids, top: int) -> list[Known]:
    """See `Engine.known`; logits are made for a few places at a time."""
    read = torch.tensor([list(ids)], device=lm.device)
    hidden_TH = lm.base_model(input_ids=read, use_cache=False).last_hidden_state[0, :-1]
    found = [Known(ids[0])]
    for first in range(0, len(hidden_TH), BLOCK):
        logs_NV = head.full(hidden_TH[first : first + BLOCK]).log_softmax(-1)
        here = read[0, first + 1 : first + 1 + len(logs_NV)]
        own_N, best = logs_NV.gather(-1, here[:, None])[:, 0], logs_NV.topk(min(top, logs_NV.shape[-1]))
        likeliest = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        tops = [tuple(zip(some, values, strict=True)) for some, values in likeliest]
        found += map(Known, here.tolist(), own_N.tolist(), tops)
    return found


class BestFirst:
    """The likeliest continuations, exactly, without scoring all: a prefix bounds everything that starts with it.

    Nodes are read best first; one is skipped when its prefix is already less likely than the best ones found.
    """

    def __init__(self, reader: TreeReader, root: Node, wanted: int):
        self._reader, self._wanted = reader, wanted
        self._waiting: list[tuple[float, int, Node]] = []
        self._tie = count()
        self._found: list[tuple[float, int]] = []
        self._places: dict[int, int] = {}
        self.read = 0
        self._note([(root, 0.0)], reader.root)

    def run(self) -> list[Scored]:
        while batch := self._next_batch():
            tokens, depths = [node.token for node, _ in batch], [node.depth for node, _ in batch]
            self._note(batch, self._reader.read(tokens, depths, self._sees([node for node, _ in batch])))
        return [Scored(-index, score) for score, index in sorted(self._found, reverse=True)]

    def _next_batch(self) -> list[tuple[Node, float]]:
        batch: list[tuple[Node, float]] = []
        while self._waiting and len(batch) < WIDTH and -self._waiting[0][0] >= self._bar():
            score, _, node = heapq.heappop(self._waiting)
            batch.append((node, -score))
        return batch

    def _bar(self) -> float:
        return self._found[0][0] if len(self._found) == self._wanted else -float("inf")

    def _note(self, batch: list[tuple[Node, float]], table: Table) -> None:
        edges = [(place, child, score) for place, (node, score) in enumerate(batch) for child in node.children]
        steps = table.look_up([place for place, _, _ in edges], [child.token for _, child, _ in edges])
        for (_, child, score), step in zip(edges, steps, strict=True):
            total = score + step
            for index in child.ends:
                heapq.heappush(self._found, (total, -index))
                if len(self._found) > self._wanted:
                    heapq.heappop(self._found)
            if child.children:
                heapq.heappush(self._waiting, (-total, next(self._tie), child))

    def _sees(self, nodes: list[Node]) -> np.ndarray:
        sees_NL = np.zeros((len(nodes), self.read + len(nodes)), dtype=bool)
        for number, node in enumerate(nodes):
            self._places[id(node)] = self.read + number
            seen: Node | None = node
            while seen is not None and seen.depth:
                sees_NL[number, self._places[id(seen)]] = True
                seen = seen.parent
        self.read += len(nodes)
        return sees_NL


@lru_cache(maxsize=4)
def _tree(continuations: tuple[tuple[int, ...], ...]) -> Node:
    return grow(continuations)


def best_few(lm: Any, head: OutputHead, prompt: Ids, continuations: Sequence[Ids], wanted: int) -> list[Scored]:
    """The ``wanted`` likeliest continuations, best first; of equal ones the earlier first."""
    root = _tree(tuple(map(tuple, continuations)))
    if not can_read_trees(lm, len(prompt) + sum(1 for _ in root.inner())):
        return ranked(score_all(lm, head, prompt, continuations), wanted)
    return BestFirst(TreeReader(lm, head, prompt), root, wanted).run()
