"""The desk of a model: short jobs one after the other, clients in turn."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

from sensorium.serve.writing.fair_queue import FairQueue

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""Whose request is being answered, as `FairQueue` has clients."""

Job = tuple[Future[Any], Callable[[], Any]]


class Desk:
    """A thread at which the jobs of many requests wait, each client's behind its own."""

    def __init__(self):
        self._jobs: FairQueue[Job] = FairQueue(sys.maxsize)
        self._lock = threading.Lock()
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
        return job[0]

    def _next(self) -> None:
        with self._lock:
            if not len(self._jobs):
                return
            future, work = self._jobs.take()
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    def close(self) -> None:
        """Jobs that wait are cancelled; the one that runs is left alone."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            waiting = self._jobs.remove(lambda _: True)
        for future, _ in waiting:
            future.cancel()
