"""Who is next: clients take turns, however much each of them asks for."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each client, and clients in turn. Not safe for threads by itself.

    Args:
        capacity: most items that may wait.
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, client: str, items: Iterable[T]) -> bool:
        """Add all items, or none when they do not fit."""
        items = list(items)
        if len(self) + len(items) > self.capacity:
            return False
        if items:
            self._waiting.setdefault(client, deque()).extend(items)
        return True

    @property
    def first(self) -> T:
        """What `take` gives next."""
        return next(iter(self._waiting.values()))[0]

    def take(self) -> T:
        """The next item; its client goes to the end of the line."""
        client, items = self._waiting.popitem(last=False)
        item = items.popleft()
        if items:
            self._waiting[client] = items
        return item

    def remove(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Take out, and return, every item for which ``unwanted`` holds."""
        removed = [item for items in self._waiting.values() for item in items if unwanted(item)]
        for client, items in list(self._waiting.items()):
            kept = deque(item for item in items if item not in removed)
            if kept:
                self._waiting[client] = kept
            else:
                del self._waiting[client]
        return removed
