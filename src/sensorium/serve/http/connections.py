"""Who may keep a connection open, and for how long: what uvicorn leaves to a proxy in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from sensorium.serve.http.errors import HEADERS, ApiError
from sensorium.serve.settings import Settings

BACKLOG = 256
"""Connections that the system keeps until they are accepted, and that are accepted at once."""
OTHER_FILES = 128
"""Files and pipes that the server needs beside its connections."""
MOST_FILES = 65_536
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
TOLD_EVERY_S = 60
SLOWEST_BYTES_PER_S = 1024
"""At which a client may read an answer."""
FULL = ApiError(
    503, "the server has no room for another connection; close those you do not use, or try again later",
    code="too_many_connections", headers={"Retry-After": "1"},
)  # fmt: skip
UNREADABLE = ApiError(400, "this is no HTTP/1.1 request that could be read", code="invalid_http")

log = logging.getLogger("sensorium.serve")


class Door:
    """The open connections, by address. Where there is no room, the one that has idled longest makes it.

    An address that has its share makes room itself; else, when all are taken, the address that has most of them.
    Only idle connections are closed for another: those on which no request is being answered.

    Args:
        settings: the limits.
        most: connections at the same time.
    """

    def __init__(self, settings: Settings, most: int):
        self.settings, self.most = settings, most
        self.share = max(1, int(most * settings.client_share))
        self._open: dict[str, set[Connection]] = {}
        self._idle: dict[str, dict[Connection, None]] = {}  # in the order in which they became so
        self.count = 0
        self._told = -float(TOLD_EVERY_S)

    def connection(self, **options: Any) -> Connection:
        """For uvicorn, as its protocol for HTTP."""
        return Connection(self, **options)

    def enter(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        address = connection.address
        if address not in self.settings.proxies and len(self._open.get(address, ())) >= self.share:
            crowd = address
        elif self.count >= self.most:
            crowd = max(self._open, key=lambda name: len(self._open[name]))
        else:
            crowd = None
        if crowd is not None and not self._make_room(crowd):
            return False
        self._open.setdefault(address, set()).add(connection)
        self.count += 1
        return True

    def _make_room(self, address: str) -> bool:
        self._tell()
        oldest = next(iter(self._idle.get(address, ())), None)
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.transport.abort()
        return True

    def leave(self, connection: Connection) -> None:
        """A connection is closed, or about to be; it may be told of twice."""
        self.set_idle(connection, False)
        address = connection.address
        if connection in self._open.get(address, ()):
            self.count -= 1
            self._open[address].remove(connection)
            if not self._open[address]:
                del self._open[address]

    def set_idle(self, connection: Connection, idle: bool) -> None:
        waiting = self._idle.setdefault(connection.address, {})
        waiting.pop(connection, None)
        if idle:
            waiting[connection] = None
        elif not waiting:
            del self._idle[connection.address]

    def _tell(self) -> None:
        if time.monotonic() - self._told >= TOLD_EVERY_S:
            self._told = time.monotonic()
            log.warning("%d connections are open, so idle ones are closed and others refused", self.count)


class Connection(H11Protocol):
    """One connection, on which time is bounded that goes by without a request being answered.

    It runs from the opening, or the end of an answer, to the end of the next head; also while the rest of a refused
    body comes, while a closing connection sends its last bytes, and while a client leaves an answer unread.
    """

    def __init__(self, door: Door, **options: Any):
        super().__init__(**options)
        self._door, self._state = door, "busy"
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if not self._door.enter(self):
            self._end_with(FULL)
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        self._stop_timer()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _note(self) -> None:
        state = "idle" if self._is_idle else "unread" if self.flow.write_paused else "busy"
        if state == self._state:
            return
        self._state = state
        self._stop_timer()
        self._door.set_idle(self, state == "idle" and not self.transport.is_closing())
        if state != "busy":
            self._wait(self._door.settings.head_s if state == "idle" else self._door.settings.send_s)

    def _wait(self, seconds: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(seconds, self._time_over, seconds, unsent)

    def _time_over(self, seconds: float, before: int) -> None:
        if before - self.transport.get_write_buffer_size() >= SLOWEST_BYTES_PER_S * seconds:
            self._wait(seconds)  # a long answer on a slow line
        else:
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        if self._is_idle:
            self._end_with(UNREADABLE)
        else:  # an answer is under way, in which no other can be told
            self.transport.abort()

    def _end_with(self, error: ApiError) -> None:
        """Past the server's machinery, which is for requests."""
        self.transport.write(raw(error))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: clients could fill the log."""


def raw(error: ApiError) -> bytes:
    """A whole answer, as bytes."""
    body = json.dumps(error.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    headers |= dict(error.headers or {})
    first = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"
    lines = [first, *(": ".join(pair) for pair in headers.items())]
    told = [line.encode() for line in lines] + [b": ".join(pair) for pair in HEADERS]
    return b"\r\n".join([*told, b"", body])


class Listening(socket.socket):
    """A socket that refuses what waits when the process has no file descriptor left.

    The event loop would log each failure and try again at once. Here one descriptor is kept back, with which
    connections are taken and closed.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)
        self._told = -float(TOLD_EVERY_S)

    def accept(self) -> tuple[socket.socket, Any]:
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._refuse_one(error)
            raise BlockingIOError(errno.EAGAIN, "refused") from error  # the loop then asks again after other work

    def _refuse_one(self, error: OSError) -> None:
        if time.monotonic() - self._told >= TOLD_EVERY_S:
            self._told = time.monotonic()
            log.warning("a connection was refused: %s", error.strerror)
        self._let_go()
        with contextlib.suppress(OSError):
            super().accept()[0].close()
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)
        if self._spare is None:  # somebody was quicker
            time.sleep(0.01)

    def _let_go(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def close(self) -> None:
        self._let_go()
        super().close()


def most_connections(settings: Settings) -> int:
    """As many as are wanted and the system allows, whose limit of open files is raised as far as it goes."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return settings.max_connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = settings.max_connections if soft == resource.RLIM_INFINITY else soft - BACKLOG - OTHER_FILES
    return max(8, min(settings.max_connections, room))
