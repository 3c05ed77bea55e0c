"""Many clients at once: are answers lost or mixed up, how long do they take, does memory stay bounded?

    python benchmarks/load_test.py nano --clients 32 --minutes 10 --out load
    python benchmarks/load_test.py nano --url http://127.0.0.1:8000 --clients 8 --minutes 1

Without ``--url`` it starts ``sensorium serve MODEL`` itself, kills one of its media workers with SIGKILL at half time,
and ends it. Questions are texts, pictures, drawings and words to be said aloud, as far as the model reads and writes
these, whose answers are certain (greedy, or a given seed). Each is first asked alone, one after the other: this is
also the speed without batching. Under load every answer is compared with that of its question:

- right: the same; mixed up: that of another question; drifted: neither (sums of a larger batch are rounded otherwise,
  so a near tie may fall the other way); lost: an error, or none.

Of speech it tells the seconds to the first sound, and how many seconds of sound come in a second (real-time factor).

Prints a summary as JSON; ``--out`` takes it too (``summary.json``), with ``requests.csv`` (start, seconds, question,
outcome), ``memory.csv`` (seconds, bytes of the server, of its workers) and a picture of both, ``load.png``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import csv
import hashlib
import io
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from PIL import Image, ImageDraw

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black")
THINGS = ("heart", "star", "apple", "house", "cat", "fish", "tree", "sun")
MAX_TOKENS = 24
REQUEST_S = 300
CHAT, SPEECH = "/v1/chat/completions", "/v1/audio/speech"
PCM_BYTES_PER_S = 2 * 24_000


class Question(NamedTuple):
    path: str
    body: dict[str, Any]


class Answer(NamedTuple):
    """``first_s`` to the first sound, and ``sound_s`` of all of it; None where nothing is said aloud."""

    said: str
    tokens: int
    first_s: float | None = None
    sound_s: float | None = None


class Outcome(NamedTuple):
    start_s: float
    seconds: float
    question: int
    outcome: str
    tokens: int
    first_s: float | None = None
    sound_s: float | None = None


def picture(colour: str, seed: int) -> dict[str, Any]:
    image = Image.new("RGB", (64, 64), "white")
    edge = 8 + 3 * seed
    ImageDraw.Draw(image).ellipse((edge, edge, 60, 60), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def questions(model: str, reads: list[str], writes: list[str]) -> list[Question]:
    """As many of each kind that the model can answer."""
    asked = []
    for number, (colour, thing) in enumerate(zip(COLOURS, THINGS, strict=True)):
        about = [picture(colour, number), {"type": "text", "text": "What is this?"}]
        short = {"modalities": ["text"], "max_tokens": MAX_TOKENS}
        asked.append(chat(model, f"What colour is a {thing}?", short))
        if "image" in reads:
            asked.append(chat(model, about, short))
        if "image" in writes:
            asked.append(chat(model, f"Draw a {colour} {thing}.", {"modalities": ["image"], "seed": number}))
        if "audio" in writes:
            said = {"model": model, "input": f"A {colour} {thing}.", "response_format": "pcm", "temperature": 0}
            asked.append(Question(SPEECH, said))
    return asked


def chat(model: str, content: Any, fields: dict[str, Any]) -> Question:
    return Question(
        CHAT, {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0} | fields
    )


async def ask(client: httpx.AsyncClient, question: Question) -> Answer:
    """What the answer says, media by their codes or their bytes, and how many tokens it has."""
    begin = time.monotonic()
    async with client.stream("POST", question.path, json=question.body) as reply:
        if reply.status_code == 429:
            await reply.aread()
            await asyncio.sleep(float(reply.headers["Retry-After"]))
            return await ask(client, question)
        if reply.is_error:
            await reply.aread()
        reply.raise_for_status()
        data, first_s = b"", None
        async for piece in reply.aiter_bytes():
            first_s = time.monotonic() - begin if first_s is None else first_s
            data += piece
    if question.path == SPEECH:
        return Answer(hashlib.sha256(data).hexdigest(), 0, first_s, len(data) / PCM_BYTES_PER_S)
    told = json.loads(data)
    parts = told["choices"][0]["message"]["parts"]
    return Answer(json.dumps([part.get("codes") or part["text"] for part in parts]), told["usage"]["completion_tokens"])


class Load:
    """One run of the test."""

    def __init__(self, url: str, server: psutil.Process | None):
        self.questions: list[Question] = []
        self.server = server
        limits = httpx.Limits(max_connections=None)
        self.client = httpx.AsyncClient(base_url=url, timeout=REQUEST_S, limits=limits)
        self.answers: list[str] = []
        self.outcomes: list[Outcome] = []
        self.memory: list[tuple[float, int, int]] = []
        self.begin = time.monotonic()

    async def one_by_one(self, model: str) -> float:
        """Ask every question alone; tokens a second."""
        card = (await self.client.get(f"/v1/models/{model}")).raise_for_status().json()
        self.questions = questions(model, card["reads"], card["writes"])
        for question in self.questions[:4]:
            await ask(self.client, question)  # what is loaded at the first request is not counted
        tokens, start = 0, time.monotonic()
        for question in self.questions:
            answer = await ask(self.client, question)
            self.answers.append(answer.said)
            tokens += answer.tokens
        return tokens / (time.monotonic() - start)

    async def together(self, clients: int, seconds: float) -> float:
        """All clients ask without a pause; tokens a second."""
        self.begin = time.monotonic()
        end = self.begin + seconds
        watch = asyncio.ensure_future(self._watch())
        kill = asyncio.ensure_future(self._kill_a_worker(seconds / 2))
        await asyncio.gather(*(self._talk(number, end) for number in range(clients)))
        watch.cancel()
        kill.cancel()
        return sum(one.tokens for one in self.outcomes) / (time.monotonic() - self.begin)

    async def _talk(self, number: int, end: float) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            question = chance.randrange(len(self.questions))
            start, answer = time.monotonic(), Answer("", 0)
            try:
                answer = await ask(self.client, self.questions[question])
                outcome = self._judge(question, answer.said)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                outcome = f"lost: {error}"[:200]
            seconds = time.monotonic() - start
            self.outcomes.append(Outcome(start - self.begin, seconds, question, outcome, *answer[1:]))

    def _judge(self, question: int, answer: str) -> str:
        if answer == self.answers[question]:
            return "right"
        return "mixed up" if answer in self.answers else "drifted"

    async def _watch(self) -> None:
        while True:
            text = (await self.client.get("/metrics")).text
            found = re.search(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)
            workers = sum(child.memory_info().rss for child in self._workers())
            self.memory.append((time.monotonic() - self.begin, int(float(found[1])) if found else 0, workers))
            await asyncio.sleep(2)

    def _workers(self) -> list[psutil.Process]:
        return self.server.children() if self.server else []

    async def _kill_a_worker(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        for worker in self._workers()[:1]:
            worker.send_signal(signal.SIGKILL)


def share(sorted_values: list[float], part: float) -> float:
    return round(sorted_values[min(int(len(sorted_values) * part), len(sorted_values) - 1)], 3)


def summary(load: Load, alone: float, together: float) -> dict[str, Any]:
    seconds = sorted(one.seconds for one in load.outcomes)
    kinds = Counter(one.outcome.partition(":")[0] for one in load.outcomes)
    memory = [server for _, server, _ in load.memory]
    return {
        "requests": len(load.outcomes),
        **{kind: kinds[kind] for kind in ("right", "mixed up", "drifted", "lost")},
        "lost_because": dict(Counter(one.outcome for one in load.outcomes if one.outcome.startswith("lost"))),
        "latency_s": {f"p{part}": share(seconds, part / 100) for part in (50, 95, 99)},
        "tokens_per_s": {"one at a time": round(alone, 1), "together": round(together, 1)},
        "batching_gain": round(together / alone, 2),
        "server_mb": {"first": memory[0] >> 20, "half": memory[len(memory) // 2] >> 20, "last": memory[-1] >> 20},
        **speech([one for one in load.outcomes if one.sound_s]),
    }


def speech(spoken: list[Outcome]) -> dict[str, Any]:
    """How soon, and how fast, sound came; nothing where none did."""
    if not spoken:
        return {}
    first = sorted(one.first_s or 0 for one in spoken)
    pace = sorted((one.sound_s or 0) / one.seconds for one in spoken)
    told = {
        "first_sound_s": {f"p{part}": share(first, part / 100) for part in (50, 95, 99)},
        "realtime_factor": {f"p{part}": share(pace, part / 100) for part in (1, 5, 50)},
    }
    return {"speech": told}


@contextmanager
def served(model: str, clients: int) -> Iterator[tuple[str, psutil.Process]]:
    """A server of its own on a free port."""
    command = [sys.executable, "-m", "sensorium", "serve", model, "--port", "0", "--max-queue", str(2 * clients)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = re.search(r"http://\S+", process.stdout.readline())
            assert url, "the server did not start"
            yield url.group(), psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)


async def run(url: str, server: psutil.Process | None, options: argparse.Namespace) -> dict[str, Any]:
    load = Load(url, server)
    alone = await load.one_by_one(options.model)
    together = await load.together(options.clients, options.minutes * 60)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write(options.out / "requests.csv", Outcome._fields, load.outcomes)
        write(options.out / "memory.csv", ("seconds", "server_bytes", "workers_bytes"), load.memory)
        plot(options.out / "load.png", load)
    await load.client.aclose()
    return summary(load, alone, together)


def write(path: Path, head: tuple[str, ...], rows: Any) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def plot(path: Path, load: Load) -> None:
    """Memory over time above the seconds that each answer took."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    times, server, workers = zip(*load.memory, strict=True)
    upper.plot(times, [size / 2**20 for size in server], label="server")
    upper.plot(times, [size / 2**20 for size in workers], label="media workers")
    upper.set(ylabel="resident memory, MiB", ylim=(0, None))
    upper.legend(loc="lower right")
    lower.plot([one.start_s for one in load.outcomes], [one.seconds for one in load.outcomes], ".", markersize=2)
    lower.set(xlabel="seconds since the start", ylabel="seconds to the answer", ylim=(0, None))
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="nano")
    parser.add_argument("--url", help="a running server that serves the model under this name")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.url:
        result = asyncio.run(run(options.url, None, options))
    else:
        with served(options.model, options.clients) as (url, server):
            options.model = Path(options.model).name
            result = asyncio.run(run(url, server, options))
    print(json.dumps(result, indent=2))
    if options.out:
        (options.out / "summary.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
