"""The desk of a model: short jobs one after the other, the next of whoever has had least of the time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

from sensorium.serve.writing.fair_queue import FairQueue
from sensorium.serve.writing.shared_time import PAUSE_S, SharedTime

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""Whose request is being answered, as `FairQueue` has clients."""

DESK = "desk"

Job = tuple[Future[Any], Callable[[], Any]]


class Desk:
    """A thread at which the jobs of many requests wait, each client's behind its own.

    Args:
        shared: with other threads that work for the same clients.
    """

    def __init__(self, shared: SharedTime | None = None):
        self._jobs: FairQueue[Job] = FairQueue(sys.maxsize)
        self._lock, self._time = threading.Lock(), shared or SharedTime()
        self._at_work: list[str] = []  # the client whose job is being done
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sensorium-desk")

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a function when it is the turn of the client whose request this is.

        Raises:
            RuntimeError: the desk is closed.
        """
        job: Job = (Future(), partial(function, *args))
        with self._lock:
            self._thread.submit(self._next)
            self._jobs.put(CLIENT.get(), [job])
            self._tell_who_is_there()
        return job[0]

    def _next(self) -> None:
        while True:
            with self._lock:
                if not len(self._jobs):
                    return
                client = self._time.next(DESK, self._jobs.clients)
                if client is not None:
                    future, work = self._jobs.take_of(client)
                    self._at_work = [client]
                    break
            time.sleep(PAUSE_S)
        started = time.perf_counter()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
        self._time.charge(client, time.perf_counter() - started)
        with self._lock:
            self._at_work = []
            self._tell_who_is_there()

    def _tell_who_is_there(self) -> None:
        self._time.there(DESK, [*self._at_work, *self._jobs.clients])

    def close(self) -> None:
        """Jobs that wait are cancelled; the one that runs is left alone."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            waiting = self._jobs.remove(lambda _: True)
        for future, _ in waiting:
            future.cancel()
