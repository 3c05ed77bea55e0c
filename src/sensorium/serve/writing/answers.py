"""The answers of one request: turns for the scheduler, their tokens gathered into parts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from sensorium.engines import Failed, Token, Turn
from sensorium.generate import best_of, different
from sensorium.serve.http.replies import CompletionDetails, ModalityTokens, Usage
from sensorium.serve.registry import Served
from sensorium.serve.settings import Settings
from sensorium.serve.writing.scheduler import Order
from sensorium.serve.writing.transcript import Event, Medium, Text, Transcript
from sensorium.training.energy import CPU_WATTS
from sensorium.types import TEXT, Part
from sensorium.vocabulary import Vocabulary

Finish = Literal["stop", "length"]


@dataclass
class Written:
    """An answer, as much as there is of it; its media hold codes only until `Writing.all` decodes them.

    Attributes:
        number: its place among the answers of the request.
        transcript: what it says so far.
        ended: nothing more comes.
        finish: why it ended, once it did.
    """

    number: int
    turn: Turn
    transcript: Transcript
    tokens: list[Token] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    ended: bool = False
    finish: Finish = "stop"

    def add(self, token: Token) -> Step:
        """Take note of one more token."""
        thought = self.transcript.thought_ids
        events = self.transcript.feed(token)
        self.tokens.append(token)
        for event in events:
            self._note(event)
        self.ended = self.transcript.stopped or token.finish is not None
        self.finish = "length" if token.finish == "length" and not self.transcript.stopped else "stop"
        finish = self.finish if self.ended else None
        return Step(self.number, token, events, finish, self.transcript.thought_ids > thought)

    def _note(self, event: Event) -> None:
        if isinstance(event, Medium):
            self.parts.append(event.part)
        elif isinstance(event, Text) and self.parts and self.parts[-1].is_text:
            self.parts[-1] = Part(TEXT, self.parts[-1].data + event.text)
        elif isinstance(event, Text):
            self.parts.append(Part(TEXT, event.text))

    @property
    def text(self) -> str:
        return "".join(part.data for part in self.parts if part.is_text)

    @property
    def is_text(self) -> bool:
        """Whether it holds no media, so that there is nothing to decode."""
        return all(part.is_text for part in self.parts)


@dataclass(frozen=True)
class Step:
    """One more token of an answer, what it tells, why the answer ended if it did, and whether it is of a thought."""

    answer: int
    token: Token
    events: list[Event]
    finish: Finish | None
    thought: bool = False


class Writing:
    """Answers in the making; made inside the event loop, it queues them at once.

    Args:
        served: the model.
        turns: one for each prompt.
        answers: of each turn; they draw from different seeds.
        first_stays: see `sensorium.generate.Plan`.
        judge: of the answers of which the best are kept; by default `Assistant.information`.
        stops: strings that end an answer.
        client: for the fair queue.
        started: `time.monotonic` when the request came in.
        on_first: called with the seconds to the first token.

    Attributes:
        deadline: `time.monotonic` at which it is given up.

    Raises:
        ApiError: 429, the queue is full.
    """

    def __init__(
        self,
        served: Served,
        turns: Sequence[Turn],
        settings: Settings,
        *,
        answers: int = 1,
        first_stays: bool = False,
        judge: Callable[[Turn, Sequence[int]], float] | None = None,
        stops: tuple[str, ...] = (),
        client: str,
        started: float,
        on_first: Callable[[float], None] = lambda _: None,
    ):
        self._served, self._started, self._on_first, self._answers = served, started, on_first, answers
        self._judge = judge or served.model.information
        self.deadline, self._first_stays = started + settings.request_s, first_stays
        all_turns = [turn.again(n) for n, turn in enumerate(turn for turn in turns for _ in range(answers))]
        stream, thinking = served.model.stream, served.model.thinking
        self._written = {
            turn: Written(n, turn, Transcript(stream, stops, thinking if turn.thinks else None))
            for n, turn in enumerate(all_turns)
        }
        self._items: asyncio.Queue[Token | Failed] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(item: Token | Failed) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
                loop.call_soon_threadsafe(self._items.put_nowait, item)

        self._order = Order(all_turns, tell, self.deadline)
        served.scheduler.submit(client, self._order)

    def cancel(self) -> None:
        """Stop writing what is unfinished."""
        self._order.cancel()

    async def steps(self) -> AsyncIterator[Step]:
        """Tokens of all answers as they come.

        Raises:
            ApiError: 408, the time is over.
        """
        try:
            while not all(one.ended for one in self._written.values()):
                item = await self._items.get()
                if isinstance(item, Failed):
                    raise item.error
                written = self._written[item.turn]
                if written.ended:
                    continue
                self._note_first()
                yield written.add(item)
                if written.ended:
                    self._order.cancel(item.turn)
        finally:
            self.cancel()

    def _note_first(self) -> None:
        self._on_first(time.monotonic() - self._started)
        self._on_first = lambda _: None

    async def all(self, count: int | None = None) -> list[Written]:
        """Every answer, or of each prompt the best ``count``, best first; media decoded."""
        async for _ in self.steps():
            pass
        written = list(self._written.values())
        if count is not None:
            groups = [written[first : first + self._answers] for first in range(0, len(written), self._answers)]
            written = [one for group in groups for one in await self._best(group, count)]
        for one in written:
            if not one.is_text:
                one.parts = await self._served.at_desk(self._served.model.senses.decode, one.parts)
        return written

    async def _best(self, written: list[Written], count: int) -> list[Written]:
        """Those that differ, then copies; of the former the best; see `Assistant.candidates`."""
        if count >= len(written):
            return written
        varied, copies = different(written, lambda one: tuple(one.transcript.ids))
        first = varied[: self._first_stays]
        return [*first, *await self._ranked(varied[len(first) :]), *copies][:count]

    async def _ranked(self, written: list[Written]) -> list[Written]:
        judge, scheduler = self._judge, self._served.scheduler
        calls = [scheduler.call(partial(judge, one.turn, one.transcript.ids)) for one in written]
        scores = await asyncio.gather(*map(asyncio.wrap_future, calls))
        by_number = {one.number: score for one, score in zip(written, scores, strict=True)}
        return best_of(written, lambda one: by_number[one.number])

    def usage(self) -> Usage:
        """Of all answers so far; a prompt that several answers share counts once."""
        model, written = self._served.model, list(self._written.values())
        thought = sum(one.transcript.thought_ids for one in written)
        prompts, ids = (one.turn.prompt for one in written[:: self._answers]), (one.transcript.ids for one in written)
        on_cpu = model.lm.device.type == "cpu"
        energy_wh = self._order.cpu_s * CPU_WATTS / 3600 if on_cpu else None
        return usage_of(model.vocabulary, prompts, ids, energy_wh, thought)


def usage_of(
    vocabulary: Vocabulary,
    prompts: Iterable[Sequence[int]],
    written: Iterable[Sequence[int]],
    energy_wh: float | None = None,
    thought: int = 0,
) -> Usage:
    """What was read and written, and how many ids of that were thought."""
    read, wrote = count_modalities(vocabulary, prompts), count_modalities(vocabulary, written)
    return Usage(
        prompt_tokens=sum(read.values()),
        completion_tokens=sum(wrote.values()),
        total_tokens=sum(read.values()) + sum(wrote.values()),
        modality_tokens=ModalityTokens(prompt=read, completion=wrote),
        energy_wh=energy_wh,
        completion_tokens_details=CompletionDetails(reasoning_tokens=thought),
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
