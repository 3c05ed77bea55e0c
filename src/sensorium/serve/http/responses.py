"""``POST /v1/responses``: OpenAI's newer form of a conversation, without what a server would have to store for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, ClassVar, Literal, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensorium.generate.tools import CallReader, Piece
from sensorium.serve.http.chat import logprob_of
from sensorium.serve.http.errors import as_api_error, wrong
from sensorium.serve.http.fields import Name, String, items
from sensorium.serve.http.parameters import RESPONSES, Effort, Parameters, thinks_first
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import ModalityTokens, Usage
from sensorium.serve.http.response_items import Event, InputItem, Items, messages
from sensorium.serve.http.response_tools import ResponseFormed
from sensorium.serve.http.schemas import Asked, MaxTokens, RequestMessage, StreamOptions
from sensorium.serve.http.server import EventStream, Server, Shared, client_of, new_id
from sensorium.serve.http.structured import compiled
from sensorium.serve.http.tool_messages import plain
from sensorium.serve.http.tools import finish_of
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Step, Writing
from sensorium.serve.writing.transcript import Event as Happening
from sensorium.serve.writing.transcript import Medium, Text, Thought

router = APIRouter(route_class=JsonRoute)
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The response, or events that tell how it is written.", "content": {"text/event-stream": {}}}
}
LOGPROBS = "message.output_text.logprobs"


class Reasoning(BaseModel):
    """``summary`` and ``generate_summary`` change nothing: a thought is told as it is."""

    model_config = ConfigDict(extra="forbid")
    effort: Effort | None = None
    summary: Name | None = None
    generate_summary: Name | None = None


class ResponseRequest(Asked, ResponseFormed):
    """What is said, in ``input``: a string, or messages and items of earlier replies; nothing of it is stored."""

    parameters: ClassVar[Parameters] = RESPONSES
    model: Name
    input: String | Annotated[list[InputItem], items(1000, least=1)]
    instructions: String | None = Field(None, description="A system message before the input.")
    max_output_tokens: MaxTokens = None
    modalities: Annotated[list[Name], items(50, least=1)] | None = Field(
        None, description='Kinds of answer, e.g. ["text"]; default: any that the model writes.'
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    include: Annotated[list[Name], items(50)] | None = Field(
        None, description=f"With {LOGPROBS!r}, text has its log-probabilities; what else may be named is never there."
    )
    top_logprobs: int | None = Field(None, ge=0, le=20)
    reasoning: Reasoning | None = Field(
        None, description='With an effort, any but "none": think before the answer, where it is about media.'
    )
    metadata: Annotated[dict[str, String], Field(max_length=16)] | None = Field(
        None, description="Comes back as it is."
    )
    wanted: ClassVar[int] = 1
    best_of: ClassVar[None] = None

    @property
    def logprobs(self) -> bool:
        return LOGPROBS in (self.include or ()) or bool(self.top_logprobs)

    @property
    def effort(self) -> Effort | None:
        return None if self.reasoning is None else self.reasoning.effort

    def sampling(self) -> dict[str, Any]:
        given = super().sampling()
        if self.max_output_tokens is not None:
            given["max_tokens"] = self.max_output_tokens
        return given | ({"logprobs": self.top_logprobs or 0} if self.logprobs else {})

    @property
    def turns(self) -> list[RequestMessage]:
        """The messages of the request, and the instructions before them."""
        first = [] if self.instructions is None else [RequestMessage(role="system", content=self.instructions)]
        if isinstance(self.input, str):
            return [*first, RequestMessage(role="user", content=self.input)]
        return [*first, *messages(self.input)]

    @property
    def kinds(self) -> list[str] | None:
        """The kinds of answer."""
        return self.wanted_kinds(self.modalities)

    @model_validator(mode="after")
    def _check_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise wrong("stream_options", "stream_options go with stream only: say stream: true as well")
        return self


class InputDetails(BaseModel):
    cached_tokens: Literal[0] = 0


class OutputDetails(BaseModel):
    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """OpenAI's counts, the counts by modality, and an estimate of the energy that the writing took."""

    input_tokens: int
    input_tokens_details: InputDetails = InputDetails()
    output_tokens: int
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int
    modality_tokens: ModalityTokens
    energy_wh: float | None


class OutputItem(BaseModel):
    """A message, what was thought before it (``reasoning``), a ``function_call``, or a medium: an
    ``M_generation_call`` with its file in base64 as ``result``.
    """

    model_config = ConfigDict(extra="allow")
    id: str
    type: str
    status: str


class Incomplete(BaseModel):
    reason: Literal["max_output_tokens"]


class ResponseReply(BaseModel):
    """A response; the fields that are always the same tell what is not offered."""

    model_config = ConfigDict(extra="allow")
    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete"]
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    incomplete_details: Incomplete | None = None
    error: None = None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    temperature: float | None
    top_p: float | None
    parallel_tool_calls: bool
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    text: dict[str, Any]
    reasoning: dict[str, Any]
    truncation: Literal["disabled"] = "disabled"
    background: Literal[False] = False
    store: Literal[False] = False
    previous_response_id: None = None


@router.post("/v1/responses", response_model=ResponseReply, responses=STREAMED)
async def respond(body: ResponseRequest, request: Request, server: Shared) -> Any:
    """Answer a conversation with text and media, as items."""
    served = server.registry.get(body.model)
    writing = await server.finish(request, _start(body, request, server, served))
    telling = _Telling(body, server, served, writing)
    if body.stream:
        return EventStream(writing, telling.told())
    return await server.finish(request, telling.last())


