"""``POST /v1/completions``: raw text or ids continued, without a chat template."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request

from sensorium.engines import Turn
from sensorium.generate import Assistant
from sensorium.serve.http.chat import STREAMED
from sensorium.serve.http.prompts import Places, Prompt, logprobs_of
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import CompletionChoice, CompletionLogprobs, CompletionReply, Usage
from sensorium.serve.http.schemas import CompletionRequest
from sensorium.serve.http.server import EventStream, Server, Shared, new_id
from sensorium.serve.media.messages import check_characters, check_length
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Writing, Written, usage_of
from sensorium.serve.writing.transcript import Text
from sensorium.types import TEXT

router = APIRouter(route_class=JsonRoute)


@router.post("/v1/completions", response_model=CompletionReply, responses=STREAMED)
async def complete(body: CompletionRequest, request: Request, server: Shared) -> Any:
    """Continue raw text. Media may stand in the prompt as their tokens; what is written is text.

    With `echo` and `logprobs` the prompt's own tokens have their log-probabilities, over the whole vocabulary; those of
    written ones are among what was allowed. `max_tokens` 0 writes nothing.
    """
    served = server.registry.get(body.model)
    prompts = _prompts(body)
    server.check(body.answers * len(prompts), body.max_tokens)
    check_characters((prompt for prompt in prompts if isinstance(prompt, str)), server.settings)
    asked = await server.finish(request, _read(body, prompts, served))
    if body.max_tokens == 0:
        writing = None
    else:
        turns = [_turn(prompt, served.model, body) for prompt in asked.prompts]
        turns = [turn.again(body.attempt * body.answers * len(turns)) for turn in turns]
        writing = server.write(request, served, turns, answers=body.answers, stops=body.stops)
    if body.stream:
        return EventStream(writing, asked.chunks(server, writing))
    return await server.finish(request, asked.whole(server, writing))


def _prompts(body: CompletionRequest) -> list[str | list[int]]:
    """One or several prompts, of text or of ids."""
    prompt: Any = body.prompt
    single = isinstance(prompt, str) or isinstance(prompt[0], int)
    return [prompt] if single else prompt


async def _read(body: CompletionRequest, given: list[str | list[int]], served: Served) -> _Asked:
    """The prompts, and where they are echoed with log-probabilities, those; one prompt at a time."""
    room = 1 if body.max_tokens is None else body.max_tokens
    for one in given:
        await check_length([one] if isinstance(one, str) else [], served)
    echo = bool(body.echo)
    prompts = [await served.at_desk(Prompt.of, one, served, room, echo) for one in given]  # others may come in between
    echoes = []
    for prompt in prompts:
        logs = None
        if body.echo and body.logprobs is not None:
            known = await prompt.known(served, body.logprobs)
            logs = await served.at_desk(logprobs_of, known, prompt.offsets, served)
        echoes.append(_Echo(prompt.text if body.echo else "", logs))
    return _Asked(body, served, prompts, echoes)


def _turn(prompt: Prompt, model: Assistant, body: CompletionRequest) -> Turn:
    sampling, _ = model.options(TEXT, body.sampling())
    sampling = replace(sampling, guidance=1.0, max_tokens=model.budget(prompt.ids, sampling.max_tokens))
    rules = model.grammar(TEXT, sampling.max_tokens)
    return Turn(prompt.ids, rules, sampling, [prompt.ids[0]], prompt.about_media)


@dataclass(frozen=True)
class _Echo:
    """What stands before an answer; nothing where no echo is asked for."""

    text: str
    logprobs: CompletionLogprobs | None


@dataclass(frozen=True)
class _Asked:
    """A request whose prompts are read."""

    body: CompletionRequest
    served: Served
    prompts: list[Prompt]
    echoes: list[_Echo]

    async def whole(self, server: Server, writing: Writing | None) -> CompletionReply:
        """The reply at once."""
        body, served = self.body, self.served
        written: list[Written | None] = [None] * (body.wanted * len(self.prompts))
        if writing is None:
            usage = self._usage_of_nothing(server)
        else:
            found, usage = await server.written(served, writing, body.wanted)
            written = list(found)
        choices = [  # others may come in between
            await served.at_desk(self._choice, index, one, self.echoes[index // body.wanted])
            for index, one in enumerate(written)
        ]
        return CompletionReply(
            id=new_id("cmpl"), created=int(time.time()), model=served.name, choices=choices, usage=usage
        )

    def _choice(self, index: int, written: Written | None, echo: _Echo) -> CompletionChoice:
        logs = echo.logprobs
        if written is None:
            return CompletionChoice(index=index, text=echo.text, logprobs=logs, finish_reason="length")
        if self.body.logprobs is not None:
            places = Places(self.served, len(echo.text))
            own = logprobs_of(written.tokens, [places.place(token) for token in written.tokens], self.served)
            logs = own if logs is None else _joined(logs, own)
        return CompletionChoice(index=index, text=echo.text + written.text, logprobs=logs, finish_reason=written.finish)

    def _usage_of_nothing(self, server: Server) -> Usage:
        usage = usage_of(self.served.model.vocabulary, [prompt.ids for prompt in self.prompts], [])
        server.metrics.count(self.served.name, usage)
        return usage

    async def chunks(self, server: Server, writing: Writing | None) -> AsyncIterator[dict[str, Any]]:
        """The objects of a streamed reply; the first of each answer holds what is echoed."""
        body, served = self.body, self.served
        head = {"id": new_id("cmpl"), "object": "text_completion", "created": int(time.time()), "model": served.name}
        echoes = [echo for echo in self.echoes for _ in range(body.answers)]
        for index, echo in enumerate(echoes):
            if body.echo or writing is None:
                logs = None if echo.logprobs is None else echo.logprobs.model_dump()
                yield head | _piece(index, echo.text, logs, "length" if writing is None else None)
        places = [Places(served, len(echo.text)) for echo in echoes]
        if writing is None:
            usage = self._usage_of_nothing(server)
        else:
            async for step in writing.steps():
                text, logs = "".join(event.text for event in step.events if isinstance(event, Text)), None
                if body.logprobs is not None:
                    place = places[step.answer].place(step.token)
                    logs = logprobs_of([step.token], [place], served).model_dump()
                if text or logs or step.finish:
                    yield head | _piece(step.answer, text, logs, step.finish)
            usage = writing.usage()
            server.metrics.count(served.name, usage)
        if body.wants_usage:
            yield head | {"choices": [], "usage": usage.model_dump()}


def _piece(index: int, text: str, logprobs: dict[str, Any] | None, finish: str | None) -> dict[str, Any]:
    return {"choices": [{"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}]}


def _joined(first: CompletionLogprobs, then: CompletionLogprobs) -> CompletionLogprobs:
    one, other = first.model_dump(), then.model_dump()
    return CompletionLogprobs(**{name: one[name] + other[name] for name in one})
