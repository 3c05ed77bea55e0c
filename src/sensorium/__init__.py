"""Your LLM, plus any modality, still a plain LLM.

    import sensorium as sm

    model = sm.load("nano")
    model.chat(["What is this?", sm.Image("cat.png")]).text
    model.chat(["Draw a red heart"], want="image").parts[0].save("heart.png")

Heavy modules are imported on first use, so that ``import sensorium`` is quick.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sensorium.types import Conversation, InputError, Message, Part, Reply, Signal

if TYPE_CHECKING:
    from sensorium.api import codec, grow, load, register, train
    from sensorium.generate import Assistant
    from sensorium.generate.spoken import speak, transcribe
    from sensorium.stream import Form

__version__ = version("sensorium")
__all__ = [
    "Assistant",
    "Conversation",
    "Form",
    "Image",
    "InputError",
    "Message",
    "Part",
    "Reply",
    "Signal",
    "codec",
    "grow",
    "load",
    "register",
    "speak",
    "train",
    "transcribe",
]

_LAZY = {
    **dict.fromkeys(("load", "grow", "train", "codec", "register"), "api"),
    **dict.fromkeys(("speak", "transcribe"), "generate.spoken"),
    "Assistant": "generate",
    "Form": "stream",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"sensorium.{_LAZY[name]}"), name)
    modalities = import_module("sensorium.modalities")
    if name == name.capitalize() and name.lower() in modalities.modality_names():
        return partial(modalities.medium, name.lower())
    raise AttributeError(f"module 'sensorium' has no attribute {name!r}")
