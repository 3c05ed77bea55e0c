"""Opens risky media for programs that wait for them: commands, training, notebooks.

The processes start at the first risky medium, stay for the next one, and end with the program. The server asks such
processes in a way of its own, see `sensorium.serve.media.workers`.
"""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sensorium.opening.protocol import LONGEST_HEAD, READY, Answer, Terms, environment, fault, job
from sensorium.types import InputError, Signal

MEMORY_BYTES = 4 * 2**30
CPU_S = 30.0
WALL_S = 120.0
"""Far above what a good medium needs, also on a machine that is busy."""
START_S = 60.0
MOST = 2
"""Processes at a time, for programs whose threads open media."""


class _Worker:
    def __init__(self, name: str):
        # Linux tells a process of the end of the thread that started it; only the main one ends with the program.
        lasting = threading.current_thread() is threading.main_thread()
        terms = Terms(memory_bytes=MEMORY_BYTES, cpu_s=CPU_S, dies_with_thread=lasting, names=(name,))
        try:
            self._process = subprocess.Popen(
                terms.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(),
                start_new_session=True,  # Ctrl-C is meant for the program
            )
        except OSError as error:
            raise InputError(
                f"no process to open such media could be started ({error}); end others, or try again"
            ) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._jobs, self._answers = self._process.stdin, self._process.stdout
        try:
            with self._at_most(START_S):
                ready = self._answers.readline()
        except BaseException:
            self.end()
            raise
        if ready != READY:
            self.end()
            raise InputError(f"no process to open such media could be started: {shlex.join(terms.command())}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def open(self, modality: str, data: bytes, where: str, wish: Mapping[str, Any]) -> Signal:
        with self._at_most(WALL_S) as late:
            try:
                self._jobs.write(job(modality, data, where, wish))
                self._jobs.flush()
                answer = Answer.of(self._answers.readline(LONGEST_HEAD))
                found = answer.signal(self._answers.read(answer.size))
            except InputError:
                raise
            except (OSError, ValueError) as error:
                self.end()
                raise self._fault(where, late()) from error
        for said in answer.warnings:
            warnings.warn(said, stacklevel=5)
        return found

    def _fault(self, where: str, late: bool) -> InputError:
        if late:
            return InputError(f"{where} takes more than {WALL_S:g} s to open; make it smaller")
        if self._process.returncode == -getattr(signal, "SIGKILL", 9):
            return InputError(f"the process that opened {where} was killed, perhaps for lack of memory; try again")
        return fault(self._process.returncode, where, CPU_S)

    @contextmanager
    def _at_most(self, seconds: float) -> Iterator[Callable[[], bool]]:
        """Kill the process when the block takes longer; gives a function that tells whether that was so."""
        was_late = threading.Event()
        timer = threading.Timer(seconds, lambda: (was_late.set(), self._process.kill()))
        timer.daemon = True
        timer.start()
        try:
            yield was_late.is_set
        finally:
            timer.cancel()

    def end(self) -> None:
        with suppress(subprocess.TimeoutExpired):  # one that crashed is given the time to leave its reason
            self._jobs_end()
            self._process.wait(timeout=1)
        self._process.kill()
        self._process.wait()
        self._answers.close()

    def _jobs_end(self) -> None:
        with suppress(OSError):
            self._jobs.close()

    def forget(self) -> None:
        """In a forked process: the worker is the parent's, which must be the only one that holds its pipes.

        They are not closed: another thread of the parent may have been writing when it forked.
        """
        with open(os.devnull, "r+b") as nothing:
            for pipe in (self._jobs, self._answers):
                os.dup2(nothing.fileno(), pipe.fileno(), inheritable=False)
        self._process.returncode = 0


class _Workers:
    """Idle ones, and places for as many as may be."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MOST)
        self.all: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def open(self, modality: str, data: bytes, where: str, wish: Mapping[str, Any]) -> Signal:
        with self._places:
            worker = self._take(modality)
            try:
                found = worker.open(modality, data, where, wish)
            except InputError:
                self._keep(worker)
                raise
            except BaseException:  # Ctrl-C: it may be anywhere in its answer
                worker.end()
                self._keep(worker)
                raise
            self._keep(worker)
            return found

    def _take(self, modality: str) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.lives:
                    return worker
                worker.end()
                self.all.remove(worker)
        worker = _Worker(modality)
        with self._lock:
            self.all.append(worker)
        return worker

    def _keep(self, worker: _Worker) -> None:
        with self._lock:
            (self._idle.append if worker.lives else self.all.remove)(worker)

    def close(self) -> None:
        for worker in self.all:
            worker.end()
        self.all.clear()
        self._idle.clear()


_workers = _Workers()
_forgotten: list[_Workers] = []
_inside = False


def stay_here() -> None:
    """This is a process that opens media for another: it opens all of them itself."""
    global _inside
    _inside = True


def is_possible() -> bool:
    """Whether media can be opened in another process; a program that is embedded in another may have no Python."""
    return not _inside and bool(sys.executable)


def open_apart(modality: str, data: bytes, where: str, wish: Mapping[str, Any]) -> Signal:
    """A medium, opened and fitted to a wish by another process.

    Args:
        modality: name of an installed one.
        where: what to call the medium in messages.
        wish: see `sensorium.modalities.Wish.to_json`.

    Raises:
        InputError: it is bad, takes too long, or its decoder crashed.
    """
    return _workers.open(modality, data, where, wish)


def pids() -> list[int]:
    """Of the processes that are there."""
    return [worker.pid for worker in _workers.all]


def _after_fork() -> None:
    global _workers
    _forgotten.append(_workers)
    for worker in _workers.all:
        worker.forget()
    _workers = _Workers()


atexit.register(lambda: _workers.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
