"""Batching while running: one thread per model writes for all requests, which join and leave between two ids."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sensorium.engines import Engine, Failed, Token, Turn
from sensorium.serve.http.errors import ApiError, busy
from sensorium.serve.writing.client_batches import FEW, ClientBatch, ClientBatches, lanes_of
from sensorium.serve.writing.desk import CLIENT
from sensorium.serve.writing.fair_queue import FairQueue, owner_of
from sensorium.serve.writing.shared_time import PAUSE_S, SharedTime

TOO_LATE = "the request took longer than this server's limit of {:g} s; ask for fewer tokens or try again later"
UNLOADED = "the model was unloaded, or the server stopped, while this request waited for it"
READ_AT_ONCE = 256
"""Ids of prompts, padding included, that are read between two steps: for more of them, the turns that are being
written do not wait, nor does a client that comes."""
CLOSE_S = 5
WRITER = "writer"


@dataclass(eq=False)
class Order:
    """The turns that one request waits for.

    Args:
        turns: to be written.
        tell: called in the writing thread with every token, and with the failure that ends a turn.
        deadline: `time.monotonic` at which all are given up.

    Attributes:
        cpu_s: processor time that went into them; of a step, an even share.
        client: whose request it is.
    """

    turns: Sequence[Turn]
    tell: Callable[[Token | Failed], None]
    deadline: float
    cpu_s: float = field(default=0.0, init=False)
    client: str = field(default="", init=False)
    _unwanted: set[Turn] = field(default_factory=set, init=False)

    def cancel(self, turn: Turn | None = None) -> None:
        """Stop writing a turn, or all; nothing more is told after the ids in the making."""
        self._unwanted.update(self.turns if turn is None else [turn])

    def wants(self, turn: Turn) -> bool:
        return turn not in self._unwanted


Call = tuple[Callable[[], Any], Future[Any]]


class Scheduler:
    """Writes the turns of one model. Clients share the time that it takes, not the turns.

    Args:
        engine: only its scheduler's thread runs it.
        max_batch: turns written at the same time; one that is guided or contrasted counts twice. While they are,
            clients that come have a few more, together as many again at most.
        max_queue: turns that may wait.
        request_s: for the message when an order's time is over.
        shared: with other threads that work for the same clients.
    """

    def __init__(
        self, engine: Engine, *, max_batch: int, max_queue: int, request_s: float, shared: SharedTime | None = None
    ):
        self._engine, self._max_batch, self._request_s = engine, max_batch, request_s
        self._waiting: FairQueue[Turn] = FairQueue(max_queue)
        self._orders: dict[Turn, Order] = {}
        self._calls: FairQueue[Call] = FairQueue(sys.maxsize)
        self._writing: dict[Turn, Order] = {}
        self._batches, self._time = ClientBatches(engine), shared or SharedTime()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sensorium-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        with self._changed:  # else the queue may change while it is counted
            return len(self._waiting)

    @property
    def writing(self) -> int:
        return len(self._writing)

    def submit(self, client: str, order: Order) -> None:
        """Queue all turns of a request.

        Raises:
            ApiError: 429, the queue has no room for them; 503, the model is going.
        """
        with self._changed:
            if self._closed:
                raise _gone()
            if not self._waiting.put(client, order.turns):
                raise busy(
                    f"{len(self._waiting)} answers are waiting already, at most {self._waiting.capacity} may, and a "
                    "client may hold no more places than it leaves free; try again in a moment"
                )
            order.client = client
            self._orders |= dict.fromkeys(order.turns, order)
            self._changed.notify()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Run a function of the model between two steps of the client whose request this is; of several, one."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise _gone()
            self._calls.put(CLIENT.get(), [(function, future)])
            self._changed.notify()
        return future

    def close(self) -> None:
        """Stop after the current step; all unfinished turns end with an error.

        An engine that does not come back from its step is left behind.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._has_work():
                    self._time.there(WRITER, ())
                self._changed.wait_for(lambda: self._closed or self._has_work())
                if self._closed:
                    break
                self._give_up()
                active = self._active()
                if not active:
                    continue
                client = self._time.next(WRITER, active)
                if client is None:
                    self._changed.wait(PAUSE_S)
                    continue
                call = self._calls.take_of(client) if client in self._calls.clients else None
                joining = self._admit(client)
            if call:
                self._answer(client, call)
            self._advance(client, joining)
        self._hand_out([Failed(turn, _gone()) for turn in list(self._orders)])
        for _, future in self._calls.remove(lambda _: True):
            _resolve(future, _refuse)

    def _has_work(self) -> bool:
        return bool(self._writing or len(self._calls) or len(self._waiting))

    def _active(self) -> list[str]:
        """Clients for whom something can be done now."""
        writing = [order.client for order in self._writing.values()]
        waiting = [client for client in self._waiting.clients if self._room(client) > 0]
        return list(dict.fromkeys([*waiting, *writing, *self._calls.clients]))

    def _give_up(self) -> None:
        """Drop the turns that nobody waits for, and those whose time is over."""
        now = time.monotonic()
        late = [turn for turn, order in self._orders.items() if order.deadline < now]
        for turn in late:
            error = ApiError(408, TOO_LATE.format(self._request_s), code="timeout")
            self._tell(Failed(turn, error))
        unwanted = {turn for turn, order in self._orders.items() if not order.wants(turn)}.union(late)
        if unwanted:
            self._waiting.remove(unwanted.__contains__)
            self._drop(unwanted)

    def _drop(self, turns: set[Turn]) -> None:
        for turn in turns:
            del self._orders[turn]
            self._writing.pop(turn, None)
        for batch in self._batches:
            unwanted = turns.intersection(batch.turns)
            self._batches.left(unwanted)
            try:
                batch.batch.drop(unwanted)
            except Exception as error:  # as in `_work`
                self._fail(batch, error)

    def _room(self, client: str) -> int:
        """Lanes that a client may have now, beside those it has: beyond `max_batch` a few, where it has fewer.

        Clients of a key that has more share half of what there is beyond.
        """
        owner, lanes, of_owner, own = owner_of(client), 0, 0, 0
        for turn, order in self._writing.items():
            count = lanes_of(turn)
            lanes += count
            of_owner += count if owner_of(order.client) == owner else 0
            own += count if order.client == client else 0
        free = self._max_batch - lanes
        beyond = self._max_batch if of_owner < FEW else self._max_batch // 2
        return max(free, min(FEW - own, free + beyond))

    def _admit(self, client: str) -> list[Turn]:
        """As many of a client's as fit; one that is larger than the room or `READ_AT_ONCE` joins alone."""
        room = self._room(client)
        joining: list[Turn] = []
        rows = longest = 0
        while client in self._waiting.clients and rows < room:
            turn = self._waiting.first_of(client)
            longest = max(longest, len(turn.prompt))
            if joining and (rows + lanes_of(turn)) * longest > READ_AT_ONCE:
                break
            joining.append(self._waiting.take_of(client))
            rows += lanes_of(turn)
        return joining

    def _answer(self, client: str, call: Call) -> None:
        started = time.perf_counter()
        _resolve(call[1], call[0])
        self._time.charge(client, time.perf_counter() - started)

    def _advance(self, client: str, joining: list[Turn]) -> None:
        """Prompts of a client are read, and each batch in which it has turns makes a step."""
        self._writing |= {turn: self._orders[turn] for turn in joining}
        for batch, turns in self._batches.place(joining, client).items():
            self._work(batch, turns, partial(batch.batch.join, turns))
        for batch in self._batches.of(client):
            self._work(batch, list(batch.turns), batch.batch.step)

    def _work(self, batch: ClientBatch, turns: list[Turn], work: Callable[[], Iterable[Token | Failed]]) -> None:
        """Do what is for these turns. Should the batch fail as a whole, all in it fail and the thread goes on."""
        started, cpu = time.perf_counter(), time.process_time()
        try:
            told = list(work())
        except Exception as error:  # out of memory, a defect: whatever it is, later turns go on
            self._fail(batch, error)
            return
        took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        for turn in turns:
            self._orders[turn].cpu_s += cpu_s / len(turns)
            self._time.charge(batch.turns[turn], took_s / len(turns))
        self._hand_out(told)

    def _hand_out(self, told: Sequence[Token | Failed]) -> None:
        for item in told:
            self._tell(item)
            if isinstance(item, Failed) or item.finish is not None:
                self._orders.pop(item.turn, None)
                self._writing.pop(item.turn, None)
                self._batches.left([item.turn])

    def _tell(self, item: Token | Failed) -> None:
        order = self._orders.get(item.turn)
        if order is not None and order.wants(item.turn):
            order.tell(item)

    def _fail(self, batch: ClientBatch, error: Exception) -> None:
        turns = list(batch.turns)
        self._batches.renew(batch)
        self._hand_out([Failed(turn, error) for turn in turns])


def _gone() -> ApiError:
    return ApiError(503, UNLOADED, code="model_unloaded")


def _refuse() -> None:
    raise _gone()


def _resolve(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:  # handed to whoever asked
        future.set_exception(error)
