"""Engines by name, from inside and outside: entry points of the group `ENGINES`."""

from __future__ import annotations

from typing import Any

from sensorium import plugins
from sensorium.engines.engine import Engine
from sensorium.types import InputError

ENGINES = "sensorium.engines"
"""What is registered is called with the model, and with an address if its attribute ``at_url`` is true."""


def make_engine(lm: Any, name: str = "torch") -> Engine:
    """The engine of a name.

    Args:
        lm: the model, in eval mode.
        name: ``"torch"``; ``"onnx"`` or ``"onnx-int8"``; ``"fast"`` for what is faster here, see
            `sensorium.engines.fast`; ``"vllm=URL"`` or ``"llamacpp=URL"`` for a server that runs the model's export; or
            what a package has added.

    Raises:
        InputError: no such engine, or it cannot run here.
    """
    kind, _, url = name.partition("=")
    if kind in plugins.names(ENGINES):
        make = plugins.load(ENGINES, kind)
        if _at_url(make) == bool(url):
            return make(lm, url) if url else make(lm)
    known = (f"{one}=URL" if _at_url(plugins.load(ENGINES, one)) else one for one in plugins.names(ENGINES))
    raise InputError(f"no engine named {name!r}; there are: {', '.join(known)}")


def _at_url(make: Any) -> bool:
    return getattr(make, "at_url", False)
