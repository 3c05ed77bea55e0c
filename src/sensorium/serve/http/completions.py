"""``POST /v1/completions``: raw text or ids continued, without a chat template."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from sensorium.engines import Token, Turn
from sensorium.generate import Assistant
from sensorium.serve.http.chat import STREAMED
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.schemas import CompletionChoice, CompletionLogprobs, CompletionReply, CompletionRequest
from sensorium.serve.http.server import EventStream, Server, Shared, new_id
from sensorium.serve.http.tokens import check_ids, readable
from sensorium.serve.media.messages import check_characters
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Writing
from sensorium.serve.writing.transcript import Text
from sensorium.types import TEXT, InputError

router = APIRouter(route_class=JsonRoute)


@router.post("/v1/completions", response_model=CompletionReply, responses=STREAMED)
async def complete(body: CompletionRequest, request: Request, server: Shared) -> Any:
    """Continue raw text. Media may stand in the prompt as their tokens; what is written is text."""
    served = server.registry.get(body.model)
    prompts = _prompts(body)
    server.check(body.answers * len(prompts), body.max_tokens)
    check_characters((prompt for prompt in prompts if isinstance(prompt, str)), server.settings)
    reading = served.at_desk(lambda: [_turn(prompt, served.model, body) for prompt in prompts])
    turns = await server.finish(request, reading)
    echoes = [_echo(prompt, served) if body.echo else "" for prompt in prompts]
    turns = [turn.again(body.attempt * body.answers * len(turns)) for turn in turns]
    writing = server.write(request, served, turns, answers=body.answers, stops=body.stops)
    if body.stream:
        return EventStream(writing, _chunks(body, server, served, writing, echoes))
    return await server.finish(request, _whole(body, server, served, writing, echoes))


def _prompts(body: CompletionRequest) -> list[str | list[int]]:
    """One or several prompts, of text or of ids."""
    prompt: Any = body.prompt
    single = isinstance(prompt, str) or isinstance(prompt[0], int)
    return [prompt] if single else prompt


def _turn(prompt: str | list[int], model: Assistant, body: CompletionRequest) -> Turn:
    ids = model.tokenizer(prompt, add_special_tokens=True)["input_ids"] if isinstance(prompt, str) else prompt
    if not ids:
        raise InputError("the prompt is empty; give at least one token")
    check_ids(ids, model)
    sampling, _ = model.options(TEXT, body.sampling())
    sampling = replace(sampling, guidance=1.0, max_tokens=model.budget(ids, sampling.max_tokens))
    about_media = any(id_ >= model.vocabulary.text_size for id_ in ids)
    return Turn(list(ids), model.grammar(TEXT, sampling.max_tokens), sampling, [ids[0]], about_media)


def _echo(prompt: str | list[int], served: Served) -> str:
    return prompt if isinstance(prompt, str) else "".join(readable(served, prompt))


async def _whole(
    body: CompletionRequest, server: Server, served: Served, writing: Writing, echoes: list[str]
) -> CompletionReply:
    written, usage = await server.written(served, writing, body.wanted)
    choices = [
        CompletionChoice(
            index=index,
            text=echo + one.text,
            logprobs=None if body.logprobs is None else _logprobs(one.tokens, served, len(echo)),
            finish_reason=one.finish,
        )
        for index, one in enumerate(written)
        for echo in [echoes[index // body.wanted]]
    ]
    return CompletionReply(id=new_id("cmpl"), created=int(time.time()), model=served.name, choices=choices, usage=usage)


def _logprobs(tokens: Sequence[Token], served: Served, offset: int) -> CompletionLogprobs:
    names = readable(served, [token.id for token in tokens])
    offsets = []
    for text in names:
        offsets.append(offset)
        offset += len(text)
    return CompletionLogprobs(
        tokens=names,
        token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[_top(token, served) for token in tokens],
        text_offset=offsets,
    )


def _top(token: Token, served: Served) -> dict[str, float]:
    names = readable(served, [id_ for id_, _ in token.top])
    return {name: logprob for name, (_, logprob) in zip(names, token.top, strict=True)}


async def _chunks(
    body: CompletionRequest, server: Server, served: Served, writing: Writing, echoes: list[str]
) -> AsyncIterator[dict[str, Any]]:
    head = {"id": new_id("cmpl"), "object": "text_completion", "created": int(time.time()), "model": served.name}
    for index, echo in enumerate(echo for echo in echoes for _ in range(body.answers)):
        if echo:
            yield head | {"choices": [{"index": index, "text": echo, "logprobs": None, "finish_reason": None}]}
    async for step in writing.steps():
        text = "".join(event.text for event in step.events if isinstance(event, Text))
        logs = None if body.logprobs is None else _logprobs([step.token], served, 0).model_dump()
        if text or logs or step.finish:
            choice = {"index": step.answer, "text": text, "logprobs": logs, "finish_reason": step.finish}
            yield head | {"choices": [choice]}
    usage = writing.usage()
    server.metrics.count(served.name, usage)
    if body.wants_usage:
        yield head | {"choices": [], "usage": usage.model_dump()}
