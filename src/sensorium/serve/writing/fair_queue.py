"""Who waits: clients find a place, however much each of them asks for."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each client; whose turn it is, others say. Not safe for threads by itself.

    A client may not hold more places than it leaves free (the dynamic thresholds of Choudhury and Hahne, 1998): one
    that wants all gets half. Where many want all, what becomes free is for those who hold less. Clients called
    KEY@ADDRESS share by key first, and those of a key among each other.

    Args:
        capacity: most items that may wait.
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self._waiting: OrderedDict[str, OrderedDict[str, deque[T]]] = OrderedDict()  # by key, by client

    def __len__(self) -> int:
        return sum(map(_count, self._waiting.values()))

    def put(self, client: str, items: Iterable[T]) -> bool:
        """Add all items, or none when they do not fit or would leave too little to others."""
        items = list(items)
        if not self._has_room(client, len(items)):
            return False
        if items:
            of_key = self._waiting.setdefault(_key(client), OrderedDict())
            of_key.setdefault(client, deque()).extend(items)
        return True

    def _has_room(self, client: str, more: int) -> bool:
        free = self.capacity - len(self) - more
        of_key = self._waiting.get(_key(client), OrderedDict())
        levels = [len(of_key.get(client, ()))]
        if _key(client):
            levels.insert(0, _count(of_key))
        for held in levels:
            if held and held + more > free:
                return False
            free = max(0, free - held - more) // 2  # what the key could still add, for its clients to share
        return self.capacity - len(self) >= more

    @property
    def clients(self) -> list[str]:
        """Who waits, by their keys."""
        return [client for of_key in self._waiting.values() for client in of_key]

    def first_of(self, client: str) -> T:
        """What `take_of` gives next."""
        return self._waiting[_key(client)][client][0]

    def take_of(self, client: str) -> T:
        """The next item of a client that waits."""
        of_key = self._waiting[_key(client)]
        item = of_key[client].popleft()
        if not of_key[client]:
            del of_key[client]
        if not of_key:
            del self._waiting[_key(client)]
        return item

    def remove(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Take out, and return, every item for which ``unwanted`` holds."""
        removed: list[T] = []
        for key, of_key in list(self._waiting.items()):
            for client, items in list(of_key.items()):
                kept = deque(item for item in items if not unwanted(item))
                if len(kept) < len(items):
                    removed += [item for item in items if unwanted(item)]
                    of_key[client] = kept
                if not kept:
                    del of_key[client]
            if not of_key:
                del self._waiting[key]
        return removed


def owner_of(client: str) -> str:
    """Who shares with others as one: all clients of a key, or a client without one."""
    return _key(client) or client


def _key(client: str) -> str:
    return client.rpartition("@")[0]


def _count(of_key: OrderedDict[str, deque[T]]) -> int:
    return sum(map(len, of_key.values()))
