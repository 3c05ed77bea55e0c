"""``POST /v1/chat/completions``: a conversation in, text and media out, whole or as they are written."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request

from sensorium.engines import Token
from sensorium.serve.http.errors import ApiError
from sensorium.serve.http.parameters import thinks_first
from sensorium.serve.http.pieces import Telling, encoder_of, pieces_of
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import ChatChoice, ChatLogprobs, ChatReply, Likely, ReplyMessage, TokenLogprob
from sensorium.serve.http.schemas import ChatRequest, ContentPart
from sensorium.serve.http.server import EventStream, Server, Shared, client_of, new_id, started_at
from sensorium.serve.http.structured import compiled
from sensorium.serve.http.tokens import readable
from sensorium.serve.http.tool_messages import plain
from sensorium.serve.http.tools import CallDeltas, read_calls
from sensorium.serve.media.messages import check_format, media_fields, part_to_json
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Step, Writing, Written
from sensorium.serve.writing.transcript import UNFINISHED, Event, Medium, Text, Thought
from sensorium.serve.writing.unfolded import Unfolded
from sensorium.types import TEXT, InputError, Part

router = APIRouter(route_class=JsonRoute)
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The reply, or its pieces as server-sent events.", "content": {"text/event-stream": {}}}
}


@router.post("/v1/chat/completions", response_model=ChatReply, responses=STREAMED)
async def chat(body: ChatRequest, request: Request, server: Shared) -> Any:
    """Answer a conversation with text and media."""
    served = server.registry.get(body.model)
    writing = await server.finish(request, _start(body, request, server, served))
    if body.stream:
        answers = [_Streamed(body, request, server, served) for _ in range(body.answers)]
        return EventStream(writing, _chunks(body, server, served, writing, answers))
    return await server.finish(request, _whole(body, server, served, writing))


async def _start(body: ChatRequest, request: Request, server: Server, served: Served) -> Writing:
    sampling = body.sampling()
    server.check(body.answers, sampling.get("max_tokens"))
    think = thinks_first("reasoning_effort", body.reasoning_effort, served)
    form = await compiled(body, served, server.compilers)
    served.model.grammar(body.modalities, form=form)  # refuses what cannot be written before media are read
    _check_formats(body, served)
    tools = body.offered()
    conversation = await server.reader.conversation(plain(body.messages), served, client_of(request), tools=tools)
    options: dict[str, Any] = {"most": server.settings.max_tokens, "form": form, "tools": tools, "think": think}
    options |= sampling
    turn = await served.at_desk(lambda: served.model.turn(conversation, body.modalities, **options))
    return server.attempt(request, served, turn, body, stops=body.stops)


def _check_formats(body: ChatRequest, served: Served) -> None:
    """Refuse fields that are named as modalities where the model, or the modality, does not write what they ask for."""
    for name, format_ in body.formats.items():
        try:
            served.model.vocabulary.writer(name)
            if (offered := pieces_of(name)) is not None:
                offered.check(body.said_of(name), bool(body.stream))
            check_format(name, format_)
        except InputError as error:
            raise ApiError(400, str(error), param=name, code="unsupported_value") from error


async def _whole(body: ChatRequest, server: Server, served: Served, writing: Writing) -> ChatReply:
    written, usage = await server.written(served, writing, body.wanted)

    def told() -> list[ChatChoice]:
        return [_choice(index, one, served, body) for index, one in enumerate(written)]

    light = not body.logprobs and all(one.is_text for one in written)  # sooner than the desk comes to it
    choices = told() if light else await served.at_desk(told)
    return ChatReply(id=new_id("chatcmpl"), created=int(time.time()), model=served.name, choices=choices, usage=usage)


def _choice(index: int, written: Written, served: Served, body: ChatRequest) -> ChatChoice:
    said: Any = read_calls(written.text, written.finish) if body.calls else (written.text, [], written.finish)
    text, calls, finish = said
    parts = [part_to_json(part) for part in written.parts]
    named: Any = media_fields(written.parts, parts, body.formats)
    parts = [part for part in parts if not calls or part.type != TEXT]
    parts = [ContentPart(type=TEXT, text=text), *parts] if calls and text else parts
    content = text if text or (not calls and written.is_text) else None
    said = written.tokens[written.transcript.thought_ids :] if body.logprobs else []
    logs = ChatLogprobs(content=[logprob_of(token, served) for token in said]) if body.logprobs else None
    thought = written.transcript.thought
    message = ReplyMessage(content=content, reasoning_content=thought, tool_calls=calls or None, parts=parts, **named)
    return ChatChoice(index=index, message=message, logprobs=logs, finish_reason=finish)


def logprob_of(token: Token, served: Served) -> TokenLogprob:
    """A written token with its log-probability, and the likeliest of those that were allowed in its place."""
    top = [Likely(**_likely(id_, logprob, served)) for id_, logprob in token.top]
    return TokenLogprob(**_likely(token.id, token.logprob or 0.0, served), top_logprobs=top)


def _likely(id_: int, logprob: float, served: Served) -> dict[str, Any]:
    text = readable(served, [id_])[0]
    return {"token": text, "logprob": logprob, "bytes": None if UNFINISHED in text else list(text.encode())}


async def _chunks(
    body: ChatRequest, server: Server, served: Served, writing: Writing, answers: list[_Streamed]
) -> AsyncIterator[dict[str, Any]]:
    """The objects of a streamed reply. Beside OpenAI's text deltas: ``progress`` of a medium, and ``parts``."""
    head = {
        "id": new_id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": served.name,
    }
    nothing_yet = {"usage": None} if body.wants_usage else {}
    for index in range(body.answers):
        yield head | {"choices": [_delta(index, {"role": "assistant", "content": ""})]} | nothing_yet
    async for step in writing.steps():
        for choice in await answers[step.answer].choices(step):
            yield head | {"choices": [choice]} | nothing_yet
    usage = writing.usage()
    server.metrics.count(served.name, usage)
    if body.wants_usage:
        yield head | {"choices": [], "usage": usage.model_dump()}


