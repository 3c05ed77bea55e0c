"""A model that answers: turns out of conversations, several attempts, the best of them, ranking."""

from sensorium.generate.assistant import Assistant
from sensorium.generate.attempts import Plan, different, plan
from sensorium.generate.best_of import best_of

__all__ = ["Assistant", "Plan", "best_of", "different", "plan"]
