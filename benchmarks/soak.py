"""An hour at full load with faults injected: is an answer lost or wrong, does memory grow?

    python -m benchmarks.soak nano --minutes 60 --out results/serve/soak

Starts ``sensorium serve MODEL``. Clients ask without a pause for chats, drawings, pictures to be read, completions,
generations, structured answers where they are offered, whole and streamed, also of a second model that comes and goes.
All answers are certain, each was recorded when it was asked alone, and every one under load is compared with it:

- right, wrong (another answer), lost (an error, or none);
- a client that is told to come back (429), or that a worker was killed (503), asks again, which is counted beside;
- the second model may be gone (404, 503 with code ``model_unloaded``).

Meanwhile one fault after the other is injected, of the generators in `benchmarks.hostile`: killed media workers,
clients that hang up, bad and large bodies, slow heads and readers, hostile media, loads and unloads.

Memory and file descriptors are read each second. The first quarter is warm-up; over the other three a line is fitted.
Prints a summary as Markdown; ``--out`` takes it (``soak.md``), all numbers (``soak.json``), a picture (``soak.png``)
and the server's log. The exit code is 1 when an answer was lost or wrong, the server died, or memory was not flat.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import resource
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil
from benchmarks.hostile import bodies, connections, media, models
from benchmarks.hostile.asking import CHAT, STRUCTURED, Cut, Question, Refused, all_questions, ask, chat_body
from benchmarks.hostile.attack import Attack, Tally
from benchmarks.hostile.process import Sample, ServerProcess
from benchmarks.hostile.report import Promise, facts, share, write_json

PATIENCE_S = 330
"""Somewhat more than a server takes for a request at most."""
AGAIN = {"queue_full", "worker_killed", "no_worker"}
GONE = {"model_not_found", "model_unloaded"}
SPARE_MB, SPARE_SHARE = 32, 0.05
"""Memory is flat when the fitted line rises by less than the larger of the two from its begin to its end."""
SHOWN = 8


async def kill_a_worker(attack: Attack, count: int) -> None:
    """SIGKILL, once."""
    for worker in attack.server.workers()[:count]:
        with contextlib.suppress(psutil.Error):
            worker.kill()
            attack.tally.statuses["killed"] += 1


FAULTS: tuple[tuple[str, Callable[[Attack, int], Awaitable[None]], int], ...] = (
    ("killed workers", kill_a_worker, 1),
    ("the second model comes", models.load, 1),
    ("disconnects", connections.disconnects, 8),
    ("wrong values", bodies.wrong_values, 10),
    ("bad media", media.bad_media, 6),
    ("slow readers", connections.slow_readers, 4),
    ("malformed HTTP", connections.malformed, 70),
    ("large bodies", bodies.large_bodies, 1),
    ("slow heads", connections.slow_heads, 20),
    ("slow media", media.slow_media, 1),
    ("the second model goes", models.unload, 1),
    ("bad addresses", media.bad_addresses, 8),
    ("unknown addresses", connections.unknown, 20),
)


class Outcome(NamedTuple):
    """Of one request; ``again`` tells how often it was told to come back."""

    start_s: float
    seconds: float
    kind: str
    outcome: str
    again: int


class Soak:
    """One run against one server."""

    def __init__(self, server: ServerProcess, model: str, keys: tuple[str, str], folder: Path, seed: int):
        self._server, self._model, self._folder, self._seed, self._key = server, model, folder, seed, keys[1]
        self._client = httpx.AsyncClient(
            base_url=server.url,
            headers={"Authorization": f"Bearer {keys[0]}"},
            timeout=PATIENCE_S,
            limits=httpx.Limits(max_connections=None),
        )
        self.known: list[tuple[Question, str]] = []
        self.outcomes: list[Outcome] = []
        self.faults = {name: Tally(name) for name, _, _ in FAULTS}
        self.begin_s = self.end_s = 0.0

    async def run(self, clients: int, minutes: float) -> None:
        """Learn the answers; then ask and inject until the time is over, and let every request end."""
        await self._learn()
        self.begin_s = time.monotonic()
        end_s = self.begin_s + 60 * minutes
        talks = [self._talk(number, end_s) for number in range(clients)]
        await asyncio.gather(self._inject(end_s), *talks)
        self.end_s = time.monotonic()
        await self._client.aclose()

    async def _learn(self) -> None:
        for question in all_questions(self._model, await self._structured()):
            answer = await ask(self._client, question)
            assert await ask(self._client, question) == answer, f"{question} has two answers"
            self.known.append((question, answer))
        for question, answer in [one for one in self.known if one[0].kind.startswith("words")]:
            second = question._replace(kind="second model", body=question.body | {"model": models.SECOND})
            self.known.append((second, answer))

    async def _structured(self) -> bool:
        """Whether answers under a schema are offered."""
        body = chat_body(self._model, "Is a heart red?", response_format=STRUCTURED, max_tokens=200)
        return (await self._client.post(CHAT, json=body)).status_code == 200

    async def _talk(self, number: int, end_s: float) -> None:
        chance = random.Random(f"{self._seed} {number}")
        while time.monotonic() < end_s and self._server.alive:
            question, answer = chance.choice(self.known)
            start_s = time.monotonic()
            outcome, again = await self._once(question, answer)
            self.outcomes.append(Outcome(start_s, time.monotonic() - start_s, question.kind, outcome, again))
            if outcome == "gone":
                await asyncio.sleep(0.2)

    async def _once(self, question: Question, answer: str) -> tuple[str, int]:
        """What came of a question, and how often it was told to come back."""
        for again in itertools.count():
            try:
                said = await ask(self._client, question)
                return ("right" if said == answer else f"wrong: {said} instead of {answer}"[:300]), again
            except Refused as error:
                if error.code in GONE and question.kind == "second model":
                    return "gone", again
                if error.code not in AGAIN or again > 100:
                    return f"lost: {error}", again
                await asyncio.sleep(0.5)
            except (Cut, httpx.HTTPError, ValueError, KeyError) as error:
                return f"lost: {type(error).__name__} {error}"[:300], again
        raise AssertionError("an endless count has ended")

    async def _inject(self, end_s: float) -> None:
        """One fault after the other, a moment apart."""
        for number, (name, fault, count) in enumerate(itertools.cycle(FAULTS)):
            if time.monotonic() > end_s or not self._server.alive:
                return
            chance = random.Random(f"{self._seed} {number}")
            tally = self.faults[name]
            hands = (self._server, self._model, self._key, self.known, self._folder, chance, True, tally)
            try:
                await fault(Attack(*hands, busy=True), count)
            except OSError as error:  # no connection could be made
                tally.statuses[type(error).__name__] += 1
            await asyncio.sleep(0.5)


class Line(NamedTuple):
    """A straight line fitted to what was read after the warm-up."""

    per_hour: float
    first: float
    last: float
    lowest: float
    highest: float

    @property
    def rise(self) -> float:
        return self.last - self.first


def fitted(samples: list[Sample], name: str, begin_s: float, end_s: float) -> Line:
    """The line through one measure over the last three quarters."""
    warm_s = begin_s + (end_s - begin_s) / 4
    kept = [one for one in samples if warm_s <= one.at_s <= end_s]
    assert len(kept) > 2, "too short a run for a line"
    at_s = np.array([one.at_s for one in kept]) - warm_s
    values = np.array([getattr(one, name) for one in kept], dtype=float)
    slope, first = np.polyfit(at_s, values, 1)
    last = first + slope * at_s[-1]
    return Line(*map(float, (slope * 3600, first, last, values.min(), values.max())))


def promises(soak: Soak, server: ServerProcess) -> list[Promise]:
    """What must hold."""
    kinds = Counter(one.outcome.partition(":")[0] for one in soak.outcomes)
    bad = Counter(f"{one.kind} {one.outcome}" for one in soak.outcomes if one.outcome.startswith(("lost", "wrong")))
    examples = "".join(f"; {count} x {what}" for what, count in bad.most_common(SHOWN))
    faults = [what for tally in soak.faults.values() for what in tally.unexpected]
    found = [
        Promise("the server never died", server.death is None, server.death or "0 deaths"),
        Promise("0 answers are lost", not kinds["lost"], f"{kinds['lost']} of {len(soak.outcomes)}{examples}"),
        Promise("0 answers are wrong", not kinds["wrong"], f"{kinds['wrong']}; {kinds['right']} right"),
        Promise("no 5xx to the faults that is the server's", not faults, f"{len(faults)} {faults[:SHOWN]}"),
    ]
    for name in ("server_mb", "workers_mb"):
        line = fitted(server.samples, name, soak.begin_s, soak.end_s)
        spare = max(SPARE_MB, SPARE_SHARE * line.first)
        said = f"{line.first:.0f} to {line.last:.0f} MiB, {line.per_hour:+.1f} MiB an hour; "
        said += f"between {line.lowest:.0f} and {line.highest:.0f}"
        found.append(
            Promise(f"{name.partition('_')[0]}: memory is flat within {spare:.0f} MiB", line.rise < spare, said)
        )
    line = fitted(server.samples, "server_fds", soak.begin_s, soak.end_s)
    said = f"{line.first:.0f} to {line.last:.0f}, at most {line.highest:.0f}"
    return [*found, Promise("file descriptors are flat within 16", abs(line.rise) < 16, said)]


def per_minute(soak: Soak) -> list[int]:
    """Right answers that ended in each minute; the last may be shorter."""
    ends = [one.start_s + one.seconds - soak.begin_s for one in soak.outcomes if one.outcome == "right"]
    minutes = int((soak.end_s - soak.begin_s) // 60) + 1
    return np.bincount(np.array(ends, dtype=float).astype(int) // 60, minlength=minutes).tolist()


def table(soak: Soak, kept: list[Promise], command: str) -> str:
    lines = [f"`{command}` printed:", "", "| promise | holds | measured |", "|---|---|---|"]
    cells = [(one.promise, "yes" if one.holds else "**no**", one.measured.replace("|", "\\|")[:600]) for one in kept]
    lines += [f"| {' | '.join(cell)} |" for cell in cells]
    lines += ["", "| asked | requests | right | told to come back | p50 s | p95 s | p99 s |", "|" + "---|" * 7]
    for kind in dict.fromkeys(question.kind for question, _ in soak.known):
        mine = [one for one in soak.outcomes if one.kind == kind]
        right = [one.seconds for one in mine if one.outcome == "right"]
        times = " | ".join(f"{share(right, part):.2f}" for part in (0.5, 0.95, 0.99))
        lines.append(f"| {kind} | {len(mine)} | {len(right)} | {sum(one.again for one in mine)} | {times} |")
    lines += ["", f"Right answers a minute: {', '.join(map(str, per_minute(soak)))}.", ""]
    lines += ["| fault | requests | what came |", "|---|---|---|"]
    for tally in soak.faults.values():
        came = [f"{name} {count}" for name, count in [*sorted(tally.statuses.items()), *tally.notes.items()]]
        lines.append(f"| {tally.name} | {tally.requests} | {', '.join(came)} |")
    return "\n".join(lines) + "\n"


def plot(path: Path, soak: Soak, server: ServerProcess) -> None:
    """Memory with its lines, file descriptors, and answers a minute over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    upper, middle, lower = figure.subplots(3, 1, sharex=True)
    samples = [one for one in server.samples if soak.begin_s <= one.at_s <= soak.end_s]
    minutes = [(one.at_s - soak.begin_s) / 60 for one in samples]
    whole = (soak.end_s - soak.begin_s) / 60
    for name, label in (("server_mb", "server"), ("workers_mb", "media workers")):
        upper.plot(minutes, [getattr(one, name) for one in samples], label=label, linewidth=0.8)
        line = fitted(server.samples, name, soak.begin_s, soak.end_s)
        upper.plot([whole / 4, whole], [line.first, line.last], "k--", linewidth=0.8)
    upper.set(ylabel="resident memory, MiB", ylim=(0, None))
    upper.legend(loc="lower right")
    middle.plot(minutes, [one.server_fds for one in samples], linewidth=0.8)
    middle.set(ylabel="file descriptors", ylim=(0, None))
    counts = per_minute(soak)
    lower.bar(np.arange(len(counts)) + 0.5, counts, width=0.9)
    lower.set(xlabel="minutes", ylabel="right answers a minute")
    figure.savefig(path, dpi=110)


