"""One storm: the generators one after the other against one server, and the quiet client beside them."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
from benchmarks.hostile import bodies, connections, ending, media, models
from benchmarks.hostile.asking import Question, ask, small_questions
from benchmarks.hostile.attack import Attack, Tally
from benchmarks.hostile.process import QuietProcess, Sample, ServerProcess
from benchmarks.hostile.quiet import Asked

LONGEST_S = 900
"""Of one generator."""
HANGS_S = 30
"""A server that does not tell its health for so long, after a generator has ended, is dead."""
PER_SECOND = 4
"""Questions of the quiet client."""
NICER = 10
"""Attackers would be on other machines: here they give way to the server."""


class Generator(NamedTuple):
    name: str
    function: Callable[[Attack, int], Awaitable[None]]
    requests: int
    when_short: int
    busy: bool = False


GENERATORS = (
    Generator("unknown addresses", connections.unknown, 1500, 80),
    Generator("wrong values", bodies.wrong_values, 2500, 120),
    Generator("malformed HTTP", connections.malformed, 1500, 100),
    Generator("disconnects", connections.disconnects, 1200, 60),
    Generator("flood of good requests", connections.flood, 1500, 130),
    Generator("structured output", bodies.hostile_structure, 200, 40),
    Generator("bad addresses", media.bad_addresses, 400, 48),
    Generator("bad media", media.bad_media, 700, 44),
    Generator("worker kills", media.worker_kills, 300, 20),
    Generator("slow media", media.slow_media, 60, 2),
    Generator("slow heads", connections.slow_heads, 300, 60, busy=True),
    Generator("slow bodies", connections.slow_bodies, 200, 40, busy=True),
    Generator("slow readers", connections.slow_readers, 200, 12, busy=True),
    Generator("idle connections", connections.idle, 1100, 560, busy=True),
    Generator("idle, 100 addresses", connections.idle_everywhere, 1100, 200, busy=True),
    Generator("models come and go", models.races, 12, 1),
    Generator("amplification", bodies.amplification, 300, 40),
)
SIGTERM, SIGKILL = Generator("SIGTERM", ending.terminated, 40, 10), Generator("SIGKILL", ending.killed, 4, 0)


@dataclass
class Row:
    """What happened while one generator was at work.

    Attributes:
        before, after: what the server took, as it began and a moment after it had ended.
        death: why the server ended, when it did.
    """

    tally: Tally
    start_s: float
    end_s: float
    before: Sample
    peak: Sample
    after: Sample
    death: str | None


@dataclass
class Findings:
    """All that a storm found. ``alone_s`` is the stretch in which the quiet client was alone."""

    rows: list[Row] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    alone_s: tuple[float, float] = (0, 0)
    before: Sample | None = None
    rested: Sample | None = None
    log_bytes: int = 0


class Storm:
    """Args:
    model: name or folder.
    seed: of all that is random in the requests.
    short: the form for a test.
    folder: for the server's log and other files of the run.
    most_mb: see `ServerProcess`.
    only: names of the generators to run; empty for all.
    """

    def __init__(self, model: str, *, seed: int, short: bool, folder: Path, most_mb: int, only: Sequence[str] = ()):
        self._model, self._seed, self._short, self._folder, self._most_mb = model, seed, short, folder, most_mb
        self._only = only
        self._name = Path(model).name
        self._quiet_key, self._key = secrets.token_hex(8), secrets.token_hex(8)
        self._media = folder / "media"
        self._media.mkdir()
        media.prepare_folder(self._media)
        self._log = folder / "server.log"
        self._known: list[tuple[Question, str]] = []
        self.findings = Findings()

    def run(self) -> Findings:
        """All of it; the server has ended afterwards, however it went."""
        self._begin()
        try:
            self._known = asyncio.run(self._learn())
            self._quiet = self._quiet_client()
            self._alone()
            for generator in GENERATORS:
                if not self._only or generator.name in self._only:
                    self._one(generator)
            self.findings.rested = self._rested()
            self.findings.asked += self._quiet.stop()
            self._end(SIGTERM)
            if not self._short:
                self._begin()
                self._end(SIGKILL)
            self.findings.log_bytes = self._log.stat().st_size
        finally:
            self._server.kill()
        return self.findings

    def _begin(self) -> None:
        keys = ["--api-key", self._quiet_key, "--api-key", self._key]
        places = ["--allow-media-domain", "localhost", "--allow-media-path", str(self._media)]
        self._server = ServerProcess(self._model, self._log, [*keys, *places], most_mb=self._most_mb)

    def _quiet_client(self) -> QuietProcess:
        return QuietProcess(self._known, self._server.url, self._quiet_key, PER_SECOND, self._folder)

    async def _learn(self) -> list[tuple[Question, str]]:
        """The answers of the quiet client's questions, each asked twice."""
        headers = {"Authorization": f"Bearer {self._quiet_key}"}
        async with httpx.AsyncClient(base_url=self._server.url, headers=headers, timeout=60) as client:
            known = [(question, await ask(client, question)) for question in small_questions(self._name)]
            for question, answer in known:
                assert await ask(client, question) == answer, f"{question} has two answers"
        return known

    def _alone(self) -> None:
        """What the quiet client's requests take without others, once a crowd of good ones has warmed the server."""
        warm = Tally("warm-up")
        asyncio.run(connections.flood(self._attack(warm, False), 40))
        time.sleep(2)
        start = time.monotonic()
        time.sleep(5 if self._short else 40)
        self.findings.alone_s = (start, time.monotonic())
        self.findings.before = _typical(self._server.between(start, time.monotonic()))

    def _attack(self, tally: Tally, busy: bool) -> Attack:
        chance = random.Random(f"{self._seed} {tally.name}")
        return Attack(
            self._server, self._name, self._key, self._known, self._media, chance, self._short, tally, busy
        )  # fmt: skip

    def _one(self, generator: Generator) -> None:
        """Run a generator; then see whether the server still lives, and begin anew if not."""
        tally, start = Tally(generator.name), time.monotonic()
        before = self._server.sample()
        count = generator.when_short if self._short else generator.requests
        print(f"{generator.name} ...", file=sys.stderr, flush=True)
        try:
            _gently(generator.function(self._attack(tally, generator.busy), count))
        except (TimeoutError, OSError) as error:  # the server is gone, or hangs
            tally.notes["given up"] = f"{type(error).__name__} {error}"
        death = self._death()
        end = time.monotonic()
        if death is None:
            time.sleep(0.3 if self._short else 3)
        after = self._server.sample()
        peak = _peak([before, *self._server.between(start, end)])
        self.findings.rows.append(Row(tally, start, end, before, peak, after, death))
        if death is not None:
            self._server.kill()
            self.findings.asked += self._quiet.stop()
            self._begin()
            self._quiet = self._quiet_client()

    def _death(self) -> str | None:
        end = time.monotonic() + HANGS_S
        while time.monotonic() < end and self._server.alive:
            if self._server.healthy(5):
                return None
            time.sleep(0.2)
        return self._server.death or f"did not answer for {HANGS_S} s"

    def _end(self, generator: Generator) -> None:
        tally, start = Tally(generator.name), time.monotonic()
        before = self._server.sample()
        count = generator.when_short if self._short else generator.requests
        print(f"{generator.name} ...", file=sys.stderr, flush=True)
        _gently(generator.function(self._attack(tally, True), count))
        peak = _peak([before, *self._server.between(start, time.monotonic())])
        self.findings.rows.append(Row(tally, start, time.monotonic(), before, peak, self._server.sample(), None))

    def _rested(self) -> Sample:
        """What the server takes once all is over."""
        time.sleep(3 if self._short else 30)
        return _typical(self._server.between(time.monotonic() - 2, time.monotonic()))


def _gently(work: Awaitable[None]) -> None:
    """Do the work in a thread of low priority; on Linux a thread has one of its own.

    Raises:
        TimeoutError: it takes too long.
    """

    async def within() -> None:
        await asyncio.wait_for(work, LONGEST_S)

    def run() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, min(os.getpriority(os.PRIO_PROCESS, 0) + NICER, 19))
        asyncio.run(within())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


def _typical(samples: Sequence[Sample]) -> Sample:
    return Sample(samples[-1].at_s, *(int(median(column)) for column in list(zip(*samples, strict=True))[1:]))


def _peak(samples: Sequence[Sample]) -> Sample:
    return Sample(samples[-1].at_s, *(max(column) for column in list(zip(*samples, strict=True))[1:]))
