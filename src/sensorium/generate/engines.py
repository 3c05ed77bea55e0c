"""Engines by name."""

from __future__ import annotations

import warnings
from typing import Any

from sensorium.generate.engine import Engine
from sensorium.generate.llamacpp_engine import LlamaCppEngine
from sensorium.generate.onnx_engine import OnnxEngine
from sensorium.generate.torch_engine import TorchEngine
from sensorium.generate.vllm_engine import VllmEngine
from sensorium.types import InputError

LOCAL = ("torch", "onnx", "onnx-int8", "fast")
SERVERS = {"vllm": VllmEngine, "llamacpp": LlamaCppEngine}


def make_engine(lm: Any, name: str = "torch") -> Engine:
    """The engine of a name.

    Args:
        lm: the model, in eval mode.
        name: ``"torch"``; ``"onnx"`` or ``"onnx-int8"``; ``"fast"`` for the latter where it can be had and torch, with
            a warning that says why, where it cannot; ``"vllm=URL"`` or ``"llamacpp=URL"`` for a server that runs the
            model's export.

    Raises:
        InputError: no such engine, or it cannot run here.
    """
    kind, _, url = name.partition("=")
    if kind in SERVERS and url:
        return SERVERS[kind](lm, url)
    if name == "fast":
        return _fast(lm)
    if name == "torch":
        return TorchEngine(lm)
    if name in LOCAL:
        return OnnxEngine(lm, "int8" if name == "onnx-int8" else "fp32")
    known = ", ".join([*LOCAL, *(f"{kind}=URL" for kind in SERVERS)])
    raise InputError(f"no engine named {name!r}; there are: {known}")


def _fast(lm: Any) -> Engine:
    try:
        return OnnxEngine(lm, "int8")
    except InputError as error:
        warnings.warn(f"writing with torch, which is slower: {error}", stacklevel=3)
        return TorchEngine(lm)
