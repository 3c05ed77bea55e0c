"""Conversations to token ids and back: `Stream`, and `Grammar` for what may be sampled."""

from sensorium.stream.grammar import Grammar, Ranges, Want, wanted_kinds
from sensorium.stream.render import Piece, Rendered, Stream
from sensorium.stream.show import show

__all__ = ["Grammar", "Piece", "Ranges", "Rendered", "Stream", "Want", "show", "wanted_kinds"]
