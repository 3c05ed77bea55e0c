"""The LoRA adapter of a model, on or off while something is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

_locks: WeakKeyDictionary[Any, RLock] = WeakKeyDictionary()


class Adapter:
    """The layers of a model that have LoRA matrices beside them; false for a model that has none.

    The layers look at a switch of their own, so only one thread at a time computes with them.
    """

    def __init__(self, lm: Any):
        self._layers = [module for module in lm.modules() if hasattr(module, "base_layer")]
        self._lock = _locks.setdefault(lm, RLock())

    def __bool__(self) -> bool:
        return bool(self._layers)

    @contextmanager
    def switched(self, on: bool) -> Iterator[None]:
        """Inside the block the matrices take part or do not; afterwards, as before."""
        if not self:
            yield
            return
        with self._lock:
            before = [layer.disable_adapters for layer in self._layers]
            self._disable([not on] * len(before))
            try:
                yield
            finally:
                self._disable(before)

    def _disable(self, off: list[bool]) -> None:
        for layer, disabled in zip(self._layers, off, strict=True):
            if layer.disable_adapters != disabled:
                layer.enable_adapters(not disabled)
