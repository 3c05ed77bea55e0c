"""The quiet client, in a process of its own: ``python -m benchmarks.hostile.quiet KNOWN.json URL KEY PER_SECOND``.

Asks questions with known answers at a steady rate, over a new connection each, however long the answers take: were it
to wait for them, it would ask least when the server is worst. Prints a line of JSON for each:
``[when it was due (seconds of `time.monotonic`), kind, seconds, outcome]``. Ends when its stdin closes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import httpx
from benchmarks.hostile.asking import Cut, Question, Refused, ask

PATIENCE_S = 60
LAST_S = 10
TOLD = {"worker_killed", "no_worker"}
"""Codes of a 503 after which a client asks again: somebody killed the process that was at work for it."""


class Asked(NamedTuple):
    due_s: float
    kind: str
    seconds: float
    outcome: str

    @property
    def right(self) -> bool:
        return self.outcome == "right"

    @property
    def wrong(self) -> bool:
        return self.outcome == "wrong"


async def once(client: httpx.AsyncClient, question: Question, answer: str) -> str:
    """right, wrong, or why there was no answer."""
    for _ in range(3):
        try:
            return "right" if await ask(client, question) == answer else "wrong"
        except Refused as error:
            if error.code not in TOLD:
                return f"lost: {error}"
        except (Cut, httpx.HTTPError, ValueError, KeyError) as error:
            return f"lost: {type(error).__name__} {error}"[:200]
    return "lost: refused three times"


async def timed(client: httpx.AsyncClient, question: Question, answer: str, due_s: float) -> None:
    outcome = "lost: still unanswered at the end"
    try:
        outcome = await once(client, question, answer)
    finally:
        print(json.dumps([due_s, question.kind, time.monotonic() - due_s, outcome]), flush=True)


async def main(known: list[tuple[Question, str]], url: str, key: str, per_second: float) -> None:
    told_to_end = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    headers = {"Authorization": f"Bearer {key}"}
    running: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, limits=limits) as client:
        due_s = time.monotonic()
        for question, answer in itertools.cycle(known):
            task = asyncio.ensure_future(timed(client, question, answer, due_s))
            running.add(task)
            task.add_done_callback(running.discard)
            due_s += 1 / per_second
            await asyncio.wait([told_to_end], timeout=max(due_s - time.monotonic(), 0))
            if told_to_end.done():
                break
        if running:
            await asyncio.wait(running, timeout=LAST_S)
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


if __name__ == "__main__":
    pairs = [(Question(*question), answer) for question, answer in json.loads(Path(sys.argv[1]).read_text("utf-8"))]
    asyncio.run(main(pairs, sys.argv[2], sys.argv[3], float(sys.argv[4])))
