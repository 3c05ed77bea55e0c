"""The end: SIGTERM with work in flight, and SIGKILL, after which nothing may go on computing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from typing import Any

import httpx
import psutil
from benchmarks.hostile.asking import (
    CHAT,
    Cut,
    Question,
    Refused,
    as_uri,
    ask,
    chat_body,
    drawing,
    image_part,
    look,
    words,
)
from benchmarks.hostile.attack import Attack, abort
from benchmarks.hostile.media import SVG_KIND, turbulent

GRACE_S = 15
"""Longest that a server may take to end: it lets requests finish for a few seconds, then tells the others."""
ORPHAN_S = 5


async def terminated(attack: Attack, count: int) -> None:
    """SIGTERM while requests of every kind are in flight: each is answered or told, and the server ends in its grace.

    ``count`` requests are good ones; beside them there are a body and a head that never end, and a slow medium.
    """
    server, tally = attack.server, attack.tally
    async with attack.client() as client:
        good = [asyncio.ensure_future(_outcome(client, one)) for one in _in_flight(attack.model, count)]
        slow = [image_part(as_uri(turbulent(1), SVG_KIND))]
        good += [asyncio.ensure_future(_outcome(client, Question("slow medium", CHAT, chat_body(attack.model, slow))))]
        hanging = await _hanging(attack)
        await asyncio.sleep(1)
        unfinished = sum(not one.done() for one in good)
        workers = server.workers()
        server.signal(signal.SIGTERM)
        seconds = await asyncio.to_thread(server.ended, GRACE_S)
        left = await asyncio.to_thread(_left, workers, ORPHAN_S) if seconds is not None else len(workers) + 1
        server.kill()  # what has not ended by now
        outcomes = await asyncio.gather(*good)
    for _, writer in hanging:
        abort(writer)
    tally.requests += len(good) + len(hanging)
    for outcome in outcomes:
        tally.statuses[outcome.partition(":")[0]] += 1
    tally.notes |= {
        "in flight at SIGTERM": unfinished,
        "seconds to its end": None if seconds is None else round(seconds, 1),
        "lost": [one for one in outcomes if one.startswith("lost")],
        "processes left": left,
    }


def _in_flight(model: str, count: int) -> list[Question]:
    """Whole answers and streams, short and long."""
    long = drawing(model, "red", "heart")
    kinds = (long, Question("streamed", CHAT, long.body | {"stream": True}), look(model, "red", 0), words(model, "cat"))
    many = Question("several", CHAT, long.body | {"n": 4, "temperature": 1, "stream": True})
    return [(*kinds, many)[number % 5] for number in range(count)]


async def _hanging(attack: Attack) -> list[Any]:
    found = []
    for first in (attack.head(CHAT, 1000) + b'{"model"', b"POST /v1/chat/comp", b""):
        pair = await attack.connect()
        pair[1].write(first)
        found.append(pair)
    return found


async def _outcome(client: httpx.AsyncClient, question: Question) -> str:
    """answered, told (an error that says so), or lost."""
    try:
        await ask(client, question)
    except Refused as error:
        return f"told: {error.status}" if error.code is not None else f"lost: {question.kind} {error}"
    except (Cut, httpx.HTTPError, json.JSONDecodeError) as error:
        return f"lost: {question.kind} {type(error).__name__} {error}"[:200]
    return "answered"


def _left(processes: list[psutil.Process], within_s: float) -> int:
    """How many of the processes still run after a while."""
    _, alive = psutil.wait_procs(processes, within_s)
    return sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in alive)


async def killed(attack: Attack, count: int) -> None:
    """SIGKILL of the server while its workers are at ``count`` slow media: they must not go on without it."""
    server = attack.server
    async with attack.client() as client:
        asked = []
        for number in range(count):
            slow = [image_part(as_uri(turbulent(number), SVG_KIND))]
            asked.append(asyncio.ensure_future(_outcome(client, Question("slow", CHAT, chat_body(attack.model, slow)))))
        end = time.monotonic() + 20
        while not server.workers() and time.monotonic() < end:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        workers = server.workers()
        server.signal(signal.SIGKILL)
        await asyncio.gather(*asked)
    attack.tally.requests += count
    attack.tally.statuses["closed"] += count
    attack.tally.notes["processes left"] = await asyncio.to_thread(_left, workers, ORPHAN_S)
    for worker in workers:
        with contextlib.suppress(psutil.Error):
            worker.kill()
