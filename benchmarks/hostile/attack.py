"""What every generator has in hand: how to reach the server, and where to note what it said."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from benchmarks.hostile.asking import Question, code_of
from benchmarks.hostile.process import ServerProcess

PATIENCE_S = 120
TOGETHER = 16
ATTACKER = "127.0.0.2"
HEADER = "x-content-type-options"
"""Of every answer; stands for all headers of safety."""
NO_BODY = b'{"error": {"message": "to be told to whoever asks with GET", "code": null}}'
TOLD_503 = {"worker_killed", "no_worker", "model_unloaded"}
"""Codes of 503 that say what somebody else did: killed a worker, unloaded the model."""


@dataclass
class Tally:
    """What came of one generator.

    Attributes:
        requests: sent, or begun on purpose without an end.
        statuses: of the answers; ``closed`` for a connection that the server closed without one, ``no answer`` for
            none in time, ``left`` for those that this side gave up, as it wanted to.
        unexpected: 5xx that are the server's fault.
        bare: errors that are not in OpenAI's form, or without the headers of safety.
        wrong: answers that are not what they should be.
    """

    name: str
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    right: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def note(self, what: str, status: int, safe: bool, body: bytes, busy: bool) -> None:
        """Judge one answer. ``busy``: whether a 503 is in its place, since more is asked than a server can hold."""
        self.statuses[str(status)] += 1
        code = code_of(body) if status >= 400 else None
        told = status == 501 or (status == 503 and (code in TOLD_503 or busy))
        if status >= 500 and not told:
            self.unexpected.append(f"{what}: {status} {body[:200]!r}")
        if status >= 400 and (code is None or not safe):
            self.bare.append(f"{what}: {status} {body[:100]!r}")

    def answer(self, right: bool, what: str) -> None:
        """Count an answer whose content is known."""
        self.right += right
        if not right:
            self.wrong.append(what[:200])


@dataclass
class Attack:
    """One generator at work.

    Args:
        server: the target.
        model: its name in requests.
        key: of the attackers; the quiet client has another.
        known: questions with their answers.
        folder: that the server takes ``file:`` media from.
        chance: the source of all that is random.
        short: whether to hold connections for a moment only.
    """

    server: ServerProcess
    model: str
    key: str
    known: list[tuple[Question, str]]
    folder: Path
    chance: random.Random
    short: bool
    tally: Tally
    busy: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def client(self, address: str = ATTACKER) -> httpx.AsyncClient:
        """An HTTP client at a loopback address of its own, which a server takes for another machine."""
        transport = httpx.AsyncHTTPTransport(local_address=address, limits=httpx.Limits(max_connections=None))
        return httpx.AsyncClient(
            base_url=self.server.url, headers=self.headers, timeout=PATIENCE_S, transport=transport
        )  # fmt: skip

    async def send(
        self, client: httpx.AsyncClient, what: str, path: str, body: Any = None, method: str = "POST", **options: Any
    ) -> httpx.Response | None:
        """Ask, and note the answer; None when there was none."""
        if body is not None:
            options["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
            options["headers"] = {"Content-Type": "application/json"} | options.get("headers", {})
        self.tally.requests += 1
        try:
            reply = await client.request(method, path, **options)
        except httpx.TimeoutException:
            self.tally.statuses["no answer"] += 1
        except (httpx.HTTPError, httpx.InvalidURL):
            self.tally.statuses["closed"] += 1
        else:
            content = NO_BODY if method == "HEAD" else reply.content
            self.tally.note(what, reply.status_code, HEADER in reply.headers, content, self.busy)
            return reply
        return None

    async def connect(
        self, address: str = ATTACKER, receive_bytes: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of bytes.

        Raises:
            OSError: it was refused.
        """
        plain = socket.socket()
        plain.setblocking(False)
        try:
            if receive_bytes:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            plain.bind((address, 0))
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.server.port)), 10)
        except BaseException:
            plain.close()
            raise
        return await asyncio.open_connection(sock=plain)

    def head(self, path: str, length: int | None, *more: str, method: str = "POST") -> bytes:
        """The head of a request, as bytes for a raw connection."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.server.port}"]
        lines += [f"Authorization: Bearer {self.key}", "Content-Type: application/json"]
        lines += [f"Content-Length: {length}"] if length is not None else []
        return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode("latin-1")

    def request(self, question: Question, **fields: Any) -> bytes:
        body = json.dumps(question.body | fields).encode()
        return self.head(question.path, len(body)) + body

    async def raw(self, what: str, data: bytes, wait_s: float) -> None:
        """Send bytes; note the status of the first answer."""
        self.tally.requests += 1
        try:
            reader, writer = await self.connect()
        except OSError:
            self.tally.statuses["closed"] += 1
            return
        try:
            writer.write(data)
            got = await asyncio.wait_for(_first_answer(reader, writer), wait_s)
            self.note_raw(what, got)
        except TimeoutError:
            self.tally.statuses["no answer" if wait_s >= PATIENCE_S else "left"] += 1
        except OSError:
            self.tally.statuses["closed"] += 1
        finally:
            abort(writer)

    def note_raw(self, what: str, got: bytes) -> None:
        """Judge the bytes of an answer."""
        head, _, body = got.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if len(words) < 2 or not words[1].isdigit():
            self.tally.statuses["closed"] += 1
            return
        self.tally.note(what, int(words[1]), HEADER.encode() in head.lower(), body, self.busy)


async def _first_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Head and body of one answer."""
    await writer.drain()
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.read(int(line.partition(b":")[2]))
    return head + await reader.read(4096)


def abort(writer: asyncio.StreamWriter) -> None:
    """Hang up with a reset, as a machine does that has lost interest."""
    plain = writer.get_extra_info("socket")
    if plain is not None and plain.fileno() != -1:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def many(work: Iterable[Awaitable[Any]], at_once: int = TOGETHER) -> None:
    """Do all, so many at the same time."""
    work = iter(work)

    async def one_after_the_other() -> None:
        for job in work:
            await job

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
