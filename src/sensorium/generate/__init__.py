"""Writing: how ids are chosen, and the engines that choose them."""

from sensorium.generate.assistant import Assistant, Task
from sensorium.generate.best_of import best_of
from sensorium.generate.engine import Engine, Generation, Rules, Scored, Token
from sensorium.generate.engines import make_engine
from sensorium.generate.sampling import Sampling, pick
from sensorium.generate.torch_engine import TorchEngine

__all__ = [
    "Assistant",
    "Engine",
    "Generation",
    "Rules",
    "Sampling",
    "Scored",
    "Task",
    "Token",
    "TorchEngine",
    "best_of",
    "make_engine",
    "pick",
]
