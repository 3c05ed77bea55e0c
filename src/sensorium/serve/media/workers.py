"""A few processes that open media of requests, so that a file that breaks its decoder breaks nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections import deque
from weakref import WeakKeyDictionary

from sensorium import plugins
from sensorium.modalities import Wish
from sensorium.modalities import modality as modality_of
from sensorium.opening.protocol import LONGEST_HEAD, READY, Answer, Terms, environment, fault, job
from sensorium.serve.http.errors import ApiError
from sensorium.serve.media.turns import Turns
from sensorium.serve.settings import Settings
from sensorium.types import InputError, Signal

START_S = 60
END_S = 5
NICER = 10
"""By so much what opens media gives way to what writes answers, where they share a core."""


class Workers:
    """Opens media in worker processes, which start when they are needed and again when they have died.

    Attributes:
        deaths: how many have died or were ended for taking too long.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._turns = Turns(settings.workers, settings.max_media_waiting)
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._asked: set[str] = set()
        self._knows: WeakKeyDictionary[Process, frozenset[str]] = WeakKeyDictionary()
        self._dying: set[Process] = set()
        self._spare: asyncio.Task[None] | None = None
        self._broke: deque[str] = deque(maxlen=settings.workers)  # clients whose media ended the last workers
        self.deaths = 0

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._all]

    async def open(self, modality: str, data: bytes, wish: Wish = Wish(), client: str = "") -> Signal:
        """The canonical signal of a medium.

        Args:
            client: who asks; clients take turns.

        Raises:
            InputError: the medium is bad, too large, takes too long, or its decoder crashed.
            ApiError: 503, the worker was killed from outside; 429, the client has too many media waiting.
        """
        async with self._turns.place(client):
            if (plugins.MODALITIES, modality) in plugins.registered():  # known in this process alone
                return await asyncio.to_thread(plugins.load(plugins.MODALITIES, modality).open, data, wish)
            return await self._opened(modality, data, wish, client)

    async def _opened(self, modality: str, data: bytes, wish: Wish, client: str) -> Signal:
        where = f"the {modality_of(modality).called}"
        process = await self._take(modality, client)
        try:
            return await self._found(process, job(modality, data, where, wish.to_json()), where)
        except InputError:
            if process not in self._all:
                self._broke.append(client)
            raise
        finally:
            if process in self._all:
                self._idle.append(process)

    async def _found(self, process: Process, asked: bytes, where: str) -> Signal:
        """What a worker answers; one that fails at it is ended."""
        healthy = False
        try:
            found = await asyncio.wait_for(self._ask(process, asked, where), self._settings.open_s)
            healthy = True
            return found
        except InputError:
            healthy = True
            raise
        except TimeoutError:
            raise InputError(f"{where} takes more than {self._settings.open_s:g} s to open; make it smaller") from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            raise await self._cause(process, where) from error
        finally:
            if not healthy:
                self._end(process)

    async def _take(self, modality: str, client: str) -> Process:
        """A worker; while it is at work, one more is ready, or becomes so, for whoever comes next.

        A client that has one at work leaves the last that is idle to others, and one whose medium has ended a worker
        waits for the next to start.
        """
        self._asked.add(modality)
        if client in self._broke and self._may_start:
            self._broke.remove(client)
            return await self._start(gently=True)
        leaves_last = self._turns.held(client) > 1 and len(self._idle) == 1 and self._may_start
        process = None if leaves_last else self._ready(modality)
        while process is None and self._spare is not None:
            await asyncio.wait([self._spare])
            process = self._ready(modality)
        if process is None:
            process = await self._start()
        if not self._idle and self._spare is None and self._may_start:
            self._spare = asyncio.create_task(self._start_spare())
        return process

    @property
    def _may_start(self) -> bool:
        return len(self._all) < self._settings.workers

    async def _start_spare(self) -> None:
        try:
            with contextlib.suppress(ApiError):  # whoever needs it tries again, and is told
                self._idle.append(await self._start())
        finally:
            self._spare = None

    def _ready(self, modality: str) -> Process | None:
        """A worker that lives and knows a modality.

        They are started for those that were asked for so far: what a modality imports may take longer than a medium
        may, and more memory. Those that are too old are replaced.
        """
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None and modality in self._knows[process]:
                return process
            self._end(process, died=process.returncode is not None)
        return None

    async def _start(self, gently: bool = False) -> Process:
        """A new worker; it gives way from its first moment, or once it has started."""
        memory_bytes, cpu_s, names = self._settings.worker_bytes, self._settings.open_cpu_s, tuple(self._asked)
        terms = Terms(memory_bytes=memory_bytes, cpu_s=cpu_s, dies_with_thread=True, names=names)
        process = await asyncio.create_subprocess_exec(
            *terms.command(),
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_HEAD,
            process_group=0,  # Ctrl-C in a terminal is meant for the server, which ends its workers itself
            env=environment(),
        )
        self._all.add(process)
        self._knows[process] = frozenset(names)
        if gently:
            _give_way(process)
        assert process.stdout is not None
        ready = b""
        try:
            with contextlib.suppress(TimeoutError, ConnectionError, ValueError):
                ready = await asyncio.wait_for(process.stdout.readline(), START_S)
        finally:
            if ready != READY:
                self._end(process)
        if ready != READY:
            raise ApiError(503, "no process to open media could be started", code="no_worker")
        if not gently:
            _give_way(process)
        return process

    async def _ask(self, process: Process, asked: bytes, where: str) -> Signal:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(asked)
        await process.stdin.drain()
        answer = Answer.of(await process.stdout.readline())
        limit = self._settings.max_decoded_bytes
        if answer.size > limit:
            self._end(process)  # instead of reading all of it
            raise InputError(
                f"{where} takes {answer.size} bytes when opened, at most {limit} are allowed; make it smaller"
            )
        return answer.signal(await process.stdout.readexactly(answer.size))

    async def _cause(self, process: Process, where: str) -> Exception:
        """Why a worker stopped answering: an end from outside is not the medium's fault."""
        code = None
        with contextlib.suppress(TimeoutError):  # it lives, and answers with what is no answer
            code = await asyncio.wait_for(process.wait(), END_S)
        if code == -getattr(signal, "SIGKILL", 9):
            return ApiError(503, "the process that opened the medium was killed; try again", code="worker_killed")
        return fault(code, where, self._settings.open_cpu_s)

    def _end(self, process: Process, died: bool = True) -> None:
        self.deaths += died and process in self._all
        self._all.discard(process)
        self._dying = {one for one in (*self._dying, process) if one.returncode is None}
        if process.returncode is None:
            process.kill()

    async def close(self) -> None:
        """End all workers."""
        if self._spare is not None:
            self._spare.cancel()
            await asyncio.wait([self._spare])
        for process in (*self._all, *self._dying):  # one that is at work leaves meanwhile
            if process.returncode is None:
                process.kill()
            await process.wait()
        self._all.clear()


def _give_way(process: Process) -> None:
    """Let a process have less of the cores from now on."""
    with contextlib.suppress(AttributeError, OSError):  # systems without priorities, and a worker that has ended
        os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
