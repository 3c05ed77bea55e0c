"""The engine on ONNX Runtime: the torch engine's loop around faster arithmetic, in float32 or with 8-bit weights.

Which ids are chosen, guidance, batches: all of it is `TorchEngine`'s. Only the model's step and, where many
ids may follow, its output head run as ONNX graphs (`sensorium.model.onnx_export`). Given continuations are scored by
torch with the unrounded weights.

Legend: B rows, T new ids, L ids in the cache, K key heads, D head size, H hidden, V candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from sensorium.engines.output_head import OutputHead
from sensorium.engines.rows import RowBatch
from sensorium.engines.torch_engine import TorchEngine
from sensorium.engines.turn import Failed, Ids, Token, Turn
from sensorium.model.adapter import Adapter
from sensorium.model.onnx_export import BODY, HEAD, HIDDEN, IDS, LOGITS, MASK, PAST, PRESENT, cached_onnx
from sensorium.stream import Ranges
from sensorium.types import InputError

WHOLE_FROM = {"fp32": 0.5, "int8": 0.2}
"""Share of all ids from which on computing all, in the threads of ONNX Runtime, beats a slice in float32 in one."""
WEIGHTS_OF_A_THREAD = 30_000_000
"""On two cores, one thread runs a body of 6 million weights twice as fast as two; one of 106 million gains."""
ROOM = 64
"""Ids by which the cache grows."""


class OnnxEngine(TorchEngine):
    """A causal LM of a Llama-like class, run by ONNX Runtime on the CPU.

    Args:
        lm: the model, in eval mode, on the CPU. With a LoRA adapter, there are graphs with it and without it: without
            it at once, with it when first needed.
        precision: ``"fp32"``, or ``"int8"`` for weights of 8 bits.
        threads: of one step; None for as many as torch uses, fewer for a small model.

    Raises:
        InputError: ONNX Runtime is not installed, or the model has no ONNX graph here.
    """

    def __init__(self, lm: Any, precision: str = "fp32", threads: int | None = None):
        super().__init__(lm)
        if find_spec("onnxruntime") is None:
            raise InputError("this engine needs ONNX Runtime: pip install 'sensorium[fast]', or use the torch engine")
        if lm.device.type != "cpu" or lm.dtype != torch.float32:
            raise InputError(f"this engine runs float32 models on the CPU, not {lm.dtype} on {lm.device}; use torch")
        self._precision, self._threads = precision, threads or useful_threads(lm)
        graphs = cached_onnx(lm, precision, adapter=False)
        self._bodies = {False: session(graphs / BODY, self._threads)}
        self.head = WideHead(lm, session(graphs / HEAD, self._threads), WHOLE_FROM[precision])

    def _body(self, adapter: bool) -> Any:
        if adapter not in self._bodies:
            graphs = cached_onnx(self.lm, self._precision, adapter)
            self._bodies[adapter] = session(graphs / BODY, self._threads)
        return self._bodies[adapter]

    def batch(self) -> RowBatch:
        """See `Engine.batch`."""
        return OnnxBatch(self.decoder, self.head, self.lm.device, bool(Adapter(self.lm)))

    def decoder(self, prompts: list[Ids], adapter: bool) -> OnnxDecoder:
        """See `TorchEngine.decoder`."""
        return OnnxDecoder(self._body(adapter), prompts)


def int8(lm: Any) -> OnnxEngine:
    """The engine with weights of 8 bits."""
    return OnnxEngine(lm, "int8")


class OnnxBatch(RowBatch):
    """A batch whose own little work, choosing ids, keeps to one thread.

    Several threads of torch would go on spinning for a while, and take the cores from those of ONNX Runtime: two to
    three times slower on two cores.
    """

    def join(self, turns: Sequence[Turn]) -> list[Token | Failed]:
        with one_thread():
            return super().join(turns)

    def step(self) -> list[Token | Failed]:
        with one_thread():
            return super().step()


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block, torch computes in the caller's thread only."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def useful_threads(lm: Any) -> int:
    """As many as torch has, but no more than there is work for: threads that wait for each other slow a step down."""
    weights = sum(one.numel() for name, one in lm.base_model.named_parameters() if "embed" not in name)
    return max(1, min(torch.get_num_threads(), weights // WEIGHTS_OF_A_THREAD))


def session(graph: Path, threads: int) -> Any:
    """ONNX Runtime's session of a graph, on the CPU.

    Its threads rest between runs: spinning on, those of the body and of the head halve each other's speed on two cores.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


