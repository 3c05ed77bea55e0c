"""A recording in the course of being transcribed: opened by a worker, encoded piece by piece, and written down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request

from sensorium.engines import Finish, Token
from sensorium.generate import plan
from sensorium.generate.spoken import AT_ONCE, AUDIO, Recording, hearing, reader_of, recording
from sensorium.modalities.utterances import Span
from sensorium.serve.http.errors import ApiError
from sensorium.serve.http.replies import ModalityTokens, Usage
from sensorium.serve.http.server import Server, client_of, started_at
from sensorium.serve.media.messages import encoded
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Writing
from sensorium.serve.writing.transcript import Text
from sensorium.source import too_large
from sensorium.types import InputError, Message, Part

BUSY_S = 0.5
"""Until a place in the queue is asked for again, for what has been begun."""


@dataclass(frozen=True)
class Told:
    """Something that was written of a piece of a recording.

    Args:
        number: of the piece.
        text: more of it.
        tokens: all of them, once the piece is written.
        finish: why it ended, then; see `sensorium.generate.spoken.text_of`.
    """

    number: int
    span: Span
    text: str = ""
    tokens: tuple[Token, ...] | None = None
    finish: Finish | None = None


class Listening:
    """What is said in one recording.

    The sound itself is kept until all of it is encoded, and pieces are written meanwhile.

    Args:
        english: see `hearing`.
        sampling: of every piece; see `hearing`.
        attempt: see `sensorium.generate.plan`.
        at_once: pieces that are written together; with 1, they are told one after the other.

    Attributes:
        deadline: `time.monotonic` at which it is given up.
        duration_s: of the recording, once it is open.
        usage: of what is written so far.
    """

    def __init__(
        self,
        request: Request,
        server: Server,
        served: Served,
        *,
        english: bool,
        sampling: dict[str, Any],
        attempt: int,
        at_once: int,
    ):
        self._request, self._server, self._served = request, server, served
        self._english, self._attempt, self._at_once = english, attempt, at_once
        self._sampling = sampling | {"most": server.settings.max_tokens}
        self.deadline, self.duration_s = started_at(request) + server.settings.request_s, 0.0
        self.usage = total([])
        self._pieces: asyncio.Queue[tuple[Span, Part] | Exception | None] = asyncio.Queue()
        self._encoding: asyncio.Task[None] | None = None
        self._writing: Writing | None = None

    async def open(self, data: bytes) -> None:
        """Open a recording and look for its pauses.

        Raises:
            ApiError: 400, it is no sound, too long, or too large; 429, the client has too many media waiting.
        """
        kept, client = self._server.kept, client_of(self._request)
        await kept.take(client)
        try:
            found = await self._opened(data, client)
            self.duration_s = found.duration_s
            self._encoding = asyncio.create_task(self._encode(found))
        except InputError as error:
            raise ApiError(400, str(error), param="file", code="invalid_input") from error
        finally:
            if self._encoding is None:
                kept.give_back(client)
        self._encoding.add_done_callback(lambda _: kept.give_back(client))

    async def _opened(self, data: bytes, client: str) -> Recording:
        limit = self._server.settings.max_media_bytes
        if len(data) > limit:
            raise too_large("the file", limit)
        signal = await self._server.workers.open(AUDIO, data, reader_of(self._served.model).wish, client)
        return await self._served.at_desk(recording, self._served.model, signal)

    async def _encode(self, found: Recording) -> None:
        """Others come in between two pieces."""
        try:
            for span in found.spans:
                message = Message("user", (found.piece(span),))
                self._pieces.put_nowait((span, await self._served.at_desk(encoded, message, self._served.model.senses)))
            self._pieces.put_nowait(None)
        except Exception as error:  # told by whoever waits for the piece
            self._pieces.put_nowait(error)

    async def told(self) -> AsyncIterator[Told]:
        """What is written, as it comes."""
        number = 0
        try:
            while group := await self._next_pieces():
                async for one in self._write(number, group):
                    yield one
                number += len(group)
        finally:
            self.cancel()

    async def _next_pieces(self) -> list[tuple[Span, Part]]:
        """The next piece, and those that are encoded by then; none at the end."""
        group = []
        while not group or (len(group) < self._at_once and not self._pieces.empty()):
            item = await self._pieces.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                self._pieces.put_nowait(None)
                break
            group.append(item)
        return group

    async def _write(self, number: int, group: list[tuple[Span, Part]]) -> AsyncIterator[Told]:
        model = self._served.model
        turns = [
            await self._served.at_desk(partial(hearing, model, piece, span, self._english, **self._sampling))
            for span, piece in group
        ]
        turns = [plan(turn, 1, attempt=self._attempt).turn for turn in turns]
        self._writing = await queued(self._request, self._server, self._served, turns, begun=number > 0)
        tokens: list[list[Token]] = [[] for _ in group]
        async for step in self._writing.steps():
            tokens[step.answer].append(step.token)
            text = "".join(event.text for event in step.events if isinstance(event, Text))
            ended = tuple(tokens[step.answer]) if step.finish else None
            if text or ended:
                yield Told(number + step.answer, group[step.answer][0], text, ended, step.finish)
        usage = self._writing.usage()
        self._server.metrics.count(self._served.name, usage)
        self.usage = total([self.usage, usage])

    def cancel(self) -> None:
        """Stop encoding and writing."""
        if self._encoding is not None:
            self._encoding.cancel()
        if self._writing is not None:
            self._writing.cancel()


def at_once(streamed: bool) -> int:
    """A stream tells pieces in their order."""
    return 1 if streamed else AT_ONCE


async def queued(request: Request, server: Server, served: Served, turns: list[Any], begun: bool) -> Writing:
    """Turns of a request in the queue; if some of the request are written already, they wait where it is full.

    Raises:
        ApiError: 429, it is full.
    """
    while True:
        try:
            return server.write(request, served, turns, **({"on_first": lambda _: None} if begun else {}))
        except ApiError as error:
            if error.status != 429 or not begun:
                raise
        await asyncio.sleep(BUSY_S)  # whoever waits for the answer knows when its time is over


def total(usages: list[Usage]) -> Usage:
    """Of several writings together."""
    prompt, completion = Counter[str](), Counter[str]()
    for one in usages:
        prompt.update(one.modality_tokens.prompt)
        completion.update(one.modality_tokens.completion)
    known = [one.energy_wh for one in usages if one.energy_wh is not None]
    read, wrote = prompt.total(), completion.total()
    return Usage(
        prompt_tokens=read,
        completion_tokens=wrote,
        total_tokens=read + wrote,
        modality_tokens=ModalityTokens(prompt=dict(prompt), completion=dict(completion)),
        energy_wh=sum(known) if known else None,
    )
