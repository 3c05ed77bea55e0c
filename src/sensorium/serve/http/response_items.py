"""The items of OpenAI's Responses API: those of a request as messages, those of a reply as they are written.

A medium of a modality M is an item ``M_generation_call`` with its file as ``result`` in base64, as OpenAI has it for
pictures; ``codec`` and ``codes`` stand beside it, so that it can be sent back exactly.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sensorium.engines import Token
from sensorium.generate.tools import Piece
from sensorium.modalities import modality
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import Name, String
from sensorium.serve.http.schemas import Content, ContentPart, Ids, RequestMessage, RequestRole
from sensorium.serve.http.server import new_id
from sensorium.serve.http.structured import FunctionName
from sensorium.serve.http.tools import ToolCall
from sensorium.serve.media.spellings import medium
from sensorium.serve.writing.answers import Step
from sensorium.serve.writing.transcript import Text
from sensorium.types import InputError, Part

CALL = re.compile(r"(\w{1,100})_generation_call")
MESSAGE, CALLED, RETURNED, THOUGHT = "message", "function_call", "function_call_output", "reasoning"
NEEDED = {MESSAGE: ("role",), CALLED: ("call_id", "name", "arguments"), RETURNED: ("call_id", "output")}
Event = dict[str, Any]


class InputItem(BaseModel):
    """What was said before: a message, or an item of an earlier reply as it came.

    What a model only thought (``reasoning``) is skipped. A medium that is named by its id alone is an empty turn, as in
    a chat.
    """

    model_config = ConfigDict(extra="allow")
    type: Name = MESSAGE
    role: RequestRole | None = None
    content: Content | None = None
    result: str | None = None
    codec: Name | None = None
    codes: Ids | None = None
    call_id: Annotated[String, Field(max_length=200)] | None = None
    name: FunctionName | None = None
    arguments: String | None = None
    output: Content | None = None


def messages(items: Iterable[InputItem]) -> list[RequestMessage]:
    """The messages that items are; what the assistant said in several items in a row is one message.

    Raises:
        ApiError: 400, an item of a kind that is not read here, or that returns what was not called.
    """
    found: list[RequestMessage] = []
    called: set[str | None] = set()
    for number, item in enumerate(items):
        message = _message(item, number)
        if message is None:
            continue
        called |= {call.id for call in message.tool_calls or ()}
        if message.role == "tool" and message.tool_call_id not in called:
            raise wrong(
                f"input[{number}].call_id", f"input[{number}]: its call_id is of no call in the items before it"
            )
        if found and message.role == found[-1].role == "assistant":
            found[-1].parts = [*found[-1].said, *message.said]
            found[-1].tool_calls = [*(found[-1].tool_calls or ()), *(message.tool_calls or ())] or None
        else:
            found.append(message)
    return found


def _message(item: InputItem, number: int) -> RequestMessage | None:
    where = f"input[{number}]"
    for name in NEEDED.get(item.type, ()):
        if getattr(item, name) is None:
            raise wrong(f"{where}.{name}", f"{where} is a {item.type} without {name}", "missing_required_parameter")
    if item.type == CALLED:
        function: Any = {"name": item.name, "arguments": item.arguments}
        return RequestMessage(role="assistant", tool_calls=[ToolCall(id=item.call_id or "", function=function)])
    if item.type == RETURNED:
        return RequestMessage(role="tool", tool_call_id=item.call_id, content=item.output)
    if item.type == MESSAGE:
        assert item.role is not None
        return RequestMessage(role=item.role, content=item.content)
    if match := CALL.fullmatch(item.type):
        named_only = item.result is None and item.codes is None  # by a client that counts on its being stored
        return RequestMessage(role="assistant", parts=[] if named_only else [_written(match[1], item)])
    if item.type == THOUGHT:
        return None
    stored = "nothing is stored here: say store: false, so that the items themselves are sent"
    instead = stored if item.type == "item_reference" else "leave it out"
    message = f"{where}: items of the type {item.type[:100]!r} are not read here; {instead}"
    raise wrong(f"{where}.type", message, "unsupported_value")


def _written(name: str, item: InputItem) -> ContentPart:
    """A medium of an earlier reply."""
    part = ContentPart(type=f"{name}_url", codec=item.codec, codes=item.codes)
    if item.result is None:
        return part
    try:
        kind = modality(name)
    except (InputError, ValueError):
        return part  # whoever reads it says what is wrong
    return medium(name, f"data:{kind.media_types[0]};base64,{item.result}", part)


class Items:
    """The items of a reply, and the events that tell of them, as an answer is written.

    Args:
        event: makes an event of its kind and fields, with its place in the stream.
        logprobs: a token's log-probability as replies have it; None to leave them out.

    Attributes:
        output: what is there so far.
    """

    def __init__(self, event: Callable[..., Event], logprobs: Callable[[Token], Any] | None):
        self._event, self._logprobs = event, logprobs
        self.output: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._likely: list[Any] = []

    def said(self, piece: Piece) -> Iterator[Event]:
        """A piece of what was written: text, or of a call."""
        if piece.kind == "text":
            yield from self.text(piece.text)
            return
        self._likely = []  # of a call there is no place for them
        if piece.kind == "call":
            yield from self.close()
            called = {"call_id": new_id("call").replace("-", "_"), "name": piece.text, "arguments": ""}
            yield from self._add({"type": CALLED, **called}, "fc")
        else:
            assert self._open is not None
            self._open["arguments"] += piece.text
            yield self._of_item("function_call_arguments.delta", delta=piece.text)

    def text(self, text: str) -> Iterator[Event]:
        """More text; it opens a message where none is open."""
        if self._open is None or self._open["type"] != MESSAGE:
            yield from self.close()
            content: list[Any] = []
            yield from self._add({"type": MESSAGE, "role": "assistant", "content": content}, "msg")
            piece = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            yield self._of_item("content_part.added", content_index=0, part=piece)
            content.append(dict(piece, logprobs=[]))
        assert self._open is not None
        (piece,) = self._open["content"]
        piece["text"] += text
        likely, self._likely = self._likely, []
        piece["logprobs"] += likely
        yield self._of_item("output_text.delta", content_index=0, delta=text, logprobs=likely)

    def thought(self, text: str) -> Iterator[Event]:
        """More of what is thought before the answer; it opens an item of its own."""
        if self._open is None or self._open["type"] != THOUGHT:
            yield from self.close()
            content: list[Any] = []
            yield from self._add({"type": THOUGHT, "summary": [], "content": content}, "rs")
            piece = {"type": "reasoning_text", "text": ""}
            yield self._of_item("content_part.added", content_index=0, part=piece)
            content.append(dict(piece))
        assert self._open is not None
        self._open["content"][0]["text"] += text
        yield self._of_item("reasoning_text.delta", content_index=0, delta=text)

    def progress(self, name: str) -> Iterator[Event]:
        """A medium is being written; told once."""
        kind = f"{name}_generation_call"
        if self._open is None or self._open["type"] != kind:
            yield from self.close()
            yield from self._add({"type": kind, "result": None}, "gen")
            yield self._of_item(f"{kind}.in_progress")
            yield self._of_item(f"{kind}.generating")

    def medium(self, part: Part) -> Iterator[Event]:
        """A medium is finished; its data are a signal."""
        yield from self.progress(part.modality)
        assert self._open is not None
        item, kind = self._open, modality(part.modality)
        item["result"] = base64.b64encode(kind.to_bytes(part.data)).decode("ascii")
        item["output_format"] = kind.media_types[0].rpartition("/")[2]
        item |= {"codec": part.codec, "codes": None if part.codes is None else part.codes.tolist()}
        yield self._of_item(f"{item['type']}.completed")
        yield from self.close()

    def note(self, step: Step) -> None:
        """Take note of a token's log-probability, before the text that it spells."""
        if self._logprobs is not None and not step.thought and all(isinstance(event, Text) for event in step.events):
            self._likely.append(self._logprobs(step.token))

    def close(self, status: str = "completed") -> Iterator[Event]:
        """End the item that is open, if one is."""
        if self._open is None:
            return
        if self._open["type"] == MESSAGE:
            (piece,) = self._open["content"]
            told = {"text": piece["text"], "logprobs": piece["logprobs"]}
            yield self._of_item("output_text.done", content_index=0, **told)
            yield self._of_item("content_part.done", content_index=0, part=piece)
        elif self._open["type"] == THOUGHT:
            (piece,) = self._open["content"]
            yield self._of_item("reasoning_text.done", content_index=0, text=piece["text"])
            yield self._of_item("content_part.done", content_index=0, part=piece)
        elif self._open["type"] == CALLED:
            told = {name: self._open[name] for name in ("name", "arguments")}
            yield self._of_item("function_call_arguments.done", **told)
        self._open["status"] = status
        index, item, self._open = len(self.output) - 1, self._open, None
        yield self._event("output_item.done", output_index=index, item=item)

    def _add(self, item: dict[str, Any], kind: str) -> Iterator[Event]:
        self._open = {"id": new_id(kind).replace("-", "_"), "status": "in_progress", **item}
        self.output.append(self._open)
        told = self._open | ({"content": []} if "content" in item else {})
        yield self._event("output_item.added", output_index=len(self.output) - 1, item=told)

    def _of_item(self, kind: str, **fields: Any) -> Event:
        assert self._open is not None
        return self._event(kind, item_id=self._open["id"], output_index=len(self.output) - 1, **fields)
