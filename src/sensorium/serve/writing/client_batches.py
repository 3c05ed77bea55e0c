"""The engine's batches: who asks for much has one of its own, so that a step for others is short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sensorium.engines import Batch, Engine, Turn
from sensorium.serve.writing.fair_queue import owner_of

FEW = 2
"""Lanes that a client, or a key, may have in a batch that it shares with others."""


def lanes_of(turn: Turn) -> int:
    """Rows of a decoder that a turn takes."""
    return len(turn.prompts)


class ClientBatch:
    """A batch of the engine.

    Attributes:
        turns: that are written in it, with their clients.
    """

    def __init__(self, batch: Batch):
        self.batch = batch
        self.turns: dict[Turn, str] = {}

    def has_place(self, turn: Turn, client: str) -> bool:
        """Whether all in it would be of one client, or nobody would have more than a few."""
        clients, owners = Counter[str](), Counter[str]()
        for one, whose in (*self.turns.items(), (turn, client)):
            clients[whose] += lanes_of(one)
            owners[owner_of(whose)] += lanes_of(one)
        return all(len(lanes) == 1 or max(lanes.values()) <= FEW for lanes in (clients, owners))


class ClientBatches:
    """Batches by clients: of a client that is alone there is one, of many with a few turns each there is one too.

    Args:
        engine: one at a URL has one batch for all, since its turns do not wait for each other here.
    """

    def __init__(self, engine: Engine):
        self._engine, self._apart = engine, not getattr(engine, "at_url", False)
        self._all = [ClientBatch(engine.batch())]

    def __iter__(self) -> Iterator[ClientBatch]:
        return iter(list(self._all))

    def of(self, client: str) -> list[ClientBatch]:
        """Where a client has turns."""
        return [one for one in self._all if client in one.turns.values()]

    def place(self, turns: Sequence[Turn], client: str) -> dict[ClientBatch, list[Turn]]:
        """Where more turns of a client are to join; they are noted there."""
        placed: dict[ClientBatch, list[Turn]] = {}
        for turn in turns:
            batch = self._place(turn, client)
            batch.turns[turn] = client
            placed.setdefault(batch, []).append(turn)
        return placed

    def _place(self, turn: Turn, client: str) -> ClientBatch:
        own = [one for one in self._all if set(one.turns.values()) == {client}]
        for batch in (*own, *self._all):
            if not self._apart or batch.has_place(turn, client):
                return batch
        self._all.append(ClientBatch(self._engine.batch()))
        return self._all[-1]

    def left(self, turns: Iterable[Turn]) -> None:
        """Forget turns that are over, and batches that are empty but for one."""
        for turn in turns:
            for batch in self._all:
                batch.turns.pop(turn, None)
        self._all = [one for one in self._all if one.turns] or self._all[:1]

    def renew(self, batch: ClientBatch) -> None:
        """Go on with an empty batch of the engine in place of one that has failed."""
        batch.batch = self._engine.batch()
