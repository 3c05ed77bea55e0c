"""The engine ``fast``: ONNX with 8-bit weights or torch, whichever is faster for this model on this machine.

Which one that is depends on the size of the model, on the processor and on how many turns are written together
(results/README.md): so both are timed, once, and the winner is remembered. One engine writes everything, since an
answer must not depend on what is written beside it.
"""

from __future__ import annotations

import json
import platform
import time
import warnings
from collections.abc import Callable
from hashlib import sha256
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import torch

from sensorium.engines.engine import Engine
from sensorium.engines.onnx_engine import OnnxEngine, one_thread
from sensorium.engines.torch_engine import TorchEngine
from sensorium.files import atomic_file, cache_dir
from sensorium.types import InputError

ROWS = (1, 8)
"""Turns written together: somebody who chats, and a server at work."""
PROMPT, STEPS = 16, 16


def fast(lm: Any) -> Engine:
    """The faster engine; torch, with a warning that says why, where ONNX cannot run."""
    try:
        rounded = OnnxEngine(lm, "int8")
    except InputError as error:
        warnings.warn(f"writing with torch, which is slower: {error}", stacklevel=4)
        return TorchEngine(lm)
    return rounded if _onnx_wins(lm, rounded) else TorchEngine(lm)


def _onnx_wins(lm: Any, rounded: OnnxEngine) -> bool:
    """Whether ONNX is faster in the geometric mean over `ROWS`."""
    place = _place(lm)
    share = _remembered(place)
    if share is None:
        plain = TorchEngine(lm)
        share = prod(_onnx_seconds(rounded, rows) / _seconds(plain, rows) for rows in ROWS)
        with atomic_file(place) as temporary:
            temporary.write_text(json.dumps(share), encoding="utf-8")
    return share < 1


def _remembered(place: Path) -> float | None:
    """The product over `ROWS` of ONNX's times over torch's; None where it was not measured or the file is damaged."""
    try:
        return float(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return None


def _place(lm: Any) -> Path:
    """Where the times of models of this shape on this machine are kept."""
    facts = [lm.config.to_json_string(), platform.processor(), platform.node(), torch.__version__]
    digest = sha256(" ".join([*facts, str(torch.get_num_threads())]).encode())
    return cache_dir() / "engines" / f"{digest.hexdigest()[:16]}.json"


def _onnx_seconds(engine: OnnxEngine, rows: int) -> float:
    with one_thread():
        return _seconds(engine, rows)


@torch.inference_mode()
def _seconds(engine: TorchEngine, rows: int) -> float:
    """Of a step of ``rows`` turns, in the median."""
    decoder = engine.decoder([[3] * PROMPT] * rows, adapter=False)
    ids_B1, every = torch.full((rows, 1), 3), ((0, engine.lm.config.vocab_size),)
    steps = [_timed(lambda: engine.head.logits(decoder.read(ids_B1), every)) for _ in range(STEPS)]
    return median(steps[1:])


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
