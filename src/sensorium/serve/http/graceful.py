"""uvicorn with an end at which unfinished requests get an answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

FINISH_S = 3
CANCEL_S = 5


class GracefulServer(uvicorn.Server):
    """When told to stop, it lets requests end for `FINISH_S`; then the models go, which fails those that remain.

    What still runs `CANCEL_S` after the signal is cancelled.

    Args:
        config: of uvicorn.
        close: ends the models of the application.
    """

    def __init__(self, config: uvicorn.Config, close: Callable[[], None]):
        config.timeout_graceful_shutdown = CANCEL_S
        super().__init__(config)
        self._close = close

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing = asyncio.ensure_future(self._close_later())
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()

    async def _close_later(self) -> None:
        await asyncio.sleep(FINISH_S)
        await asyncio.to_thread(self._close)