def write(folder: Path, soak: Soak, server: ServerProcess, kept: list[Promise], text: str, command: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {
        **facts(command),
        "promises": [one._asdict() for one in kept],
        "per minute": per_minute(soak),
        "outcomes": dict(Counter(f"{one.kind}: {one.outcome}" for one in soak.outcomes)),
        "faults": {name: {**tally.statuses, **tally.notes} for name, tally in soak.faults.items()},
        "samples": [[round(one.at_s - soak.begin_s), *one[1:]] for one in server.samples],
        "columns": ["seconds", *Sample._fields[1:]],
    }
    write_json(folder / "soak.json", told)
    (folder / "soak.md").write_text(text, encoding="utf-8")
    plot(folder / "soak.png", soak, server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="nano")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-mb", type=int, default=4096, help="end a server that takes more memory")
    parser.add_argument("--out", type=Path, help="folder for soak.md, soak.json, soak.png and the server's log")
    given = parser.parse_args()
    command = "python -m benchmarks.soak " + " ".join(sys.argv[1:])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    keys = secrets.token_hex(8), secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as place:
        log, folder = Path(place, "server.log"), Path(place, "media")
        folder.mkdir()
        media.prepare_folder(folder)
        options = ["--api-key", keys[0], "--api-key", keys[1], "--allow-media-path", str(folder)]
        options += ["--max-queue", str(4 * given.clients)]
        server = ServerProcess(given.model, log, options, most_mb=given.most_mb, every_s=1)
        try:
            soak = Soak(server, Path(given.model).name, keys, folder, given.seed)
            asyncio.run(soak.run(given.clients, given.minutes))
        finally:
            server.kill()
        if given.out:
            given.out.mkdir(parents=True, exist_ok=True)
            (given.out / "server.log").write_bytes(log.read_bytes()[-1_000_000:])
    kept = promises(soak, server)
    text = table(soak, kept, command)
    print(text)
    if given.out:
        write(given.out, soak, server, kept, text, command)
    sys.exit(not all(one.holds for one in kept))


if __name__ == "__main__":
    main()
