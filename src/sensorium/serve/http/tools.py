"""Calls of tools in replies, whole and streamed, in OpenAI's form."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, Field

from sensorium.generate.tools import CallReader, Piece
from sensorium.serve.http.fields import String
from sensorium.serve.http.structured import FunctionName


class CalledFunction(BaseModel):
    """``arguments`` is JSON as text, as far as it was written."""

    name: FunctionName
    arguments: String


class ToolCall(BaseModel):
    id: str = Field(default_factory=lambda: f"call_{secrets.token_hex(12)}", max_length=200)
    type: Literal["function"] = "function"
    function: CalledFunction


def read_calls(text: str, finish: str) -> tuple[str, list[ToolCall], str]:
    """What an answer says beside its calls, the calls, and why it ended."""
    reader = CallReader()
    pieces = [*reader.feed(text), *reader.end()]
    said = "".join(piece.text for piece in pieces if piece.kind == "text")
    calls = [ToolCall(function=CalledFunction(name=name, arguments=args)) for name, args in reader.calls]
    return said, calls, finish_of(finish, reader)


class CallDeltas:
    """The deltas of one streamed answer.

    Args:
        calls: whether the answer may call tools; otherwise everything is content.
    """

    def __init__(self, calls: bool):
        self._reader = CallReader() if calls else None
        self._begun = 0

    def feed(self, text: str) -> list[dict[str, Any]]:
        """What more text tells."""
        if self._reader is None:
            return [{"content": text}]
        return self._told(self._reader.feed(text))

    def end(self, finish: str) -> tuple[list[dict[str, Any]], str]:
        """What was held back, and the reason to stop."""
        if self._reader is None:
            return [], finish
        return self._told(self._reader.end()), finish_of(finish, self._reader)

    def _told(self, pieces: Iterable[Piece]) -> list[dict[str, Any]]:
        deltas: list[dict[str, Any]] = []
        for piece in pieces:
            if piece.kind == "text":
                deltas.append({"content": piece.text})
                continue
            if piece.kind == "call":
                self._begun += 1
                call = ToolCall(function=CalledFunction(name=piece.text, arguments="")).model_dump()
            else:
                call = {"function": {"arguments": piece.text}}
            deltas.append({"tool_calls": [{"index": self._begun - 1, **call}]})
        return deltas


def finish_of(finish: str, reader: CallReader) -> str:
    """Why an answer ended, in OpenAI's words; calls that are whole are none that the limit has cut.

    A call that a stop string has cut is as open as one that the limit has cut, and is told as that.
    """
    if reader.open:
        return "length"
    return "tool_calls" if reader.complete or (reader.calls and finish == "stop") else finish
