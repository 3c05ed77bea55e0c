"""What an engine does: ids in, ids out. It knows nothing of tokenizers, codecs or modalities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sensorium.generate.sampling import Sampling

if TYPE_CHECKING:
    from sensorium.generate.continuous import Batch

Ids = Sequence[int]
Ranges = tuple[tuple[int, int], ...]
Finish = Literal["stop", "length", "cancelled"]


class Rules(Protocol):
    """Which ids may come next; `sensorium.stream.Grammar` is one.

    Attributes:
        done: nothing more may be written.
        inside: not None while the next id belongs to a medium; there, guidance applies.
        stop_ids: the ids that end a turn.
    """

    done: bool

    @property
    def inside(self) -> Any: ...

    @property
    def stop_ids(self) -> tuple[int, ...]: ...

    def allowed(self) -> Ranges:
        """Contiguous (start, stop) ranges of ids, not empty until `done`."""
        ...

    def advance(self, token: int) -> None:
        """Take note of a written id."""
        ...


@dataclass(frozen=True)
class Generation:
    """What was written after one prompt.

    Args:
        ids: the written ids, the one that ends the turn included.
        finish: ``"stop"`` (the turn ended), ``"length"`` (the limit was reached) or ``"cancelled"``.
    """

    ids: list[int]
    finish: Finish


@dataclass(frozen=True)
class Token:
    """One id as it is written.

    Args:
        row: index of the prompt it continues.
        id: the id.
        finish: why the row ended, on its last id; else None.
        logprob: its log-probability (nats) among the ids that were allowed, when `Sampling.logprobs` asks for it.
        top: the likeliest of the allowed ids, each with its log-probability.
    """

    row: int
    id: int
    finish: Finish | None = None
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Scored:
    """A continuation by its position in the list, and its summed log-probability in nats."""

    index: int
    score: float


class Engine(Protocol):
    """Continues prompts, and tells how likely continuations are."""

    def stream(
        self,
        prompts: Sequence[Ids],
        grammars: Sequence[Rules],
        sampling: Sampling,
        negatives: Sequence[Ids] | None = None,
    ) -> Iterator[Token]:
        """Ids as they are written, the rows of the batch interleaved; closing the iterator cancels.

        Args:
            prompts: one per row, none empty.
            grammars: fresh rules, one per row; they decide what may be written and when a row ends.
            sampling: how ids are chosen.
            negatives: the unconditional prompt of each row, for classifier-free guidance.
        """
        ...

    def generate(
        self,
        prompts: Sequence[Ids],
        grammars: Sequence[Rules],
        sampling: Sampling,
        negatives: Sequence[Ids] | None = None,
        *,
        on_token: Callable[[Token], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Generation]:
        """As `stream`, all at once.

        Args:
            on_token: called with every id as it is written.
            cancelled: asked before every id; when it says True, what was written so far is returned.
        """
        ...

    def score(self, prompt: Ids, continuations: Sequence[Ids]) -> list[float]:
        """Summed log-probability (nats) of each continuation after the prompt, over the whole vocabulary."""
        ...

    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1) -> list[Scored]:
        """The ``wanted`` likeliest continuations, best first: as ranking all of `score`, for much less work."""
        ...

    def batch(self) -> Batch:
        """An empty batch, for answers that come and go."""
        ...
