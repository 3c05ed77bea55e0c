"""The answers of one request: jobs for the scheduler, their tokens gathered into parts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from sensorium.generate import Task, Token, best_of
from sensorium.serve.registry import Served
from sensorium.serve.scheduler import Job
from sensorium.serve.schemas import ModalityTokens, Usage
from sensorium.serve.settings import Settings
from sensorium.serve.transcript import Event, Medium, Text, Transcript
from sensorium.stream import Grammar
from sensorium.training.energy import CPU_WATTS
from sensorium.types import TEXT, InputError, Part, Reply
from sensorium.vocabulary import Vocabulary

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Step:
    """One more token of an answer, what it tells, and why the answer ended if it did."""

    answer: int
    token: Token
    events: list[Event]
    finish: Finish | None


@dataclass
class Written:
    """A whole answer; its media hold codes only until `Writing.all` decodes them.

    Attributes:
        number: its place among the answers of the request.
    """

    number: int
    tokens: list[Token] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    finish: Finish = "stop"

    def add(self, step: Step) -> None:
        self.tokens.append(step.token)
        self.finish = step.finish or self.finish
        for event in step.events:
            if isinstance(event, Medium):
                self.parts.append(event.part)
            elif isinstance(event, Text) and self.parts and self.parts[-1].is_text:
                self.parts[-1] = Part(TEXT, self.parts[-1].data + event.text)
            elif isinstance(event, Text):
                self.parts.append(Part(TEXT, event.text))

    @property
    def text(self) -> str:
        return "".join(part.data for part in self.parts if part.is_text)


class Writing:
    """Answers in the making; made inside the event loop, it queues them at once.

    Args:
        served: the model.
        tasks: one for each answer; those of the same prompt share one.
        modalities: kinds of answer that are allowed; None for any.
        stops: strings that end an answer.
        client: for the fair queue.
        started: `time.monotonic` when the request came in.
        on_first: called with the seconds to the first token.

    Attributes:
        deadline: `time.monotonic` at which it is given up.

    Raises:
        ApiError: 429, the queue is full.
        InputError: the tasks' limits leave no room for what is asked.
    """

    def __init__(
        self,
        served: Served,
        tasks: Sequence[Task],
        settings: Settings,
        *,
        modalities: Sequence[str] | None = None,
        stops: tuple[str, ...] = (),
        client: str,
        started: float,
        on_first: Callable[[float], None] = lambda _: None,
    ):
        self._served, self._tasks, self._started, self._on_first = served, tasks, started, on_first
        self.deadline = started + settings.request_s
        self._items: asyncio.Queue[tuple[int, Token | Exception]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def emit(answer: int, item: Token | Exception) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
                loop.call_soon_threadsafe(self._items.put_nowait, (answer, item))

        self._transcripts = [Transcript(served.model.stream, stops) for _ in tasks]
        self._jobs = [
            Job(
                task.prompt,
                rules(served, task, modalities),
                replace(task.sampling, seed=task.sampling.seed + answer),
                task.negative,
                task.about_media,
                partial(emit, answer),
                self.deadline,
            )
            for answer, task in enumerate(tasks)
        ]
        served.scheduler.submit(client, self._jobs)

    def cancel(self) -> None:
        """Stop writing what is unfinished."""
        for job in self._jobs:
            job.cancel()

    async def steps(self) -> AsyncIterator[Step]:
        """Tokens of all answers as they come.

        Raises:
            ApiError: 408, the time is over.
        """
        going = set(range(len(self._jobs)))
        try:
            while going:
                answer, item = await self._items.get()
                if isinstance(item, Exception):
                    raise item
                if answer not in going:
                    continue
                self._note_first()
                events = self._transcripts[answer].feed(item)
                stopped = self._transcripts[answer].stopped
                finish: Finish | None = (
                    "stop" if stopped or item.finish == "stop" else "length" if item.finish else None
                )
                if finish:
                    going.discard(answer)
                    self._jobs[answer].cancel()
                yield Step(answer, item, events, finish)
        finally:
            self.cancel()

    def _note_first(self) -> None:
        self._on_first(time.monotonic() - self._started)
        self._on_first = lambda _: None

    async def all(self, count: int | None = None) -> list[Written]:
        """Every answer, or of each task the best ``count``, best first; media decoded."""
        written = [Written(number) for number in range(len(self._jobs))]
        async for step in self.steps():
            written[step.answer].add(step)
        if count is not None:
            groups: dict[int, list[Written]] = {}
            for one in written:
                groups.setdefault(id(self._tasks[one.number]), []).append(one)
            written = [one for group in groups.values() for one in await self._best(group, count)]
        for one in written:
            one.parts = await self._served.at_desk(self._served.model.senses.decode, one.parts)
        return written

    async def _best(self, written: list[Written], count: int) -> list[Written]:
        """Those that the request makes likelier most; see `Assistant.information`."""
        if count >= len(written):
            return written
        calls = [self._served.scheduler.call(partial(self._judge, one)) for one in written]
        scores = await asyncio.gather(*map(asyncio.wrap_future, calls))
        by_number = {one.number: score for one, score in zip(written, scores, strict=True)}
        return best_of(written, lambda one: by_number[one.number])[:count]

    def _judge(self, written: Written) -> float:
        task, model = self._tasks[written.number], self._served.model
        with model.media(task.about_media):
            reply = Reply((), tuple(token.id for token in written.tokens), written.finish)
            return model.information(task, reply)

    def usage(self) -> Usage:
        """Of all answers so far; a prompt that several answers share counts once."""
        vocabulary = self._served.model.vocabulary
        prompts = {id(task): task.prompt for task in self._tasks}.values()
        read = count_modalities(vocabulary, (ids for ids in prompts))
        wrote = count_modalities(vocabulary, (transcript.ids for transcript in self._transcripts))
        on_cpu = self._served.model.lm.device.type == "cpu"
        energy_wh = sum(job.cpu_s for job in self._jobs) * CPU_WATTS / 3600 if on_cpu else None
        return Usage(
            prompt_tokens=sum(read.values()),
            completion_tokens=sum(wrote.values()),
            total_tokens=sum(read.values()) + sum(wrote.values()),
            modality_tokens=ModalityTokens(prompt=read, completion=wrote),
            energy_wh=energy_wh,
        )


def count_modalities(vocabulary: Vocabulary, lists: Iterable[Sequence[int]]) -> dict[str, int]:
    """How many ids are text (markers included), and how many are codes of each modality."""
    names = [TEXT, *(layout.facts.modality for layout in vocabulary.layouts)]
    counts: Counter[str] = Counter()
    for ids in lists:
        kinds = np.bincount(vocabulary.kind_of(np.array(ids, dtype=np.int64)), minlength=len(names))
        for name, number in zip(names, kinds.tolist(), strict=True):
            counts[name] += number
    return {name: number for name, number in counts.items() if number or name == TEXT}


def rules(served: Served, task: Task, modalities: Sequence[str] | None) -> Grammar:
    """What may be written: one medium and nothing else, text alone, or text and the media that are allowed."""
    grammar = served.model.grammar(task.want, task.sampling.max_tokens)
    if modalities is None or task.want is not None:
        return grammar
    layouts = tuple(one for one in grammar.vocabulary.layouts if one.facts.modality in modalities)
    return replace(grammar, vocabulary=Vocabulary(grammar.vocabulary.text_size, layouts))


def want_of(modalities: Sequence[str] | None, served: Served) -> str | None:
    """`Assistant.chat`'s ``want`` for the kinds of answer that a request asks for.

    Raises:
        InputError: the model does not write one of them, or more media than one are asked for without text.
    """
    if modalities is None:
        return None
    for name in modalities:
        if name != TEXT:
            served.model.vocabulary.writer(name)
    if len(set(modalities)) == 1:
        return modalities[0]
    if TEXT not in modalities:
        raise InputError(f"ask for one of {', '.join(modalities)}, or for any of them together with text")
    return None
