"""What an engine does: a batch that turns join and leave, and how likely given ids are. Ids only.

It knows nothing of tokenizers, codecs or modalities.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from sensorium.engines.turn import Failed, Finish, Generation, Ids, Scored, Token, Turn


class Batch(Protocol):
    """Turns in the making. Each is written as if it were alone."""

    def join(self, turns: Sequence[Turn]) -> Iterable[Token | Failed]:
        """Take in more turns; what this writes already."""
        ...

    def step(self) -> Iterable[Token | Failed]:
        """What was written next; nothing, if nothing came for a moment."""
        ...

    def drop(self, turns: Iterable[Turn]) -> None:
        """Go on without these turns."""
        ...

    def __len__(self) -> int:
        """How many turns are unfinished."""
        ...


@dataclass(frozen=True)
class Known:
    """An id of a given text, as the plain model sees it: no grammar bounds what might stand in its place.

    Args:
        id: the id.
        logprob: its log-probability (nats) after all ids before it, over the whole vocabulary; None for the first.
        top: the likeliest ids in its place, each with its log-probability.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class Engine(Protocol):
    """Writes turns, and tells how likely continuations are."""

    def batch(self) -> Batch:
        """An empty batch, for turns that come and go."""
        ...

    def score(self, prompt: Ids, continuations: Sequence[Ids], adapter: bool = True) -> list[float]:
        """Summed log-probability (nats) of each continuation after the prompt, over the whole vocabulary.

        Args:
            adapter: see `Turn`.
        """
        ...

    def known(self, ids: Ids, top: int = 0, adapter: bool = True) -> list[Known]:
        """How likely each of the ids is after those before it, with the ``top`` likeliest in its place.

        Args:
            adapter: see `Turn`.
        """
        ...

    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1, adapter: bool = True) -> list[Scored]:
        """The ``wanted`` likeliest continuations, best first: as ranking all of `score`, for much less work."""
        ...


def stream(engine: Engine, turns: Sequence[Turn]) -> Generator[Token, None, None]:
    """Ids of several turns as they are written; closing the iterator cancels.

    Raises:
        Exception: what ended one of the turns; the others are given up.
    """
    batch = engine.batch()
    try:
        yield from map(_or_raise, batch.join(turns))
        while len(batch):
            yield from map(_or_raise, batch.step())
    finally:
        batch.drop(turns)


def _or_raise(item: Token | Failed) -> Token:
    if isinstance(item, Failed):
        raise item.error
    return item


def generate(
    engine: Engine,
    turns: Sequence[Turn],
    *,
    on_token: Callable[[Token], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Generation]:
    """As `stream`, all at once.

    Args:
        on_token: called with every id as it is written.
        cancelled: asked after every id; when it says True, what was written so far is returned.
    """
    written: dict[Turn, list[int]] = {turn: [] for turn in turns}
    finish: dict[Turn, Finish] = dict.fromkeys(turns, "cancelled")
    with closing(stream(engine, turns)) as tokens:
        for token in tokens:
            written[token.turn].append(token.id)
            finish[token.turn] = token.finish or "cancelled"
            if on_token is not None:
                on_token(token)
            if cancelled is not None and cancelled():
                break
    return [Generation(written[turn], finish[turn]) for turn in turns]


def ranked(scores: Sequence[float], wanted: int) -> list[Scored]:
    """The ``wanted`` highest scores, best first; of equal ones the earlier first."""
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    return [Scored(index, scores[index]) for index in order[:wanted]]
