"""Who works next: whoever has had least of the writer's time, by key first and then among the clients of a key."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf

from sensorium.serve.writing.fair_queue import owner_of

CREDIT_S = 0.5
"""By so much a client that comes is ahead of those that are there: what takes less is done at once."""


class FairTime:
    """Start-time fair queueing (Goyal, Vin and Cheng, 1996) of clients by seconds of work. Not safe for threads.

    Whoever comes starts as if it had had its share so far, less `CREDIT_S`: nobody saves up time by staying away.
    """

    def __init__(self):
        self._owners, self._clients = _Level(), dict[str, _Level]()

    def next(self, clients: Iterable[str], elsewhere: Iterable[str] = ()) -> str | None:
        """Of those with work, at least one, whose turn it is.

        Args:
            elsewhere: clients with work that is not for whoever asks; None when it is the turn of one that is ahead.
        """
        here, by_owner = _by_owner(clients), _by_owner([*clients, *elsewhere])
        owner = self._owners.least(by_owner, here)
        self._clients = {one: level for one, level in self._clients.items() if one in self._owners.used}
        if owner is None:
            return None
        return self._clients.setdefault(owner, _Level()).least(by_owner[owner], here[owner])

    def charge(self, client: str, seconds: float) -> None:
        """Note what was done for a client."""
        owner = owner_of(client)
        self._owners.charge(owner, seconds)
        self._clients.setdefault(owner, _Level()).charge(client, seconds)

    def forget(self) -> None:
        """Nobody has work: all start anew."""
        self._owners, self._clients = _Level(), {}


def _by_owner(clients: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for client in clients:
        found.setdefault(owner_of(client), []).append(client)
    return found


class _Level:
    """Attributes:
    used: seconds, by name, of those with work and of those that have gone with more than a newcomer starts with.
    """

    def __init__(self):
        self.used: dict[str, float] = {}
        self._credit: dict[str, float] = {}  # until when, in seconds used, those that came are ahead
        self._fair, self._sharing = 0.0, 1

    def least(self, names: Iterable[str], here: Collection[str]) -> str | None:
        """Of the names that are here; None when another is first that has not used up what it came with."""
        there = dict.fromkeys(names)
        old = [self.used[name] for name in there if name in self.used]
        ahead = len(old) < len(there) or any(self.used[name] < self._credit.get(name, -inf) for name in there)
        if not ahead:
            self._fair = min(self._fair, max(old))  # who had to wait for those ahead is owed nothing for it
        start, self._sharing = self._fair - (CREDIT_S if old else 0), len(there)
        self.used = {name: used for name, used in self.used.items() if used > start or name in there}
        self._credit = {name: until for name, until in self._credit.items() if name in self.used}
        for name in there:
            if name not in self.used:
                self.used[name], self._credit[name] = start, self._fair
        first = min(there, key=self.used.__getitem__)
        if first in here or self.used[first] >= self._credit.get(first, -inf):
            return min(here, key=self.used.__getitem__)
        return None

    def charge(self, name: str, seconds: float) -> None:
        self.used[name] = self.used.get(name, self._fair) + seconds
        self._fair += seconds / self._sharing  # what each has had who was there all the time
