"""Writing: how ids are chosen, and the engines that choose them."""

from sensorium.generate.assistant import Assistant
from sensorium.generate.best_of import best_of
from sensorium.generate.engine import Engine, Generation, Rules, Scored, Token
from sensorium.generate.sampling import Sampling, pick
from sensorium.generate.torch_engine import TorchEngine

__all__ = [
    "Assistant",
    "Engine",
    "Generation",
    "Rules",
    "Sampling",
    "Scored",
    "Token",
    "TorchEngine",
    "best_of",
    "pick",
]
