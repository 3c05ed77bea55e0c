"""A server in a process of its own, and what it and its workers take."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
from benchmarks.hostile.asking import Question
from benchmarks.hostile.quiet import Asked

START_S = 180
MEBIBYTE = 2**20
SERVER_FILES = 1024
"""File descriptors of the server: what most systems allow unless told otherwise."""


class Sample(NamedTuple):
    """At one moment; memory in MiB. Workers are all processes below the server."""

    at_s: float
    server_mb: int
    server_fds: int
    workers_mb: int
    workers_fds: int
    workers: int


class ServerProcess:
    """``sensorium serve MODEL``, sampled several times a second.

    Args:
        model: name or folder.
        log: file for all that it prints.
        options: further ones of the command.
        most_mb: memory at which it is ended, before it takes the machine's.
        every_s: between samples.
        port: to listen on; 0 for a free one.

    Attributes:
        samples: so far.
        death: why it ended when nobody asked it to; None while it lives.
    """

    def __init__(
        self, model: str, log: Path, options: Sequence[str], *, most_mb: int, every_s: float = 0.2, port: int = 0
    ):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.samples: list[Sample] = []
        self.death: str | None = None
        self._most_mb, self._every_s, self._expected = most_mb, every_s, False
        command = [sys.executable, "-m", "sensorium", "serve", model, "--port", str(self.port), *options]
        allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open(log, "ab") as file:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(SERVER_FILES, most), most))
            try:
                self._popen = subprocess.Popen(command, stdout=file, stderr=file, env=_environment())
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        self.process = psutil.Process(self._popen.pid)
        self._watch = threading.Thread(target=self._sample_all, daemon=True)
        self._watch.start()
        self._wait_until_up(log)

    def _wait_until_up(self, log: Path) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.alive:
            if self.healthy(1):
                return
            time.sleep(0.1)
        self.kill()
        raise SystemExit(f"the server did not start; it said: {log.read_text(errors='replace')[-2000:]}")

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def healthy(self, within_s: float) -> bool:
        """Whether it answers who asks for its health."""
        try:
            return httpx.get(self.url + "/health", timeout=within_s).status_code == 200
        except httpx.HTTPError:
            return False

    def workers(self) -> list[psutil.Process]:
        """The processes below it, which open media."""
        with contextlib.suppress(psutil.Error):
            return self.process.children(recursive=True)
        return []

    def signal(self, number: int) -> None:
        """Send a signal that is to end it."""
        self._expected = True
        self._popen.send_signal(number)

    def ended(self, within_s: float) -> float | None:
        """Seconds until it has ended; None when it has not."""
        started = time.monotonic()
        try:
            self._popen.wait(within_s)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - started

    def kill(self) -> None:
        """End it and its workers at once."""
        self._expected = True
        for process in [*self.workers(), self.process]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._popen.wait()

    def sample(self) -> Sample:
        """What it takes now; zeros for what has ended."""
        workers = [taken for worker in self.workers() if (taken := _taken(worker)) is not None]
        server_mb, server_fds = _taken(self.process) or (0, 0)
        workers_mb, workers_fds = sum(mb for mb, _ in workers), sum(fds for _, fds in workers)
        return Sample(time.monotonic(), server_mb, server_fds, workers_mb, workers_fds, len(workers))

    def between(self, start_s: float, end_s: float) -> list[Sample]:
        """The samples of a stretch of time; one at least."""
        return [one for one in self.samples if start_s <= one.at_s <= end_s] or [self.sample()]

    def _sample_all(self) -> None:
        while self.alive:
            taken = self.sample()
            self.samples.append(taken)
            if taken.server_mb > self._most_mb:
                self.death = f"ended by this script, for it took {taken.server_mb} MiB"
                self.kill()
            time.sleep(self._every_s)
        if not self._expected:
            self.death = f"ended by itself with code {self._popen.returncode}"


def _taken(process: psutil.Process) -> tuple[int, int] | None:
    """Memory in MiB and file descriptors."""
    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss // MEBIBYTE, process.num_fds()
    return None


def _environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class QuietProcess:
    """The quiet client at work; see `benchmarks.hostile.quiet`."""

    def __init__(self, known: Sequence[tuple[Question, str]], url: str, key: str, per_second: float, folder: Path):
        file = folder / "known.json"
        file.write_text(json.dumps(known), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.hostile.quiet", str(file), url, key, str(per_second)]
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.asked: list[Asked] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.asked.append(Asked(*json.loads(line)))

    def stop(self) -> list[Asked]:
        """All that it asked, what was never answered too."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait()
        self._reader.join()
        return self.asked
