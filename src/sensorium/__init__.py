"""Your LLM, plus any modality, still a plain LLM.

    import sensorium as sm

    model = sm.load("nano")
    model.chat(["What is this?", sm.Image("cat.png")]).text
    model.chat(["Draw a red heart"], want="image").parts[0].save("heart.png")

Every installed modality has its short form: ``sm.Image`` is ``Part("image", ...)``, and so on. Heavy modules are
imported on first use, so that ``import sensorium`` is quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sensorium.types import Conversation, InputError, Message, Part, Reply, Signal

if TYPE_CHECKING:
    from sensorium.api import codec, grow, load, register, train
    from sensorium.generate import Assistant

__version__ = version("sensorium")
__all__ = [
    "Assistant",
    "Conversation",
    "InputError",
    "Message",
    "Part",
    "Reply",
    "Signal",
    "codec",
    "grow",
    "load",
    "register",
    "train",
]

_LAZY = {"load": "api", "grow": "api", "train": "api", "codec": "api", "register": "api", "Assistant": "generate"}


def _part_of(modality: str) -> Callable[..., Part]:
    """The short form of ``Part(modality, data)``, e.g. ``sm.Image("cat.png")``."""

    def part(data: Any, **meta: Any) -> Part:
        """A medium.

        Args:
            data: a path, bytes, a data URI, an array or a `Signal`.
            meta: what the data does not say of itself: fields of `Signal`, e.g. ``rate_hz=100``.
        """
        if not meta:
            return Part(modality, data)
        from sensorium.modalities import modality as modality_named

        return Part(modality, replace(modality_named(modality).open(data), **meta))

    part.__name__ = part.__qualname__ = modality.capitalize()
    return part


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"sensorium.{_LAZY[name]}"), name)
    if name[:1].isupper():
        from sensorium.modalities import modality_names

        if name.lower() in modality_names():
            return _part_of(name.lower())
    raise AttributeError(f"module 'sensorium' has no attribute {name!r}")