async def _start(body: ResponseRequest, request: Request, server: Server, served: Served) -> Writing:
    server.check(1, body.max_output_tokens)
    think = thinks_first("reasoning", body.effort, served)
    body.check_media_tools(served)
    form = await compiled(body, served, server.compilers)
    served.model.grammar(body.kinds, form=form)  # refuses what cannot be written before media are read
    tools = body.offered()
    conversation = await server.reader.conversation(plain(body.turns), served, client_of(request), tools=tools)
    options: dict[str, Any] = {"most": server.settings.max_tokens, "form": form, "tools": tools, "think": think}
    options |= body.sampling()
    turn = await served.at_desk(lambda: served.model.turn(conversation, body.kinds, **options))
    return server.attempt(request, served, turn, body)


class _Telling:
    """An answer as the events of a stream; the last of them holds the whole response."""

    def __init__(self, body: ResponseRequest, server: Server, served: Served, writing: Writing):
        self._body, self._server, self._served, self._writing = body, server, served, writing
        self._id, self._created, self._number = new_id("resp").replace("-", "_"), int(time.time()), -1
        likely = (lambda token: logprob_of(token, served).model_dump()) if body.logprobs else None
        self._items = Items(self._event, likely)
        self._reader = CallReader() if body.calls else None

    async def last(self) -> dict[str, Any]:
        """The response, once it is written; given up, the writing ends."""
        try:
            events = [event async for event in self._events()]
        finally:
            self._writing.cancel()
        response = events[-1]["response"]
        if not response["usage"]["output_tokens_details"]["reasoning_tokens"]:  # what seemed to be a thought was none
            response["output"] = [item for item in response["output"] if item["type"] != "reasoning"]
        return response

    async def told(self) -> AsyncIterator[Event]:
        """The events of a stream; what goes wrong in it is the last of them."""
        try:
            async for event in self._events():
                yield event
        except Exception as error:  # the status has been sent
            told = as_api_error(error)
            said = told.body["error"]
            yield self._event("error", **said, error=said | {"status": told.status}) | {"type": "error"}

    async def _events(self) -> AsyncIterator[Event]:
        yield self._event("created", response=self._response("in_progress"))
        yield self._event("in_progress", response=self._response("in_progress"))
        finish = None
        async for step in self._writing.steps():
            finish = step.finish or finish
            for event in await self._of(step):
                yield event
        for piece in self._pieces(None):
            for event in self._items.said(piece):
                yield event
        cut = (finish_of(finish or "stop", self._reader) if self._reader else finish) == "length"
        for event in self._items.close("incomplete" if cut else "completed"):
            yield event
        usage = self._writing.usage()
        self._server.metrics.count(self._served.name, usage)
        status = "incomplete" if cut else "completed"
        yield self._event(status, response=self._response(status, usage))

    async def _of(self, step: Step) -> list[Event]:
        told: list[Event] = []
        self._items.note(step)
        for event in step.events:
            for piece in [] if isinstance(event, Thought) else self._pieces(event):
                told += self._items.said(piece)
            if isinstance(event, Text):
                continue
            if isinstance(event, Thought):
                told += self._items.thought(event.text)
                continue
            if isinstance(event, Medium):
                told += await self._served.at_desk(self._medium, event)
            else:
                told += self._items.progress(event.modality)
        return told

    def _pieces(self, event: Happening | None) -> list[Piece]:
        """Text and calls that an event tells of, or that were held back until now; None: nothing more comes."""
        if self._reader is None:
            return [Piece("text", event.text)] if isinstance(event, Text) else []
        return self._reader.feed(event.text) if isinstance(event, Text) else self._reader.end()

    def _medium(self, event: Medium) -> list[Event]:
        (decoded,) = self._served.model.senses.decode([event.part])
        return list(self._items.medium(decoded))

    def _event(self, kind: str, **fields: Any) -> Event:
        self._number += 1
        return {"type": f"response.{kind}", "sequence_number": self._number, **fields}

    def _response(self, status: Any, usage: Usage | None = None) -> dict[str, Any]:
        body = self._body
        return ResponseReply(
            id=self._id,
            created_at=self._created,
            status=status,
            model=self._served.name,
            output=[OutputItem(**item) for item in self._items.output],
            usage=None if usage is None else _usage(usage),
            incomplete_details=Incomplete(reason="max_output_tokens") if status == "incomplete" else None,
            instructions=body.instructions,
            max_output_tokens=body.max_output_tokens,
            metadata=body.metadata or {},
            temperature=body.temperature,
            top_p=body.top_p,
            parallel_tool_calls=body.parallel_tool_calls is not False,
            reasoning={"effort": body.effort, "summary": None},
            **_told_back(body),
        ).model_dump()


def _told_back(body: ResponseRequest) -> dict[str, Any]:
    """What the request says of the form, as OpenAI's clients want to see it again."""
    asked = body.model_dump(include={"tools", "tool_choice", "text"}, by_alias=True, exclude_none=True)
    text = {"format": {"type": "text"}, **asked.get("text", {})}
    return {"tools": asked.get("tools", []), "tool_choice": asked.get("tool_choice", "auto"), "text": text}


def _usage(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputDetails(reasoning_tokens=usage.completion_tokens_details.reasoning_tokens),
        total_tokens=usage.total_tokens,
        modality_tokens=usage.modality_tokens,
        energy_wh=usage.energy_wh,
    )