class _Streamed:
    """One answer, told while it is written."""

    def __init__(self, body: ChatRequest, request: Request, server: Server, served: Served):
        self._body, self._served, self._texts = body, served, CallDeltas(body.calls)
        self._tellings: dict[str, Telling] = {}
        for name, format_ in body.formats.items():
            if encoder := encoder_of(name, format_):
                unfolded = Unfolded(served, server.metrics, name, started_at(request))
                self._tellings[name] = Telling(name, unfolded, encoder)

    async def choices(self, step: Step) -> list[dict[str, Any]]:
        """What one more id tells, and the end."""
        deltas = [delta for event in step.events for delta in await self._told(event)]
        for telling in self._tellings.values():
            deltas += await telling.feed(step)
        rest, finish = self._texts.end(step.finish) if step.finish else ([], None)
        deltas += rest
        likely = self._body.logprobs and not step.thought
        if likely and not deltas:
            deltas.append({})
        choices = [_delta(step.answer, delta) for delta in deltas]
        if likely:
            choices[0]["logprobs"] = {"content": [logprob_of(step.token, self._served).model_dump()], "refusal": None}
        if finish:
            choices.append(_delta(step.answer, {}, finish))
        return choices

    async def _told(self, event: Event) -> list[dict[str, Any]]:
        if isinstance(event, Text):
            deltas = self._texts.feed(event.text)
            said = "".join(delta.get("content") or "" for delta in deltas)
            return deltas + [telling.text(said) for telling in self._tellings.values() if said]
        if isinstance(event, Thought):
            return [{"reasoning_content": event.text}]
        if isinstance(event, Medium):
            return [await self._served.at_desk(self._medium_told, event.part)]
        return [{"progress": {"modality": event.modality, "done": event.done, "total": event.total}}]

    def _medium_told(self, written: Part) -> dict[str, Any]:
        decoded = self._served.model.senses.decode([written])
        parts = [part_to_json(part) for part in decoded]
        fields = media_fields(decoded, parts, self._body.formats)
        told = {name: field for name, field in fields.items() if name not in self._tellings}
        return {"parts": [part.model_dump() for part in parts], **told}


def _delta(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
