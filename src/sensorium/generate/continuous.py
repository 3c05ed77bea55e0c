"""Answers that are written together, and join and leave between any two ids.

`RowBatch` keeps one decoder for all answers, `Turns` takes an id from each of several streams; both write what an
answer would be if it were alone. Guidance reads the unconditional prompt in a second lane, which follows the ids
of the first.

Legend: B lanes, H hidden, V candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from sensorium.generate.decoder import Decoder
from sensorium.generate.engine import Engine, Finish, Ids, Ranges, Rules, Token
from sensorium.generate.output_head import OutputHead
from sensorium.generate.sampling import Sampling, pick


@dataclass(eq=False)
class Answer:
    """One answer being written.

    Args:
        row: what its tokens are labelled with.
        prompt: what it continues, not empty.
        rules: fresh rules with the room for ``sampling.max_tokens``.
        sampling: how its ids are chosen; a number drawn depends on nothing but ``sampling.seed`` and its place.
        negative: the unconditional prompt, for guidance.

    Attributes:
        known: written ids that the model has not read yet.
    """

    row: int
    prompt: Ids
    rules: Rules
    sampling: Sampling
    negative: Ids | None = None
    known: list[int] = field(default_factory=list, init=False)
    finish: Finish | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.generator = self.sampling.generator(0)
        self._left = self.sampling.max_tokens

    def write(self, token: int, top: tuple[tuple[int, float], ...] = (), logprob: float | None = None) -> Token:
        self.rules.advance(token)
        self.known.append(token)
        self._left -= 1
        if self.rules.done or self._left == 0:
            self.finish = "stop" if token in self.rules.stop_ids else "length"
        return Token(self.row, token, self.finish, logprob, top)

    def forced(self) -> Iterator[Token]:
        """Write while there is no choice."""
        certain = None if self.sampling.logprobs is None else 0.0
        while self.finish is None:
            allowed = self.rules.allowed()
            if len(allowed) != 1 or allowed[0][1] - allowed[0][0] != 1:
                return
            only = allowed[0][0]
            yield self.write(only, ((only, 0.0),) if self.sampling.logprobs else (), certain)

    @property
    def guided(self) -> bool:
        """Whether the next id is chosen with guidance."""
        return self.negative is not None and self.rules.inside is not None


class AnswerFailed(Exception):
    """The answer of one label cannot go on, for the reason in ``__cause__``; the others of its batch can."""

    def __init__(self, row: int):
        super().__init__(f"answer {row} failed")
        self.row = row


class Batch(Protocol):
    """Answers in the making."""

    def join(self, answers: Sequence[Answer]) -> Iterable[Token]:
        """Take in more answers; the ids that this writes already."""
        ...

    def step(self) -> Iterable[Token]:
        """Write at least one id of every answer that has no ids left to read.

        Raises:
            AnswerFailed: one of them ended; those that were not served yet are served by the next step.
        """
        ...

    def drop(self, rows: Iterable[int]) -> None:
        """Go on without the answers of these labels."""
        ...

    def __len__(self) -> int:
        """How many answers are unfinished."""
        ...


class RowBatch:
    """Answers in the rows of one decoder. The iterators of `join` and `step` must be run to their end.

    Args:
        start: makes a decoder that has read the given prompts, one per row; see `sensorium.generate.decoder`.
        head: the model's output head.
        device: of the model.
    """

    def __init__(self, start: Callable[[list[Ids]], Any], head: OutputHead, device: torch.device):
        self._start, self._head, self._device = start, head, device
        self._decoder: Any = None
        self._lanes: list[Answer] = []  # the answer of each row of the decoder; of a guided answer two, side by side

    def __len__(self) -> int:
        return len(dict.fromkeys(self._lanes))

    def join(self, answers: Sequence[Answer]) -> Iterator[Token]:
        """See `Batch.join`. Joining others than the first needs a decoder that can `join`."""
        for answer in answers:
            yield from answer.forced()
        lanes = [lane for answer in answers if answer.finish is None for lane in _lanes_of(answer)]
        if not lanes:
            return
        decoder = self._read_prompts(lanes)
        yield from self._choose(lanes, decoder.hidden)
        lanes = _without_finished(decoder, lanes)
        if lanes and self._lanes:
            self._decoder.join(decoder)
        elif lanes:
            self._decoder = decoder
        self._lanes += lanes

    def step(self) -> Iterator[Token]:
        """See `Batch.step`."""
        yield from self._choose(self._lanes, self._read())
        self._leave()

    def drop(self, rows: Iterable[int]) -> None:
        """See `Batch.drop`."""
        unwanted = set(rows)
        for answer in self._lanes:
            if answer.row in unwanted:
                answer.finish = "cancelled"
        self._leave()

    def _leave(self) -> None:
        self._lanes = _without_finished(self._decoder, self._lanes)
        if not self._lanes:
            self._decoder = None

    @torch.inference_mode()
    def _read_prompts(self, lanes: list[Answer]) -> Any:
        """A decoder that has read the prompts and the ids known so far."""
        prompts: list[Ids] = []
        for place, answer in enumerate(lanes):
            second = place > 0 and lanes[place - 1] is answer
            prompts.append([*((answer.negative or ()) if second else answer.prompt), *answer.known])
        for answer in lanes:
            answer.known = []
        return self._start(prompts)

    @torch.inference_mode()
    def _read(self) -> torch.Tensor:
        """Read as many known ids as every answer has; the hidden states (B, H) after them."""
        count = min(len(answer.known) for answer in self._lanes)
        ids = [answer.known[:count] for answer in self._lanes]
        for answer in dict.fromkeys(self._lanes):
            del answer.known[:count]
        return self._decoder.read(torch.tensor(ids, device=self._device))

    def _choose(self, lanes: list[Answer], hidden_BH: torch.Tensor) -> Iterator[Token]:
        """Write the next id, and those that follow by force, of every answer whose written ids have all been read."""
        places = {answer: place for place, answer in reversed(list(enumerate(lanes)))}
        groups: dict[Ranges, list[Answer]] = {}
        for answer in dict.fromkeys(lanes):
            if not answer.known:
                groups.setdefault(answer.rules.allowed(), []).append(answer)
        for ranges, answers in groups.items():
            logits_BV = self._logits(answers, [places[answer] for answer in answers], hidden_BH, ranges)
            ids = self._head.ids(ranges)
            for answer, choice, row_V in zip(answers, _picks(logits_BV, answers), logits_BV, strict=True):
                yield _written(answer, choice, row_V, ids)
                yield from answer.forced()

    @torch.inference_mode()
    def _logits(self, answers: list[Answer], places: list[int], hidden_BH: torch.Tensor, ranges: Ranges) -> Any:
        """(answers, V) logits of the ids that may come next, on the CPU, guidance applied."""
        guided = [row for row, answer in enumerate(answers) if answer.guided]
        wanted = [*places, *(places[row] + 1 for row in guided)]
        all_in_order = wanted == list(range(len(hidden_BH)))
        logits_BV = self._head.logits(hidden_BH if all_in_order else hidden_BH[wanted], ranges).cpu()
        if not guided:
            return logits_BV
        with_BV, without_BV = logits_BV[: len(answers)], logits_BV[len(answers) :]
        scale_B1 = torch.tensor([[answers[row].sampling.guidance] for row in guided])
        with_BV[guided] = without_BV + scale_B1 * (with_BV[guided] - without_BV)
        return with_BV


def _lanes_of(answer: Answer) -> list[Answer]:
    return [answer] if answer.negative is None else [answer, answer]


def _without_finished(decoder: Decoder, lanes: list[Answer]) -> list[Answer]:
    going = [place for place, answer in enumerate(lanes) if answer.finish is None]
    if going and len(going) < len(lanes):
        with torch.inference_mode():
            decoder.keep(going)
    return [lanes[place] for place in going]


@torch.inference_mode()
def _picks(logits_BV: torch.Tensor, answers: list[Answer]) -> list[int]:
    """The column chosen for every answer; those that sample alike are chosen together."""
    alike: dict[tuple[float, int, float], list[int]] = {}
    for row, answer in enumerate(answers):
        sampling = answer.sampling
        alike.setdefault((sampling.temperature, sampling.top_k, sampling.top_p), []).append(row)
    chosen = [0] * len(answers)
    for rows in alike.values():
        some_BV = logits_BV if len(rows) == len(answers) else logits_BV[rows]
        generators = [answers[row].generator for row in rows]
        for row, choice in zip(rows, pick(some_BV, answers[rows[0]].sampling, generators).tolist(), strict=True):
            chosen[row] = choice
    return chosen


@torch.inference_mode()
def _written(answer: Answer, choice: int, logits_V: torch.Tensor, ids: torch.Tensor) -> Token:
    token, count = int(ids[choice]), answer.sampling.logprobs
    if count is None:
        return answer.write(token)
    logs_V = logits_V.log_softmax(-1)
    best = logs_V.topk(min(count, len(logs_V)))
    top = tuple(zip(ids[best.indices].tolist(), best.values.tolist(), strict=True))
    return answer.write(token, top, float(logs_V[choice]))


class Turns:
    """Answers of any engine: each has a stream of its own, and a step takes an id from every one."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._streams: dict[int, Iterator[Token]] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, answers: Sequence[Answer]) -> Iterable[Token]:
        """See `Batch.join`."""
        for answer in answers:
            negatives = None if answer.negative is None else [answer.negative]
            self._streams[answer.row] = self._engine.stream([answer.prompt], [answer.rules], answer.sampling, negatives)
        return ()

    def step(self) -> Iterator[Token]:
        """See `Batch.step`."""
        for row, stream in list(self._streams.items()):
            try:
                token = next(stream)
            except Exception as error:  # a server that is gone, a request that the engine refuses
                self.drop([row])
                raise AnswerFailed(row) from error
            if token.finish is not None:
                self.drop([row])
            yield replace(token, row=row)

    def drop(self, rows: Iterable[int]) -> None:
        """See `Batch.drop`."""
        for row in rows:
            stream: Any = self._streams.pop(row, None)
            if stream is not None:
                stream.close()
