"""Tools: how a model is told of them, the form of their calls, and calls read out of what it wrote.

A call is written as Hermes, Qwen and SmolLM3 do:

    <tool_call>
    {"name": "weather", "arguments": {"city": "Rome"}}
    </tool_call>
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sensorium.stream import CALL, Form
from sensorium.stream.form import json_rule
from sensorium.stream.thinking import begun
from sensorium.types import TEXT, Conversation, InputError, Message, Part

CLOSE = "}\n</tool_call>"
"""No JSON on one line holds a line break, so this is the end of a call wherever it stands."""
HEAD = re.compile(r'\n\{"name": "([\w.-]{1,64})", "arguments": ')
NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
MOST_CALLS = 16
NO_PARAMETERS = {"type": "object", "properties": {}}
INSTRUCTIONS = (
    "You may call functions. Each of these lines describes one:\n{tools}\n"
    f'To call one, write\n{CALL}\n{{{{"name": NAME, "arguments": ARGUMENTS}}}}\n</tool_call>\n'
    "with the name of a function and its arguments as a JSON object; you will be told what it returns."
)


@dataclass(frozen=True)
class Tool:
    """A function that the model may ask for.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``, at most 64.
        description: for the model.
        parameters: JSON schema of an object.
        strict: refuse schemas of which something cannot be enforced; else that is left out.

    Raises:
        InputError: a name is of other characters.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: NO_PARAMETERS)
    strict: bool = False

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.name) is None:
            raise InputError(f"a tool is called {self.name[:80]!r}; use 1 to 64 letters, digits, '_', '-' or '.'")

    def to_json(self) -> dict[str, Any]:
        """As OpenAI describes it."""
        said = {} if self.description is None else {"description": self.description}
        return {"type": "function", "function": {"name": self.name, **said, "parameters": dict(self.parameters)}}


def calls_form(tools: Sequence[Tool], *, text: str | None = "/(.|\\n)*/", several: bool = True) -> Form:
    """The form of an answer that calls tools.

    Args:
        tools: that may be called.
        text: the right side of a rule for what may be written instead of a call, and, if it is a regular expression,
            before the first; None where a call must come.
        several: more than one may be called.

    Raises:
        InputError: no tools, two of one name, or a schema that is refused.
    """
    names = [tool.name for tool in tools]
    if not names or len(set(names)) < len(names):
        raise InputError(f"tools need names of their own, not {', '.join(names) or 'none at all'}")
    rules = [f"call: {_quoted(CALL)} body", f'body: "\\n{{\\"name\\": " which {_quoted(CLOSE)}']
    more = f' ("\\n" call){{0,{MOST_CALLS - 1}}}' if several else ""
    if text is None:
        rules.append(f"start: call{more}")
    elif text.startswith("/"):
        rules += [f"start: TEXT | begun body{more}", f"begun[lazy]: TEXT {_quoted(CALL)}", f"TEXT: {text}"]
    else:
        rules += [f"start: text | call{more}", f"text: {text}"]
    rules.append("which: " + " | ".join(f"which_{number}" for number in range(len(tools))))
    for number, tool in enumerate(tools):
        head = _quoted(f'"{tool.name}", "arguments": ')
        schema = {"type": "object", **tool.parameters}
        rules += [f"which_{number}: {head} with_{number}", f"with_{number}: {json_rule(schema, not tool.strict)}"]
    return Form("%llguidance {}\n" + "\n".join(rules), media=text is not None and text.startswith("/"))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def told_of(tools: Sequence[Tool], conversation: Conversation) -> Conversation:
    """The conversation with the tools told in its system message."""
    if not tools:
        return conversation
    lines = "\n".join(json.dumps(tool.to_json()["function"], ensure_ascii=False) for tool in tools)
    told = INSTRUCTIONS.format(tools=lines)
    first, *others = conversation.messages
    if first.role != "system":
        return Conversation((Message("system", (Part(TEXT, told),)), first, *others))
    return Conversation((_with_more(first, f"\n\n{told}"), *others))


def _with_more(message: Message, more: str) -> Message:
    """The message with more text behind it."""
    return Message(message.role, (*message.parts, Part(TEXT, more)))


def call_text(name: str, arguments: str) -> str:
    """A call as the model writes it, from its arguments as JSON."""
    return f'{CALL}\n{{"name": {json.dumps(name)}, "arguments": {arguments}{CLOSE}'


@dataclass(frozen=True)
class Piece:
    """Something that was read.

    Args:
        kind: ``"text"`` beside calls, ``"call"`` that begins (by name), ``"arguments"`` of the last one that began.
        text: of it.
    """

    kind: Literal["text", "call", "arguments"]
    text: str


class CallReader:
    """Reads calls out of text that comes piece by piece.

    Attributes:
        calls: name and arguments (JSON, as far as it is written) of each call.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._state: Literal["text", "head", "arguments"] = "text"
        self._held = ""

    @property
    def complete(self) -> bool:
        """Whether there are calls, and the last is whole."""
        return bool(self.calls) and self._state == "text"

    @property
    def open(self) -> bool:
        """Whether the arguments of the last call are not whole."""
        return self._state == "arguments"

    def feed(self, text: str) -> list[Piece]:
        """What is sure after some more text."""
        self._held += text
        pieces: list[Piece] = []
        while True:
            before = self._state
            more = {"text": self._text, "head": self._head, "arguments": self._arguments}[before]()
            pieces += [self._noted(piece) for piece in more if piece.text]
            if self._state == before:
                return pieces

    def end(self) -> list[Piece]:
        """What was held back, now that no more follows."""
        held, self._held = self._held, ""
        if self._state == "arguments" and held.startswith(CLOSE[:2]):  # cut within the end of a call that is whole
            self._state, held = "text", ""
        if self._state == "head" or not held or (self.calls and self._state == "text" and not held.strip()):
            return []
        return [self._noted(Piece(self._state, held))]

    def _noted(self, piece: Piece) -> Piece:
        if piece.kind == "call":
            self.calls.append((piece.text, ""))
        elif piece.kind == "arguments":
            name, arguments = self.calls[-1]
            self.calls[-1] = name, arguments + piece.text
        return piece

    def _text(self) -> list[Piece]:
        text = self._up_to(CALL, "head")
        return [] if self.calls and not text.strip() else [Piece("text", text)]

    def _head(self) -> list[Piece]:
        found = HEAD.match(self._held)
        if found is None:
            return []
        self._held, self._state = self._held[found.end() :], "arguments"
        return [Piece("call", found[1])]

    def _arguments(self) -> list[Piece]:
        return [Piece("arguments", self._up_to(CLOSE, "text"))]

    def _up_to(self, mark: str, then: Literal["text", "head"]) -> str:
        """The held text before a mark; without the mark, what cannot be a part of it."""
        before, found, after = self._held.partition(mark)
        if found:
            self._held, self._state = after, then
            return before
        keep = begun(before, mark)
        self._held = before[len(before) - keep :]
        return before[: len(before) - keep]
