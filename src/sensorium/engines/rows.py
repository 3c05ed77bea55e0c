"""Turns in the rows of decoders of this process; they join and leave between any two ids.

Turns whose decoders can `join` share one, as long as they agree on the adapter. Guidance reads the unconditional
prompt in a lane of its own, contrast the prompt with corrupted media; they follow the ids of the first lane.

Legend: B lanes, H hidden, V candidates.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from sensorium.engines.output_head import OutputHead
from sensorium.engines.sampling import contrasted, pick
from sensorium.engines.turn import Failed, Finish, Ids, Token, Turn
from sensorium.stream import Ranges
from sensorium.types import InputError

Start = Callable[[list[Ids], bool], Any]


class Row:
    """A turn being written, and what its batch keeps of it.

    Attributes:
        rules: as they are after the ids written so far.
        known: written ids that the model has not read yet.
        finish: why nothing more is written, if so.
        left: ids that may still be written.
    """

    def __init__(self, turn: Turn):
        self.turn, self.rules = turn, copy.copy(turn.rules)
        self.generator = turn.sampling.generator()
        self.known: list[int] = []
        self.finish: Finish | None = None
        self.left = turn.sampling.max_tokens

    def write(self, token: int, top: tuple[tuple[int, float], ...] = (), logprob: float | None = None) -> Token:
        self.rules.advance(token)
        self.known.append(token)
        self.left -= 1
        if self.rules.done or self.left == 0:
            self.finish = "stop" if token in self.rules.stop_ids or self.rules.complete else "length"
        return Token(self.turn, token, self.finish, logprob, top)

    def forced(self) -> Iterator[Token]:
        """Write while there is no choice."""
        logprobs = self.turn.sampling.logprobs
        certain = None if logprobs is None else 0.0
        while self.finish is None:
            allowed = self.rules.allowed()
            if len(allowed) != 1 or allowed[0][1] - allowed[0][0] != 1:
                return
            only = allowed[0][0]
            yield self.write(only, ((only, 0.0),) if logprobs else (), certain)

    @property
    def guided(self) -> bool:
        """Whether the next id is chosen with guidance."""
        return self.turn.guided and self.rules.inside is not None

    @property
    def contrasted(self) -> bool:
        """Whether the next id is chosen with contrast."""
        return self.turn.contrasted and self.rules.inside is None

    @property
    def prompts(self) -> list[Ids]:
        """What its lanes read before they choose."""
        return [[*prompt, *self.known] for prompt in self.turn.prompts]


class RowBatch:
    """A `Batch` of this process.

    Args:
        start: makes a decoder that has read the given prompts, one per lane, with the adapter or without it; see
            `sensorium.engines.decoder`.
        head: the model's output head.
        device: of the model.
        has_adapter: whether the model has one, so that turns with it and without it must be kept apart.
    """

    def __init__(self, start: Start, head: OutputHead, device: torch.device, has_adapter: bool):
        self._start, self._head, self._device, self._has_adapter = start, head, device, has_adapter
        self._groups: list[_Group] = []

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    def join(self, turns: Sequence[Turn]) -> list[Token | Failed]:
        """See `Batch.join`."""
        told: list[Token | Failed] = []
        alike: dict[bool, list[Row]] = {}
        for turn in turns:
            alike.setdefault(turn.adapter and self._has_adapter, []).append(Row(turn))
        for adapter, rows in alike.items():
            group = _Group(self._start, self._head, self._device, adapter, rows)
            self._groups.append(group)
            told += self._safely(group, group.begin)
            self._merge(group)
        return told

    def step(self) -> list[Token | Failed]:
        """See `Batch.step`; every turn that has no ids left to read writes at least one."""
        told: list[Token | Failed] = []
        for group in list(self._groups):
            told += self._safely(group, group.step)
        return told

    def drop(self, turns: Iterable[Turn]) -> None:
        """See `Batch.drop`."""
        unwanted = set(turns)
        for group in self._groups:
            group.drop(unwanted)
        self._groups = [group for group in self._groups if group]

    def _safely(self, group: _Group, work: Callable[[], list[Token | Failed]]) -> list[Token | Failed]:
        """What a group writes; should the model fail, whatever the reason, the other groups go on."""
        try:
            told = work()
        except Exception as error:
            told = list[Token | Failed](Failed(turn, error) for turn in group.turns)
            group.rows = []
        if not group:
            self._groups.remove(group)
        return told

    def _merge(self, group: _Group) -> None:
        """Let a group that has just begun go on as a part of an older one, if there is one like it."""
        if group not in self._groups or not hasattr(group.decoder, "join"):
            return
        older = next(one for one in self._groups if one.adapter == group.adapter)
        if older is not group:
            older.join(group)
            self._groups.remove(group)


class _Group:
    """Rows that share a decoder."""

    def __init__(self, start: Start, head: OutputHead, device: torch.device, adapter: bool, rows: list[Row]):
        self._start, self._head, self._device = start, head, device
        self.adapter = adapter
        self.decoder: Any = None
        self.rows = rows  # once begun, the row of each lane of the decoder; of some rows several lanes, side by side

    def __len__(self) -> int:
        return len(dict.fromkeys(self.rows))

    @property
    def turns(self) -> list[Turn]:
        return [row.turn for row in dict.fromkeys(self.rows)]

    def begin(self) -> list[Token | Failed]:
        """Read the prompts of the rows and write their first ids."""
        told = [token for row in self.rows for token in _or_failed(row, row.forced())]
        going = [row for row in self.rows if row.finish is None]
        if going:
            prompts = [prompt for row in going for prompt in row.prompts]
            self.rows = [row for row in going for _ in row.prompts]
            for row in going:
                row.known = []
            with torch.inference_mode():
                self.decoder = self._start(prompts, self.adapter)
            told += self._choose(self.decoder.hidden)
        self._leave()
        return told

    def step(self) -> list[Token | Failed]:
        told = self._choose(self._read())
        self._leave()
        return told

    def join(self, other: _Group) -> None:
        """Go on with another group's rows behind these."""
        with torch.inference_mode():
            self.decoder.join(other.decoder)
        self.rows += other.rows

    def drop(self, unwanted: set[Turn]) -> None:
        for row in self.rows:
            if row.turn in unwanted:
                row.finish = "cancelled"
        self._leave()

    def _leave(self) -> None:
        """Go on without the rows that are finished."""
        going = [place for place, row in enumerate(self.rows) if row.finish is None]
        if going and len(going) < len(self.rows):
            with torch.inference_mode():
                self.decoder.keep(going)
        self.rows = [self.rows[place] for place in going]

    @torch.inference_mode()
    def _read(self) -> torch.Tensor:
        """Read as many known ids as every row has; the hidden states (B, H) after them."""
        count = min(len(row.known) for row in self.rows)
        ids = [row.known[:count] for row in self.rows]
        for row in dict.fromkeys(self.rows):
            del row.known[:count]
        return self.decoder.read(torch.tensor(ids, device=self._device))

    def _choose(self, hidden_BH: torch.Tensor) -> list[Token | Failed]:
        """Write the next id, and those that follow by force, of every row whose written ids have all been read."""
        places = {row: place for place, row in reversed(list(enumerate(self.rows)))}
        alike: dict[Ranges, list[Row]] = {}
        for row in dict.fromkeys(self.rows):
            if not row.known:
                alike.setdefault(row.rules.allowed(), []).append(row)
        told: list[Token | Failed] = []
        for ranges, rows in alike.items():
            logits_BV, corrupted_BV = self._logits(rows, [places[row] for row in rows], hidden_BH, ranges)
            ids = self._head.ids(ranges)
            for row, row_V in zip(rows, logits_BV, strict=True):
                told += _or_failed(row, _bar(row, row_V))
            _contrast(rows, logits_BV, corrupted_BV)
            for row, choice, row_V in zip(rows, _picks(logits_BV, rows), logits_BV, strict=True):
                told += _or_failed(row, _follow(row, choice, row_V, ids))
        return told

    @torch.inference_mode()
    def _logits(
        self, rows: list[Row], places: list[int], hidden_BH: torch.Tensor, ranges: Ranges
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, V) logits of the ids that may come next, on the CPU, guidance applied; and of those rows that are
        chosen with contrast, the logits with corrupted media.
        """
        guided = [number for number, row in enumerate(rows) if row.guided]
        last = [place + len(row.turn.prompts) - 1 for place, row in zip(places, rows, strict=True) if row.contrasted]
        wanted = [*places, *(places[number] + 1 for number in guided), *last]
        all_in_order = wanted == list(range(len(hidden_BH)))
        logits_BV = self._head.logits(hidden_BH if all_in_order else hidden_BH[wanted], ranges).cpu()
        with_BV, without_BV, corrupted_BV = logits_BV.split([len(rows), len(guided), len(last)])
        if guided:
            scale_B1 = torch.tensor([[rows[number].turn.sampling.guidance] for number in guided])
            with_BV[guided] = without_BV + scale_B1 * (with_BV[guided] - without_BV)
        return with_BV, corrupted_BV


def _or_failed(row: Row, tokens: Iterator[Token]) -> list[Token | Failed]:
    """What a row writes; should its rules not be able to go on, only its turn fails."""
    told: list[Token | Failed] = []
    try:
        told.extend(tokens)
    except InputError as error:
        row.finish = "cancelled"
        told.append(Failed(row.turn, error))
    return told


def _bar(row: Row, logits_V: torch.Tensor) -> Iterator[Token]:
    """Rule out what is barred, in place; nothing is written."""
    barred_V = row.rules.barred()
    if barred_V is not None:
        with torch.inference_mode():
            logits_V.masked_fill_(torch.from_numpy(barred_V), -torch.inf)
    yield from ()


@torch.inference_mode()
def _contrast(rows: list[Row], logits_BV: torch.Tensor, corrupted_BV: torch.Tensor) -> None:
    """Apply contrast in place, to what is not barred."""
    numbers = [number for number, row in enumerate(rows) if row.contrasted]
    if numbers:
        scale_B1 = torch.tensor([[rows[number].turn.sampling.contrast] for number in numbers])
        logits_BV[numbers] = contrasted(logits_BV[numbers], corrupted_BV, scale_B1)


def _follow(row: Row, choice: int, logits_V: torch.Tensor, ids: torch.Tensor) -> Iterator[Token]:
    """The chosen id, and those that come after it by force; nothing of a row that has failed."""
    if row.finish is None:
        yield _written(row, choice, logits_V, ids)
        yield from row.forced()


@torch.inference_mode()
def _picks(logits_BV: torch.Tensor, rows: list[Row]) -> list[int]:
    """The column chosen for every row; those that sample alike are chosen together."""
    alike: dict[tuple[float, int, float], list[int]] = {}
    for number, row in enumerate(rows):
        sampling = row.turn.sampling
        alike.setdefault((sampling.temperature, sampling.top_k, sampling.top_p), []).append(number)
    chosen = [0] * len(rows)
    for numbers in alike.values():
        some_BV = logits_BV if len(numbers) == len(rows) else logits_BV[numbers]
        generators = [rows[number].generator for number in numbers]
        picked = pick(some_BV, rows[numbers[0]].turn.sampling, generators)
        for number, choice in zip(numbers, picked.tolist(), strict=True):
            chosen[number] = choice
    return chosen


@torch.inference_mode()
def _written(row: Row, choice: int, logits_V: torch.Tensor, ids: torch.Tensor) -> Token:
    token, count = int(ids[choice]), row.turn.sampling.logprobs
    if count is None:
        return row.write(token)
    logs_V = logits_V.log_softmax(-1)
    best = logs_V.topk(min(count, int(logs_V.isfinite().sum())))
    top = tuple(zip(ids[best.indices].tolist(), best.values.tolist(), strict=True))
    return row.write(token, top, float(logs_V[choice]))
