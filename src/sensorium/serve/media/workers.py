"""A few processes that open media of requests, so that a file that breaks its decoder breaks nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, Process
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
            return await self._opened(modality, data, wish)

    async def _opened(self, modality: str, data: bytes, wish: Wish) -> Signal:
        process, healthy = self._ready(modality), False
        where = f"the {modality_of(modality).called}"
        try:
            if process is None:
                process = await self._start()
            asked = job(modality, data, where, wish.to_json())
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
            elif process in self._all:
                self._idle.append(process)

    def _ready(self, modality: str) -> Process | None:
        """A worker that lives and knows a modality.

        They are started for those that were asked for so far: what a modality imports may take longer than a medium
        may, and more memory. Those that are too old are replaced.
        """
        self._asked.add(modality)
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None and modality in self._knows[process]:
                return process
            self._end(process, died=process.returncode is not None)
        return None

    async def _start(self) -> Process:
        memory_bytes, cpu_s, names = self._settings.worker_bytes, self._settings.open_cpu_s, tuple(self._asked)
        terms = Terms(memory_bytes=memory_bytes, cpu_s=cpu_s, dies_with_thread=True, names=names)
        process = await asyncio.create_subprocess_exec(
            *terms.command(),
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_HEAD,
            start_new_session=True,  # Ctrl-C in a terminal is meant for the server, which ends its workers itself
            env=environment(),
        )
        self._all.add(process)
        self._knows[process] = frozenset(names)
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

    async def _cause(self, process: Process | None, where: str) -> Exception:
        """Why a worker stopped answering: an end from outside is not the medium's fault."""
        code = None
        with contextlib.suppress(TimeoutError):  # it lives, and answers with what is no answer
            code = None if process is None else await asyncio.wait_for(process.wait(), END_S)
        if code == -getattr(signal, "SIGKILL", 9):
            return ApiError(503, "the process that opened the medium was killed; try again", code="worker_killed")
        return fault(code, where, self._settings.open_cpu_s)

    def _end(self, process: Process | None, died: bool = True) -> None:
        if process is None:
            return
        self.deaths += died and process in self._all
        self._all.discard(process)
        self._dying = {one for one in (*self._dying, process) if one.returncode is None}
        if process.returncode is None:
            process.kill()

    async def close(self) -> None:
        """End all workers."""
        for process in (*self._all, *self._dying):  # one that is at work leaves meanwhile
            if process.returncode is None:
                process.kill()
            await process.wait()
        self._all.clear()
