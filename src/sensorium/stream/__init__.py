"""Conversations to token ids and back: `Stream`, and `Grammar` for what may be sampled."""

from sensorium.stream.form import Form
from sensorium.stream.grammar import Grammar, Ranges, Want, wanted_kinds
from sensorium.stream.render import CALL, Piece, Rendered, Stream
from sensorium.stream.show import show
from sensorium.stream.spelling import Spelling
from sensorium.stream.thinking import Thinking, ThoughtReader

__all__ = [
    "CALL",
    "Form",
    "Grammar",
    "Piece",
    "Ranges",
    "Rendered",
    "Spelling",
    "Stream",
    "Thinking",
    "ThoughtReader",
    "Want",
    "show",
    "wanted_kinds",
]