class WideHead(OutputHead):
    """An output head whose graph computes all ids at once, for steps where that is less work than slices in float32.

    Args:
        graph: the session of `HEAD`.
        share: of all ids, from which on the graph computes.
    """

    def __init__(self, lm: Any, graph: Any, share: float):
        super().__init__(lm)
        self._graph, self._narrow = graph, int(lm.config.vocab_size * share)

    def _sliced(self, hidden_BH: torch.Tensor, ranges: Ranges) -> list[torch.Tensor]:
        if sum(stop - start for start, stop in ranges) <= self._narrow:
            return super()._sliced(hidden_BH, ranges)
        (logits_B1V,) = self._graph.run([LOGITS], {HIDDEN: hidden_BH[:, None].numpy()})
        whole_BV = torch.from_numpy(logits_B1V[:, 0])
        return [whole_BV[:, start:stop] for start, stop in ranges]


class OnnxDecoder:
    """A `Decoder` that runs the graph `BODY`; keys and values stay in buffers that the graph writes into.

    Args:
        body: the session.
        prompts: one per row, none empty; `hidden` is the state after each.
    """

    def __init__(self, body: Any, prompts: Sequence[Ids]):
        self._body, self._binding = body, body.io_binding()
        shapes = {one.name: one.shape for one in body.get_inputs() if one.name.startswith(PAST.partition(".")[0])}
        self._past = list(shapes)
        _, keys, _, size = next(iter(shapes.values()))
        self._cache_BKLD = [torch.zeros(len(prompts), keys, 0, size) for _ in self._past]
        self._length_B = np.zeros(len(prompts), dtype=np.int64)
        counts_B = np.array([len(prompt) for prompt in prompts])
        ids_BT = np.zeros((len(prompts), counts_B.max()), dtype=np.int64)
        for row, prompt in zip(ids_BT, prompts, strict=True):
            row[: len(prompt)] = prompt
        self.hidden = self._pass(ids_BT, counts_B)

    def read(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """See `Decoder.read`. The attention operator takes several new ids of several rows only at the start."""
        ids = ids_BT.numpy()
        pieces = [ids] if len(ids) == 1 else np.split(ids, ids.shape[1], axis=1)
        for piece in pieces:
            hidden_BH = self._pass(np.ascontiguousarray(piece), np.full(len(piece), piece.shape[1]))
        return hidden_BH

    def keep(self, rows: Sequence[int]) -> None:
        """See `Decoder.keep`."""
        self._length_B = self._length_B[list(rows)]
        self._cache_BKLD = [cache[list(rows)] for cache in self._cache_BKLD]
        self._bind_cache()

    def join(self, other: OnnxDecoder) -> None:
        """Go on with another decoder's rows behind these."""
        room = max(self._room, other._room)
        self._pad(room)
        other._pad(room)
        self._length_B = np.concatenate([self._length_B, other._length_B])
        self._cache_BKLD = [torch.cat(both) for both in zip(self._cache_BKLD, other._cache_BKLD, strict=True)]
        self._bind_cache()

    @property
    def _room(self) -> int:
        """Ids that the cache can hold."""
        return self._cache_BKLD[0].shape[2]

    def _pass(self, ids_BT: np.ndarray, counts_B: np.ndarray) -> torch.Tensor:
        """Read the first ``counts_B`` ids of every row; the hidden state after the last of them, (B, H)."""
        self._length_B = self._length_B + counts_B
        longest = int(self._length_B.max())
        if longest > self._room:
            self._pad(longest + ROOM)
        mask_BL = (np.arange(longest) < self._length_B[:, None]).astype(np.int64)
        self._binding.bind_cpu_input(IDS, ids_BT)
        self._binding.bind_cpu_input(MASK, mask_BL)
        self._binding.bind_output(HIDDEN)
        self._body.run_with_iobinding(self._binding)
        hidden_BTH = torch.from_numpy(self._binding.get_outputs()[-1].numpy())
        return hidden_BTH[torch.arange(len(ids_BT)), torch.from_numpy(counts_B - 1)]

    def _pad(self, room: int) -> None:
        if room > self._room:
            more = room - self._room
            self._cache_BKLD = [F.pad(cache, (0, 0, 0, more)) for cache in self._cache_BKLD]
            self._bind_cache()

    def _bind_cache(self) -> None:
        self._binding.clear_binding_inputs()
        self._binding.clear_binding_outputs()
        for past, cache in zip(self._past, self._cache_BKLD, strict=True):
            _, number, kind = past.split(".")
            place = ("cpu", 0, np.float32, cache.shape, cache.data_ptr())
            self._binding.bind_input(past, *place)
            self._binding.bind_output(PRESENT.format(number, kind), *place)
