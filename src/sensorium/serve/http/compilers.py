"""Where forms of answers are compiled: in a few threads, clients in turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sensorium.serve.media.turns import Turns
from sensorium.serve.writing.desk import CLIENT

T = TypeVar("T")
PLACES = 2
MOST_WAITING = 32


class Compilers:
    """Threads that compile, one of a client at a time; each lasts as long as its work and lets the program end."""

    def __init__(self):
        self._turns = Turns(PLACES, MOST_WAITING, "schemas")

    async def run(self, work: Callable[[], T], most_s: float) -> T:
        """What ``work`` returns or raises, when it is the turn of the client whose request this is.

        Args:
            most_s: seconds it may take, from its turn on. Work that takes longer keeps its place until it ends.

        Raises:
            TimeoutError: it takes longer.
            ApiError: 429, the client has too many waiting.
        """
        client, loop = CLIENT.get(), asyncio.get_running_loop()
        await self._turns.take(client)
        done: asyncio.Future[T] = loop.create_future()

        def end(tell: Callable[[], None]) -> None:
            self._turns.give_back(client)
            if not done.done():
                tell()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:
                told = error  # the name ``error`` ends with this block
                tell = lambda: done.set_exception(told)  # noqa: E731
            else:
                tell = lambda: done.set_result(result)  # noqa: E731
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(end, tell)

        try:
            threading.Thread(target=run, daemon=True, name="sensorium-forms").start()
        except RuntimeError:
            self._turns.give_back(client)
            raise
        return await asyncio.wait_for(done, most_s)
