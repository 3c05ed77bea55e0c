"""Training tokens a second: packed rows against padded batches, at the size of nano.

    python benchmarks/packing_speed.py [--steps 8] [--tokens 4096] [--threads 1] [--compile]

Documents of 20 to 110 tokens, evenly mixed. The contestants alternate in one process, on the same model and with
the same optimiser; only tokens of documents count, padding does not. The median counts. CPU time is steadier than
wall time on a shared machine; both are printed.

- ``packed N``: our training step on rows of N tokens that hold several documents, none of which sees another.
- ``compiled 256``: the same with a compiled body (``TrainConfig(compile=True)``), which wants batches of one shape.
- ``padded``: our training step, a document a row, random order, padded to the longest of the batch.
- ``bucketed``: the same, but each batch holds documents of nearly one length.
- ``transformers``: padded, with an attention mask and labels passed to the causal LM itself, which makes logits
  of every position: what `transformers.Trainer` does by default.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from sensorium.codecs import Facts
from sensorium.data import NO_LOSS, PackedBatch, PackedLoader, Sample, pack
from sensorium.device import keep_freed_memory
from sensorium.training import Batch, NextTokenLoss
from sensorium.vocabulary import Vocabulary

TEXT, CODES = 4096, 4930
SHORTEST, LONGEST = 20, 110


class Plain(torch.nn.Module):
    """A plain causal LM with the two methods that the loss needs."""

    def __init__(self, vocabulary: Vocabulary):
        super().__init__()
        self.compiled: Any = None
        torch.manual_seed(0)
        shape = LlamaConfig(
            vocab_size=vocabulary.size,
            hidden_size=256,
            num_hidden_layers=8,
            num_attention_heads=8,
            num_key_value_heads=8,
            intermediate_size=704,
            tie_word_embeddings=False,
        )
        self.lm, self.vocabulary = LlamaForCausalLM(shape), vocabulary

    def hidden(self, ids_BT: torch.Tensor, position_ids_BT: torch.Tensor) -> torch.Tensor:
        body = self.compiled or self.lm.model
        return body(input_ids=ids_BT, position_ids=position_ids_BT, use_cache=False).last_hidden_state

    def token_loss(self, hidden_NH: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(self.lm.lm_head(hidden_NH), targets_N, reduction="none")


def documents(generator: np.random.Generator, count: int, vocabulary: Vocabulary) -> list[Sample]:
    """Documents whose first third is a question, without loss."""
    found = []
    for length in generator.integers(SHORTEST, LONGEST + 1, count).tolist():
        ids = generator.integers(0, vocabulary.size, length).astype(np.int32)
        found.append(Sample(ids, np.arange(length) >= length // 3))
    return found


def packed(loader: PackedLoader) -> tuple[PackedBatch, int]:
    """The next batch, and how many of its tokens belong to documents (the rest are empty places)."""
    batch = next(loader)
    return batch, int((batch.position_ids > 0).sum()) + batch.documents


def padded(samples: list[Sample], tokens: int) -> tuple[PackedBatch, int]:
    """One document a row, about ``tokens`` tokens of documents, the first of ``samples``."""
    count = int(np.searchsorted(np.cumsum([len(sample) for sample in samples]), tokens))
    chosen = samples[:count]
    longest = max(len(sample) for sample in chosen)
    batch = pack([Sample(np.resize(s.ids, longest), np.resize(s.mask, longest)) for s in chosen], longest)
    for row, sample in enumerate(chosen):  # rows are all equally long, so their order is kept
        batch.targets[row, len(sample) - 1 :] = NO_LOSS
    return batch, sum(len(sample) for sample in chosen)


def our_loss(model: Plain, batch: PackedBatch) -> torch.Tensor:
    found = NextTokenLoss()(model, Batch.of(batch, slice(None), torch.device("cpu")))
    return found.total / found.weight


def compiled_loss(model: Plain, batch: PackedBatch) -> torch.Tensor:
    model.compiled = vars(model).setdefault("kept", torch.compile(model.lm.model.forward, dynamic=False))
    loss = our_loss(model, batch)
    model.compiled = None
    return loss


def transformers_loss(model: Plain, batch: PackedBatch) -> torch.Tensor:
    ids, targets = torch.from_numpy(batch.ids), torch.from_numpy(batch.targets)
    labels = torch.full_like(ids, NO_LOSS)
    labels[:, 1:] = targets[:, :-1]
    last = (targets != NO_LOSS).long() * torch.arange(1, ids.shape[1] + 1)
    mask = torch.arange(ids.shape[1])[None] <= last.amax(1, keepdim=True)
    return model.lm(input_ids=ids, attention_mask=mask.long(), labels=labels, use_cache=False).loss


Contestant = tuple[Callable[[], tuple[PackedBatch, int]], Callable[..., Any]]


def contestants(tokens: int, vocabulary: Vocabulary) -> dict[str, Contestant]:
    """What makes the next batch and its loss, by name."""
    generator = np.random.default_rng(0)
    store = documents(generator, 4000, vocabulary)

    def some() -> list[Sample]:
        return [store[index] for index in generator.permutation(len(store))[: tokens // 16]]

    by_length = sorted(store, key=len)

    def of_one_length() -> list[Sample]:
        start = int(generator.integers(len(store) - tokens // SHORTEST))
        return by_length[start : start + tokens // SHORTEST]

    loaders = {size: PackedLoader(store, tokens // size, size) for size in (128, 256, 512)}
    rows = {f"packed {size}": (partial(packed, loader), our_loss) for size, loader in loaders.items()}
    return rows | {
        "compiled 256": (partial(packed, loaders[256]), compiled_loss),
        "bucketed": (lambda: padded(of_one_length(), tokens), our_loss),
        "padded": (lambda: padded(some(), tokens), our_loss),
        "transformers": (lambda: padded(some(), tokens), transformers_loss),
    }


def timed(model: Plain, optimizer: torch.optim.Optimizer, batch: PackedBatch, loss: Callable[..., Any]) -> list[float]:
    """CPU and wall seconds of one training step."""
    cpu, wall = time.process_time(), time.perf_counter()
    loss(model, batch).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return [time.process_time() - cpu, time.perf_counter() - wall]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="time a compiled body too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    facts = Facts(name="codes", modality="codes", codebook_sizes=(CODES,), grid=(8, 8), max_frames=64)
    vocabulary = Vocabulary.build(TEXT, [facts])
    model = Plain(vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    runners = contestants(arguments.tokens, vocabulary)
    found: dict[str, list[list[float]]] = {}
    for step in range(arguments.steps + 1):
        for name, (make, loss) in runners.items():
            if name.startswith("compiled") and not arguments.compile:
                continue
            batch, tokens = make()
            seconds = timed(model, optimizer, batch, loss)
            if step:  # the first warms up
                found.setdefault(name, []).append([tokens / value for value in seconds])
    medians = {name: [median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    for name, (per_cpu, per_wall) in medians.items():
        faster = per_cpu / medians["transformers"][0]
        print(f"{name:13} {per_cpu:6.0f} tokens/CPU s  {per_wall:6.0f} tokens/s  {faster:.2f}x transformers")
    print(json.dumps({name: {"per_cpu_s": round(a), "per_s": round(b)} for name, (a, b) in medians.items()}))


if __name__ == "__main__":
    main()
