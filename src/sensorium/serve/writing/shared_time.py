"""The writer's and the desk's time as one: whoever has just come is first in both threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sensorium.serve.writing.fair_time import FairTime

PAUSE_S = 0.001
"""After which a thread that waits for another asks again."""
HOLD_S = 0.1
"""For which a thread waits for another at most: a job of the other may take long."""


class SharedTime:
    """What clients have had of the threads of one model, which compute on the same cores.

    While a client that is ahead (see `FairTime`) has work in one thread, the others begin nothing for those who are
    not: on few cores that would slow its work down, and it would find them busy when it goes on there.
    """

    def __init__(self):
        self._time, self._lock = FairTime(), threading.Lock()
        self._there: dict[str, Sequence[str]] = {}
        self._waits_since: dict[str, float] = {}

    def next(self, thread: str, clients: Sequence[str]) -> str | None:
        """Of those with work in a thread, at least one, whose turn it is; None to wait for `PAUSE_S`."""
        with self._lock:
            self._there[thread] = clients
            elsewhere = [one for name, some in self._there.items() if name != thread for one in some]
            client = self._time.next(clients, elsewhere)
            if client is not None:
                self._waits_since.pop(thread, None)
            elif time.monotonic() - self._waits_since.setdefault(thread, time.monotonic()) > HOLD_S:
                client = self._time.next(clients)
            return client

    def charge(self, client: str, seconds: float) -> None:
        """Note what was done for a client."""
        with self._lock:
            self._time.charge(client, seconds)

    def there(self, thread: str, clients: Sequence[str]) -> None:
        """Note who has work in a thread; where nobody has in any, all start anew."""
        with self._lock:
            self._there[thread] = clients
            if not any(self._there.values()):
                self._time.forget()
