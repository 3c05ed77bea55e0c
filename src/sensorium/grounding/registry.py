"""What inspect_ai finds through the entry point ``inspect_ai``."""

from sensorium.grounding.providers import InProcess, Scripted

__all__ = ["InProcess", "Scripted"]
