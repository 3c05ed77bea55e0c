"""A few processes that open media, so that a file that breaks its decoder breaks nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from math import prod
from typing import Any

import numpy as np

from sensorium import plugins
from sensorium.modalities import Wish
from sensorium.serve.http.errors import ApiError
from sensorium.serve.media.opener import READY
from sensorium.serve.settings import Settings
from sensorium.types import InputError, Signal

START_S = 60
END_S = 5
BUFFER_BYTES = 2**20
PASSED_ON = ("PATH", "LANG", "PYTHONPATH", "SYSTEMROOT", "VIRTUAL_ENV", "HOME")
"""What a worker sees of the server's environment; keys and tokens stay out."""


class Workers:
    """Opens media in worker processes, which start at the first medium and again when they have died.

    Attributes:
        deaths: how many have died or were ended for taking too long.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._idle: asyncio.Queue[Process | None] = asyncio.Queue()
        self._all: set[Process] = set()
        self.deaths = 0
        for _ in range(settings.workers):
            self._idle.put_nowait(None)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._all]

    async def open(self, modality: str, data: bytes, wish: Wish = Wish()) -> Signal:
        """The canonical signal of a medium.

        Raises:
            InputError: the medium is bad, too large, takes too long, or its decoder crashed.
            ApiError: 503, the worker was killed from outside.
        """
        if (plugins.MODALITIES, modality) in plugins.registered():  # known in this process alone
            return await asyncio.to_thread(plugins.load(plugins.MODALITIES, modality).open, data, wish)
        process = await self._idle.get()
        healthy = False
        try:
            if process is None or process.returncode is not None:
                process = await self._start()
            signal = await asyncio.wait_for(self._ask(process, modality, data, wish), self._settings.open_s)
            healthy = True
            return signal
        except InputError:
            healthy = True
            raise
        except TimeoutError:
            raise InputError(
                f"the medium ({modality}) takes more than {self._settings.open_s:g} s to open; make it smaller"
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            raise await self._cause(process, modality) from error
        finally:
            if not healthy:
                self._end(process)
            self._idle.put_nowait(process if process in self._all else None)

    async def _start(self) -> Process:
        command = [sys.executable, "-m", "sensorium.serve.media.opener", str(self._settings.worker_bytes)]
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            limit=BUFFER_BYTES,
            start_new_session=True,  # Ctrl-C in a terminal is meant for the server, which ends its workers itself
            env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._all.add(process)
        assert process.stdout is not None
        ready = b""
        try:
            with contextlib.suppress(TimeoutError):
                ready = await asyncio.wait_for(process.stdout.readline(), START_S)
        finally:
            if ready != READY:
                self._end(process)
        if ready != READY:
            raise ApiError(503, "no process to open media could be started", code="no_worker")
        return process

    async def _ask(self, process: Process, modality: str, data: bytes, wish: Wish) -> Signal:
        assert process.stdin is not None and process.stdout is not None
        job = {"modality": modality, "wish": wish.to_json(), "size": len(data)}
        process.stdin.write(json.dumps(job).encode() + b"\n" + data)
        await process.stdin.drain()
        head = json.loads(await process.stdout.readline() or b"-")  # nothing: the process is gone
        if "error" in head:
            raise InputError(head["error"])
        limit, size = self._settings.max_decoded_bytes, int(head["size"])
        if size > limit:
            self._end(process)  # instead of reading all of it
            raise InputError(f"the medium ({modality}) takes {size} bytes when opened, at most {limit} are allowed")
        array = _array(await process.stdout.readexactly(size), head["dtype"], head["shape"])
        return _signal(array, head["meta"])

    async def _cause(self, process: Process | None, modality: str) -> Exception:
        """Why a worker stopped answering: an end from outside is not the medium's fault."""
        code = None
        with contextlib.suppress(TimeoutError):  # it lives, and answers with what is no answer
            code = None if process is None else await asyncio.wait_for(process.wait(), END_S)
        if code == -signal.SIGKILL:
            return ApiError(503, "the process that opened the medium was killed; try again", code="worker_killed")
        return InputError(f"the medium ({modality}) made its decoder crash; save it again or use another format")

    def _end(self, process: Process | None) -> None:
        if process is None:
            return
        self.deaths += process in self._all
        self._all.discard(process)
        if process.returncode is None:
            process.kill()

    async def close(self) -> None:
        """End all workers."""
        for process in list(self._all):  # one that is at work leaves meanwhile
            if process.returncode is None:
                process.kill()
            await process.wait()
        self._all.clear()


def _array(data: bytes, dtype: str, shape: list[int]) -> np.ndarray:
    """ValueError when the three do not fit; only plain numbers are taken."""
    kind = np.dtype(str(dtype))
    if kind.kind not in "biuf" or kind.itemsize * prod(shape) != len(data):
        raise ValueError("a worker sent what is no array")
    return np.frombuffer(data, kind).reshape(shape)


def _signal(array: np.ndarray, meta: dict[str, Any]) -> Signal:
    """ValueError when it does not say what a signal says."""
    try:
        return Signal.of(array, meta)
    except (AttributeError, TypeError) as error:
        raise ValueError("a worker sent what is no signal") from error
