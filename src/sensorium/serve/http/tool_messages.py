"""Messages with calls of tools and with what the tools returned, as the model reads them: as text."""

from __future__ import annotations

from collections.abc import Sequence

from sensorium.generate.tools import call_text
from sensorium.serve.http.schemas import ContentPart, RequestMessage
from sensorium.types import TEXT, InputError

RESULT = "<tool_response>\n", "\n</tool_response>"
"""Around what a tool returned, as Hermes and Qwen read it."""


def plain(messages: Sequence[RequestMessage]) -> list[RequestMessage]:
    """Messages without calls and results of their own kind.

    Results that follow each other become one message of the user, as many templates take turns.

    Raises:
        InputError: a result answers no call before it, or somebody else than the assistant calls.
    """
    known: set[str] = set()
    found: list[RequestMessage] = []
    results: list[RequestMessage] = []
    for number, message in enumerate(messages, start=1):
        if message.role == "tool":
            if message.tool_call_id not in known:
                raise InputError(f"message {number}: its tool_call_id is of no call in the messages before it")
            results.append(message)
            continue
        found += _joined(results)
        results = []
        known |= {call.id for call in message.tool_calls or ()}
        found.append(_with_calls(message, number) if message.tool_calls else message)
    return [*found, *_joined(results)]


def _with_calls(message: RequestMessage, number: int) -> RequestMessage:
    if message.role != "assistant":
        raise InputError(f"message {number} of the {message.role} has tool_calls; only the assistant calls tools")
    calls = "\n".join(call_text(call.function.name, call.function.arguments) for call in message.tool_calls or ())
    return message.model_copy(update={"parts": [*message.said, _text(calls)], "tool_calls": None})


def _joined(results: Sequence[RequestMessage]) -> list[RequestMessage]:
    """One message that tells what was returned; nothing if nothing was."""
    if not results:
        return []
    opening, closing = RESULT
    pieces: list[ContentPart] = []
    for number, result in enumerate(results):
        pieces += [_text("\n" * (number > 0) + opening), *result.said, _text(closing)]
    return [results[0].model_copy(update={"role": "user", "parts": _merged(pieces), "content": None})]


def _merged(pieces: Sequence[ContentPart]) -> list[ContentPart]:
    """Neighbouring texts as one part."""
    found: list[ContentPart] = []
    for piece in pieces:
        if found and piece.type == found[-1].type == TEXT:
            found[-1] = _text((found[-1].text or "") + (piece.text or ""))
        else:
            found.append(piece)
    return found


def _text(text: str) -> ContentPart:
    return ContentPart(type=TEXT, text=text)
