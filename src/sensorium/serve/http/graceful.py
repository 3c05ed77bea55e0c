"""uvicorn with an end at which unfinished requests get an answer."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from sensorium.serve.http.connections import BACKLOG, Door, most_connections
from sensorium.serve.settings import Settings

FINISH_S = 3
CANCEL_S = 5


def config(app: Any, settings: Settings, **more: Any) -> uvicorn.Config:
    """What uvicorn needs to serve ``app`` within the limits of connections; ``more`` are other options of it."""
    door = Door(settings, most_connections(settings))
    logging.getLogger("uvicorn.error").addFilter(_is_ours)
    options: dict[str, Any] = dict(
        http=door.connection,
        ws="none",
        backlog=BACKLOG,
        log_level="warning",
        proxy_headers=bool(settings.proxies),  # of others anybody could claim any address
        forwarded_allow_ips=list(settings.proxies),
        server_header=False,
    )
    return uvicorn.Config(app, **options | more)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a message tells of the server, and not of what a client sent, which could fill the log."""
    return record.getMessage() != "Invalid HTTP request received."


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
