"""The nouns of writing: a turn to be written, its ids as they come, what was written. Ids only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from sensorium.engines.sampling import Sampling
from sensorium.stream import Ranges
from sensorium.types import InputError

Ids = Sequence[int]
Finish = Literal["stop", "length", "cancelled"]


class Rules(Protocol):
    """Which ids may come next; `sensorium.stream.Grammar` is one.

    Whoever writes works on a shallow copy (`copy.copy`), which must not change what it was copied from.

    Attributes:
        done: nothing more may be written.
        inside: not None while the next id belongs to a medium; there, guidance applies.
        complete: nothing is missing from what is written, though no id has ended the turn.
        stop_ids: the ids that end a turn.
    """

    done: bool

    @property
    def inside(self) -> Any: ...

    @property
    def complete(self) -> bool: ...

    @property
    def stop_ids(self) -> tuple[int, ...]: ...

    def allowed(self) -> Ranges:
        """Contiguous (start, stop) ranges of ids, not empty until `done`."""
        ...

    def barred(self) -> np.ndarray | None:
        """Of the ids in `allowed`, in their order, True for those that may not come after all; None: all may.

        Turns whose `allowed` are alike are chosen for together, whatever is barred in each.

        Raises:
            InputError: what may come cannot be told any more; the turn fails.
        """
        ...

    def advance(self, token: int) -> None:
        """Take note of a written id."""
        ...


def exactly(rules: Rules) -> Ranges:
    """(start, stop) ranges of the ids that may come, without those that are barred."""
    ranges, barred = rules.allowed(), rules.barred()
    if barred is None:
        return ranges
    ids = np.concatenate([np.arange(start, stop) for start, stop in ranges])[~barred]
    pieces = np.split(ids, np.flatnonzero(np.diff(ids) != 1) + 1)
    return tuple((int(piece[0]), int(piece[-1]) + 1) for piece in pieces)


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """How further answers to one request come to differ from the first.

    Args:
        temperature, top_k: of all but the first, in place of the turn's own; None: no other.
        pool: how many are written for each one that is wanted, so that copies can be dropped and the best kept.

    Raises:
        InputError: a number is outside its range.
    """

    temperature: float | None = None
    top_k: int | None = None
    pool: int = 1

    def __post_init__(self) -> None:
        if self.pool < 1 or min(self.temperature or 0, self.top_k or 0) < 0:
            raise InputError(f"{self} must have a pool of 1 or more, the rest 0 or more")

    def sampling(self, own: Sampling) -> Sampling:
        """That of a further answer."""
        said = {"temperature": self.temperature, "top_k": self.top_k}
        return replace(own, **{name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True, eq=False)
class Turn:
    """An answer to be written. Two turns are never equal, so that many may say the same.

    Args:
        prompt: the ids it continues, not empty.
        rules: what may be written, and when it ends; as they are before the first id.
        sampling: how ids are chosen; a number drawn depends on nothing but its seed and its place.
        negative: the prompt without the request: the unconditional side of guidance, and what the likelihood of an
            answer is compared with.
        adapter: with the model's LoRA adapter, if it has one; without it, answers are the base model's own.
        attempts: how further answers to it are written.
        corrupted: the prompt with its media corrupted, see `sensorium.engines.sampling.contrasted`; None where it has
            none.
        thinks: it was asked for with a thought before it.

    Raises:
        InputError: an empty prompt.
    """

    prompt: Ids
    rules: Rules
    sampling: Sampling
    negative: Ids | None = None
    adapter: bool = True
    attempts: Attempts = Attempts()
    corrupted: Ids | None = None
    thinks: bool = False

    def __post_init__(self) -> None:
        if any(one is not None and len(one) == 0 for one in (self.prompt, self.negative, self.corrupted)):
            raise InputError("the prompt of a turn is empty; it must hold at least one id")

    @property
    def guided(self) -> bool:
        """Whether its media are written with guidance, which needs a second row of a batch."""
        return self.negative is not None and self.sampling.guidance != 1

    @property
    def contrasted(self) -> bool:
        """Whether its text is written with contrast, which needs one more row of a batch."""
        return self.corrupted is not None and self.sampling.contrast > 0

    @property
    def prompts(self) -> list[Ids]:
        """What is read for it: the prompt, that of guidance, that of contrast."""
        beside = [self.negative if self.guided else None, self.corrupted if self.contrasted else None]
        return [self.prompt, *(one for one in beside if one is not None)]

    def again(self, number: int) -> Turn:
        """Another answer to the same: its seed is higher by ``number``, its sampling that of further attempts.

        Number 0 is the answer itself.
        """
        own = self.attempts.sampling(self.sampling) if number else self.sampling
        return replace(self, sampling=replace(own, seed=own.seed + number))


@dataclass(frozen=True)
class Token:
    """One id as it is written.

    Args:
        turn: of which it is.
        id: the id.
        finish: why the turn ended, on its last id; else None.
        logprob: its log-probability (nats) among the ids that were allowed, when `Sampling.logprobs` asks for it.
        top: the likeliest of the allowed ids, each with its log-probability.
    """

    turn: Turn
    id: int
    finish: Finish | None = None
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Failed:
    """A turn that cannot go on, for a reason; the others of its batch can."""

    turn: Turn
    error: Exception


class Unreachable(InputError):
    """An engine in another process does not answer, or cannot do its work; what it was asked may be in order."""


@dataclass(frozen=True)
class Generation:
    """What was written in one turn.

    Args:
        ids: the written ids, the one that ends the turn included.
        finish: ``"stop"`` (the turn ended, or its form is complete), ``"length"`` (the limit was reached) or
            ``"cancelled"``.
    """

    ids: list[int]
    finish: Finish


@dataclass(frozen=True)
class Scored:
    """A continuation by its position in the list, and its summed log-probability in nats."""

    index: int
    score: float
