"""What all endpoints share."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from sensorium.engines import Turn
from sensorium.generate import plan
from sensorium.serve.http.compilers import Compilers
from sensorium.serve.http.errors import ApiError, as_api_error
from sensorium.serve.http.reading import JsonReader
from sensorium.serve.http.replies import Usage
from sensorium.serve.media.messages import Reader
from sensorium.serve.media.turns import Turns
from sensorium.serve.media.workers import Workers
from sensorium.serve.metrics import Metrics
from sensorium.serve.registry import Registry, Served
from sensorium.serve.settings import Settings
from sensorium.serve.writing.answers import Writing, Written
from sensorium.serve.writing.scheduler import TOO_LATE
from sensorium.types import InputError

T = TypeVar("T")
READ_S = 60
"""For a client to read a stream of which all is there already."""
LATE_S = 1
"""After a request's time is over: in it, the error is told."""

log = logging.getLogger("sensorium.serve")


class Answered(Protocol):
    """A request for so many answers, of which the best are wanted, after so many attempts at the same."""

    attempt: int

    @property
    def wanted(self) -> int: ...

    @property
    def best_of(self) -> int | None: ...


@dataclass
class Server:
    """The parts of a running server.

    Attributes:
        kept: places for requests that keep an opened medium while it is encoded piece by piece.
    """

    settings: Settings
    registry: Registry
    workers: Workers
    reader: Reader
    metrics: Metrics
    json: JsonReader
    compilers: Compilers = field(default_factory=Compilers)
    kept: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.kept = Turns(self.settings.workers, self.settings.max_media_waiting)

    def check(self, answers: int, max_tokens: int | None) -> None:
        """Refuse what is beyond the server's limits."""
        if answers > self.settings.max_answers:
            raise InputError(f"{answers} answers are asked for, at most {self.settings.max_answers} are allowed")
        if max_tokens is not None and max_tokens > self.settings.max_tokens:
            raise InputError(f"{max_tokens} tokens are asked for, at most {self.settings.max_tokens} are allowed")

    def write(self, request: Request, served: Served, turns: Sequence[Turn], **options: Any) -> Writing:
        """Queue the answers of a request; see `Writing`."""
        options.setdefault("on_first", self.metrics.first.labels(served.name).observe)
        client, started = client_of(request), started_at(request)
        return Writing(served, turns, self.settings, client=client, started=started, **options)

    def attempt(self, request: Request, served: Served, turn: Turn, body: Answered, **options: Any) -> Writing:
        """Queue the answers to one prompt, and what more has to be written so that they differ and are good.

        Of a stream nothing can be taken back, so no more is written for one.
        """
        most = body.wanted if getattr(body, "stream", False) else self.settings.max_answers
        planned = plan(turn, body.wanted, best_of=body.best_of, attempt=body.attempt, most=most)
        options |= {"answers": planned.written, "first_stays": planned.first_stays}
        options["judge"] = served.model.judge(planned)
        return self.write(request, served, [planned.turn], **options)

    async def written(self, served: Served, writing: Writing, wanted: int) -> tuple[list[Written], Usage]:
        """The best ``wanted`` answers of each prompt, and what all took; given up, the writing ends."""
        try:
            written = await writing.all(wanted)
        finally:
            writing.cancel()
        usage = writing.usage()
        self.metrics.count(served.name, usage)
        return written, usage

    async def finish(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which is given up when the client has gone or the time is over."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
        left = started_at(request) + self.settings.request_s - time.monotonic()
        try:
            await asyncio.wait({task, gone}, timeout=max(left, 0) + LATE_S, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise ApiError(499, "the client has gone", code="client_gone")
            raise ApiError(408, TOO_LATE.format(self.settings.request_s), code="timeout")
        finally:
            gone.cancel()
            task.cancel()
            await asyncio.gather(gone, task, return_exceptions=True)


def _server(request: Request) -> Server:
    return request.app.state.server


Shared = Annotated[Server, Depends(_server)]


def client_of(request: Request) -> str:
    """Who shares a place in the fair queue; see `sensorium.serve.http.guard.name_of_client`."""
    return request.scope["sensorium.client"]


def started_at(request: Request) -> float:
    """`time.monotonic` when the request came in."""
    return request.scope["started"]


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(12)}"


class Unfinished(Protocol):
    """What is being written, e.g. a `Writing`, and when it is given up (`time.monotonic`)."""

    deadline: float

    def cancel(self) -> None: ...


class AnswerStream(StreamingResponse):
    """An answer that is sent while it is written.

    Whatever ends it, a client that has gone included, ends the writing; where nothing is written, there is none.
    """

    def __init__(self, writing: Unfinished | None, pieces: AsyncIterator[str | bytes], media_type: str):
        self._writing = writing
        super().__init__(pieces, media_type=media_type, headers={"Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = self._writing.deadline - time.monotonic() if self._writing else READ_S
        try:
            async with asyncio.timeout(max(left, 0) + LATE_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:  # the client does not read, or the engine hangs, so nothing can be told
            log.warning("an answer was cut off: it took longer than a request may")
        finally:
            if self._writing:
                self._writing.cancel()


class EventStream(AnswerStream):
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) of an answer."""

    def __init__(self, writing: Unfinished | None, chunks: AsyncIterator[BaseModel | dict[str, Any]]):
        super().__init__(writing, _events(chunks), "text/event-stream")


async def _events(chunks: AsyncIterator[Any]) -> AsyncIterator[str]:
    try:
        async for chunk in chunks:
            name = f"event: {chunk['type']}\n" if "type" in chunk else ""  # where OpenAI's events have names
            yield f"{name}data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
    except Exception as error:  # the status has been sent: the error is the last event
        told = as_api_error(error)
        yield f"data: {json.dumps({'error': told.body['error'] | {'status': told.status}})}\n\n"
        return
    yield "data: [DONE]\n\n"
