"""Who may use what is scarce, e.g. processes: clients take turns, and none can hold all while another waits."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sensorium.serve.http.errors import busy


class Turns:
    """Places for the clients of one event loop.

    One client has all places but one at most, where there are several: a newcomer finds one, or the next that is left.

    Args:
        places: how many there are.
        waiting: most that one client may have waiting for a place.
        called: what waits.
    """

    def __init__(self, places: int, waiting: int, called: str = "media"):
        self._called = called
        self._free, self._each, self._most_waiting = places, max(1, places - 1), waiting
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def take(self, client: str) -> None:
        """Wait for a place, to be given back with `give_back`.

        Raises:
            ApiError: 429, the client has too many waiting already.
        """
        line = self._waiting.get(client, ())
        if len(line) >= self._most_waiting:
            raise busy(
                f"{len(line)} {self._called} of this client wait already for a turn; ask again when some have had it"
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(client)  # it came at the moment of giving up
            else:
                self._leave(client, turn)
            raise

    def held(self, client: str) -> int:
        """Places that a client has now."""
        return self._held[client]

    def give_back(self, client: str) -> None:
        """Leave a place to the next."""
        self._free += 1
        self._held[client] -= 1
        self._held += Counter()  # forgets who has none
        self._grant()

    @asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[None]:
        """A place for as long as the block lasts; raises what `take` raises."""
        await self.take(client)
        try:
            yield
        finally:
            self.give_back(client)

    def _grant(self) -> None:
        """Free places to those who wait; a client that gets one goes to the end of the line."""
        while self._free:
            client = next((one for one in self._waiting if self._held[one] < self._each), None)
            if client is None:
                return
            turn = self._waiting[client].popleft()
            self._waiting.move_to_end(client)
            if not self._waiting[client]:
                del self._waiting[client]
            if not turn.cancelled():  # one that was given up leaves the line a moment later
                self._free -= 1
                self._held[client] += 1
                turn.set_result(None)

    def _leave(self, client: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(client)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[client]
