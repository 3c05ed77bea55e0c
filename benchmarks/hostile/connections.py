"""Connections that do nothing, too little, or nonsense, and clients that hang up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.hostile.asking import CHAT, Question, chat_body, drawing, said_in, words
from benchmarks.hostile.attack import ATTACKER, Attack, abort, many
from benchmarks.hostile.bodies import good

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LONGEST_HEAD_S = 60
"""A connection without a whole head after that is open for too long."""


async def _opened(attack: Attack, addresses: list[str], count: int, first: bytes) -> list[Pair]:
    """Connections from the addresses in turn, each with its first bytes sent."""
    found: list[Pair] = []

    async def one(number: int) -> None:
        attack.tally.requests += 1
        try:
            pair = await attack.connect(addresses[number % len(addresses)])
            pair[1].write(first)
        except (OSError, TimeoutError):
            attack.tally.statuses["refused"] += 1
        else:
            found.append(pair)

    await many((one(number) for number in range(count)), 64)
    return found


async def _let_go(attack: Attack, pairs: list[Pair]) -> None:
    """Note which connections the server has closed or answered, and close the others."""
    for reader, writer in pairs:
        if reader.at_eof() or writer.is_closing():
            attack.tally.statuses["closed"] += 1
        else:
            try:  # what lies there already; without, the connection is as it was
                got = await asyncio.wait_for(reader.read(4096), 0.001)
                attack.note_raw("idle", got)
            except TimeoutError:
                attack.tally.statuses["left"] += 1
            except OSError:
                attack.tally.statuses["closed"] += 1
        abort(writer)


async def idle(attack: Attack, count: int) -> None:
    """Connections of one client that say nothing."""
    pairs = await _opened(attack, [ATTACKER], count, b"")
    await asyncio.sleep(1.5 if attack.short else 20)
    await _let_go(attack, pairs)


async def idle_everywhere(attack: Attack, count: int) -> None:
    """Connections from a hundred addresses that say nothing."""
    pairs = await _opened(attack, [f"127.0.1.{number}" for number in range(1, 101)], count, b"")
    await asyncio.sleep(1.5 if attack.short else 20)
    await _let_go(attack, pairs)


async def slow_heads(attack: Attack, count: int) -> None:
    """Heads that arrive byte by byte and never end."""
    pairs = await _opened(attack, [ATTACKER], count, b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
    end = time.monotonic() + (2 if attack.short else LONGEST_HEAD_S)
    while time.monotonic() < end and not all(reader.at_eof() for reader, _ in pairs):
        for _, writer in pairs:
            if not writer.is_closing():
                writer.write(b"a")
        await asyncio.sleep(1)
    await _let_go(attack, pairs)
    if not attack.short and attack.tally.statuses["left"]:
        attack.tally.notes["heads open after 60 s"] = attack.tally.statuses["left"]


async def slow_bodies(attack: Attack, count: int) -> None:
    """Bodies that arrive byte by byte and never end."""
    pairs = await _opened(attack, [ATTACKER], count, attack.head(CHAT, 100_000) + b'{"model":"')
    end = time.monotonic() + (2 if attack.short else 20)
    while time.monotonic() < end:
        for _, writer in pairs:
            if not writer.is_closing():
                writer.write(b"a")
        await asyncio.sleep(1)
    await _let_go(attack, pairs)


async def slow_readers(attack: Attack, count: int) -> None:
    """Streams with much to tell that nobody reads."""
    question = drawing(attack.model, "red", "heart")
    body = attack.request(question, stream=True, n=4, logprobs=True, top_logprobs=20)

    async def one() -> None:
        attack.tally.requests += 1
        try:
            reader, writer = await attack.connect(receive_bytes=2048)
        except (OSError, TimeoutError):
            attack.tally.statuses["refused"] += 1
            return
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(body)
        await asyncio.sleep(2 if attack.short else 15)
        attack.tally.statuses["left"] += 1
        abort(writer)

    await many((one() for _ in range(count)), 32)


async def flood(attack: Attack, count: int) -> None:
    """One client with 110 good requests at any time, every other one a drawing.

    What is answered is right, the rest is told to come back.
    """
    long = drawing(attack.model, "green", "tree")
    async with attack.client() as client:

        async def one(number: int) -> None:
            if number % 2:
                await attack.send(client, long.kind, long.path, long.body)
                return
            question, answer = attack.known[number // 2 % len(attack.known)]
            reply = await attack.send(client, question.kind, question.path, question.body)
            if reply is not None and reply.status_code == 200:
                said = said_in(reply.json())
                attack.tally.answer(said == answer, f"{question.kind}: {said} instead of {answer}")

        await many((one(number) for number in range(count)), 110)


async def disconnects(attack: Attack, count: int) -> None:
    """Clients that hang up in the head, in the body, while they wait, and in a stream."""
    known = [words(attack.model, "heart"), drawing(attack.model, "red", "heart")]

    async def one(number: int) -> None:
        chance, question = attack.chance, known[number % 2]
        data = attack.request(question, stream=chance.random() < 0.5)
        sent = data[: chance.randrange(1, len(data))] if number % 4 < 2 else data  # in the head or the body, or all
        pause_s, reset = chance.random() * 0.2, chance.random() < 0.5
        attack.tally.requests += 1
        try:
            reader, writer = await attack.connect()
            writer.write(sent)
            await asyncio.sleep(pause_s)
            if number % 4 == 3:  # as soon as there is a word
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 10)
        except (OSError, TimeoutError):
            attack.tally.statuses["refused"] += 1
            return
        attack.tally.statuses["left"] += 1
        if reset:
            abort(writer)
        else:
            writer.close()

    await many((one(number) for number in range(count)), 24)


def _nonsense(attack: Attack) -> Iterator[tuple[str, bytes]]:
    """Requests that HTTP does not allow, or hardly."""
    question = words(attack.model, "heart")
    body = json.dumps(question.body).encode()
    fine = attack.head(CHAT, len(body)) + body
    get = attack.head("/health", None, method="GET")
    chunked = attack.head(CHAT, None, "Transfer-Encoding: chunked")
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    yield "pipelined", get * 50
    yield "pipelined answers", fine * 8
    yield "both lengths", attack.head(CHAT, len(body), "Transfer-Encoding: chunked") + whole
    yield "two lengths", attack.head(CHAT, len(body), "Content-Length: 5") + body
    for length in ("-1", "+5", "0x10", "5, 6", "", "9" * 400, "1e3", "٣", "18446744073709551616"):
        head = attack.head(CHAT, None, "Content-Length: " + length.encode().decode("latin-1"))
        yield f"length {length[:20]}", head + body
    for chunk in (
        b"zz\r\n",
        b"-1\r\n",
        b"f" * 100 + b"\r\n",
        b"5\r\nabc",
        b"5;" + b"a" * 70_000,
        b"\r\n",
        b"5\nabcde\n0\n\n",
    ):
        yield f"chunk {chunk[:10]!r}", chunked + chunk
    yield "chunks", chunked + whole
    yield "trailers", chunked + whole[:-2] + b"X: " + b"a" * 70_000 + b"\r\n\r\n"
    yield "encodings", attack.head(CHAT, None, "Transfer-Encoding: gzip, chunked, chunked, identity") + whole
    yield "NUL in the path", get.replace(b"/health", b"/hea\0lth")
    yield "NUL in a header", get.replace(b"\r\n\r\n", b"\r\nX: a\0b\r\n\r\n")
    yield "NUL in a name", get.replace(b"\r\n\r\n", b"\r\nX\0: a\r\n\r\n")
    yield "bare CR", get.replace(b"\r\n\r\n", b"\r\nX: a\rY: b\r\n\r\n")
    yield "bare LF", get.replace(b"\r\n", b"\n")
    yield "folded", get.replace(b"\r\n\r\n", b"\r\nX: a\r\n b\r\n\r\n")
    yield "space before the colon", get.replace(b"\r\n\r\n", b"\r\nX : a\r\n\r\n")
    yield "no host", b"GET /health HTTP/1.1\r\n\r\n"
    yield "two hosts", get.replace(b"\r\n\r\n", b"\r\nHost: evil.com\r\n\r\n")
    yield "other host", b"GET /health HTTP/1.1\r\nHost: [::1].evil.com\r\n\r\n"
    for version in (b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/99999", b"HTTPS/1.1", b"http/1.1", b""):
        yield f"version {version!r}", get.replace(b"HTTP/1.1", version)
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64)
    yield "TLS", bytes.fromhex("16030100c5010000c10303") + attack.chance.randbytes(200)
    yield "upgrade", attack.head("/health", None, "Upgrade: websocket", "Connection: Upgrade", method="GET")
    yield "h2c", attack.head("/health", None, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", method="GET")
    yield "socket", attack.head(
        CHAT, None, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", method="GET",
    )  # fmt: skip
    yield "expects", attack.head(CHAT, len(body), "Expect: 100-continue") + body
    yield "expects more", attack.head(CHAT, len(body), "Expect: everything") + body
    yield "absolute", get.replace(b"/health", b"http://127.0.0.1/health")
    yield "authority", get.replace(b"GET /health", b"CONNECT example.com:443")
    yield "star", get.replace(b"GET /health", b"OPTIONS *")
    yield "long path", get.replace(b"/health", b"/" + b"a" * 100_000)
    yield "long header", get.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")
    yield "many headers", get.replace(b"\r\n\r\n", b"\r\n" + b"X: a\r\n" * 20_000 + b"\r\n")
    yield "long method", b"G" * 70_000 + get
    yield "no line", b"\r\n" * 1000 + get
    yield "random", attack.chance.randbytes(300)
    yield "gzip", attack.head(CHAT, len(body), "Content-Encoding: gzip") + body
    yield "empty", b"\r\n\r\n"


async def malformed(attack: Attack, count: int) -> None:
    """What is no HTTP: known tricks, then good requests with random bytes changed, left out or put in."""
    cases = list(_nonsense(attack))
    fine = attack.request(words(attack.model, "heart"))
    end = fine.index(b"\r\n\r\n") + 4
    while len(cases) < count:
        place, more = attack.chance.randrange(end), attack.chance.randbytes(attack.chance.randrange(1, 4))
        cut = attack.chance.randrange(3)
        cases.append(("changed head", fine[:place] + more + fine[place + cut :]))
    # A head that has not ended waits for its end: such connections are given up after a moment.
    await many(attack.raw(name, data, 1 if attack.short else 5) for name, data in cases)


PATHS = (
    "/v1/embeddings", "/v1/responses", "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/images/edits",
    "/v1/images/variations", "/v1/moderations", "/v1/files", "/v1/batches", "/v1/assistants", "/v1/fine_tuning/jobs",
    "/v1/models/../../etc/passwd", "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/v1/models/" + "a" * 5000,
    "/v1/models/%00", "/page/../../settings.py", "/page/%2e%2e/%2e%2e/app.py", "/page/..%5c..%5capp.py",
    "//etc/passwd", "/page//etc/passwd", "/.env", "/.git/config", "/admin", "/docs", "/redoc", "/v1", "/v1/",
    "/v1/chat", "/%ff", "/%", "/page/" + "a" * 300, "/v1/chat/completions/", "/V1/CHAT/COMPLETIONS", "/metrics/",
    "/health/x", "/openapi.json", "/v1/models/load",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "BREW")
ODD_HEADERS: tuple[dict[str, Any], ...] = (
    {}, {}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"},
    {"Authorization": b"Bearer \xff\xfe"}, {"Origin": "https://evil.com"}, {"Origin": "null"}, {"Origin": "\\"},
    {"Content-Type": "text/plain"}, {"Content-Type": "x" * 2000}, {"X-Forwarded-For": "127.0.0.1"},
)  # fmt: skip


async def unknown(attack: Attack, count: int) -> None:
    """Addresses and methods that are not there, keys that are wrong, pages of other sites."""
    async with attack.client() as client:

        async def one(number: int) -> None:
            chance = attack.chance
            path, method = chance.choice(PATHS), chance.choice(METHODS)
            headers = chance.choice(ODD_HEADERS)
            body = None if method in ("GET", "HEAD", "TRACE") else chance.choice(list(good(attack.model).values()))
            reply = await attack.send(client, f"{method} {path[:40]} {headers}", path, body, method, headers=headers)
            if reply is not None and (b"root:" in reply.content or b"from __future__" in reply.content):
                attack.tally.answer(False, f"{path} shows a file of this machine")

        await many(one(number) for number in range(count))


def long_chat(model: str) -> Question:
    """An answer that takes a while."""
    return Question(
        "long", CHAT, chat_body(model, "Draw a red heart.", modalities=["image"], n=8, temperature=1, seed=1)
    )
