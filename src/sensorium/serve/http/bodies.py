"""How much of requests' bodies the server holds at once."""

from __future__ import annotations

from collections import Counter

from sensorium.serve.http.errors import ApiError
from sensorium.serve.settings import Settings

FREE_BYTES = 2**16
"""Of every body: what is bounded by the number of connections need not be counted, so small requests always pass."""
RETRY = {"Retry-After": "5"}


class Bodies:
    """Counts the bytes of bodies from their arrival to the end of their requests, in all and by client."""

    def __init__(self, settings: Settings):
        self._most = settings.max_bodies_bytes
        self._share = max(self._most // 2, min(settings.max_body_bytes, self._most))
        self._held: Counter[str] = Counter()
        self.total = 0

    def take(self, client: str, before: int, size: int) -> None:
        """A body has grown from ``before`` to ``size`` bytes.

        Raises:
            ApiError: 429, the client sends too much at once; 503, all do.
        """
        more = _counted(size) - _counted(before)
        if self._held[client] + more > self._share:
            raise ApiError(
                429, f"your requests hold more than {self._share} bytes at once; wait for their answers",
                code="too_many_bytes", headers=RETRY,
            )  # fmt: skip
        if self.total + more > self._most:
            raise ApiError(
                503, f"all requests together hold more than {self._most} bytes; try again later",
                code="too_many_bytes", headers=RETRY,
            )  # fmt: skip
        self._held[client] += more
        self.total += more

    def give_back(self, client: str, size: int) -> None:
        """A request that held ``size`` bytes is over."""
        self.total -= _counted(size)
        self._held[client] -= _counted(size)
        if not self._held[client]:
            del self._held[client]


def _counted(size: int) -> int:
    return max(0, size - FREE_BYTES)
