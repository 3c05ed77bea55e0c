"""What writes: engines on PyTorch, ONNX Runtime, llama.cpp and vLLM. Ids in, ids out."""

from sensorium.engines.choose import ENGINES, make_engine
from sensorium.engines.engine import Batch, Engine, Known, generate, stream
from sensorium.engines.sampling import Sampling, pick
from sensorium.engines.torch_engine import TorchEngine
from sensorium.engines.turn import Attempts, Failed, Finish, Generation, Ids, Rules, Scored, Token, Turn, Unreachable

__all__ = [
    "ENGINES",
    "Attempts",
    "Batch",
    "Engine",
    "Failed",
    "Finish",
    "Generation",
    "Ids",
    "Known",
    "Rules",
    "Sampling",
    "Scored",
    "Token",
    "TorchEngine",
    "Turn",
    "Unreachable",
    "generate",
    "make_engine",
    "pick",
    "stream",
]
