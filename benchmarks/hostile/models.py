"""Models that come and go while they are asked."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from benchmarks.hostile.asking import CHAT, chat_body
from benchmarks.hostile.attack import Attack

LOAD, UNLOAD = "/v1/models/load", "/v1/models/unload"
SECOND = "second"
MISSING = (
    "",
    "\0",
    "../..",
    "/etc",
    "/dev/zero",
    "no/such-model",
    "a" * 400,
    "//evil/share",
    "hf://x",
    ".",
    "~",
    "a\n",
)


async def races(attack: Attack, rounds: int) -> None:
    """A second model is loaded twice at once and unloaded twice at once, ``rounds`` times, while others ask it.

    Beside it, what is no model is to be loaded and unloaded.
    """
    come: Any = (LOAD, {"model": attack.model, "name": SECOND})
    go: Any = (UNLOAD, {"model": SECOND})
    question: Any = (CHAT, chat_body(SECOND, "Hello!", modalities=["text"], max_tokens=16))
    over = asyncio.Event()
    async with attack.client() as client:

        async def step(path: str, body: Any) -> None:
            await attack.send(client, f"{path} {str(body)[:60]}", path, body)

        async def ask() -> None:
            while not over.is_set():
                await step(*question)
                await asyncio.sleep(0.05)

        async def ask_for_nonsense() -> None:
            for number in itertools.count():
                if over.is_set():
                    return
                await step((LOAD, UNLOAD)[number % 2], {"model": MISSING[number % len(MISSING)]})
                await asyncio.sleep(0.1)

        beside = [asyncio.ensure_future(work()) for work in (ask, ask, ask, ask_for_nonsense)]
        for _ in range(rounds):
            await asyncio.gather(step(*come), step(*come))
            await asyncio.sleep(0.3)
            await asyncio.gather(step(*go), step(*come), step(*go))
            await step(*go)
        over.set()
        await asyncio.gather(*beside)


async def load(attack: Attack, count: int) -> None:
    """The second model comes, ``count`` times."""
    async with attack.client() as client:
        for _ in range(count):
            await attack.send(client, LOAD, LOAD, {"model": attack.model, "name": SECOND})


async def unload(attack: Attack, count: int) -> None:
    """The second model goes, ``count`` times."""
    async with attack.client() as client:
        for _ in range(count):
            await attack.send(client, UNLOAD, UNLOAD, {"model": SECOND})
