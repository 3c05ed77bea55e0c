"""Batching while running: one thread per model writes for all requests, which join and leave between two ids."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sensorium.engines import Batch, Engine, Failed, Token, Turn
from sensorium.serve.http.errors import ApiError, busy
from sensorium.serve.writing.fair_queue import FairQueue

TOO_LATE = "the request took longer than this server's limit of {:g} s; ask for fewer tokens or try again later"
UNLOADED = "the model was unloaded, or the server stopped, while this request waited for it"
READ_AT_ONCE = 2048
"""Ids of prompts, padding included, that are read between two steps: for more of them, the turns that are being
written do not wait."""
CLOSE_S = 5


@dataclass(eq=False)
class Order:
    """The turns that one request waits for.

    Args:
        turns: to be written.
        tell: called in the writing thread with every token, and with the failure that ends a turn.
        deadline: `time.monotonic` at which all are given up.

    Attributes:
        cpu_s: processor time that went into them; of a step, an even share.
    """

    turns: Sequence[Turn]
    tell: Callable[[Token | Failed], None]
    deadline: float
    cpu_s: float = field(default=0.0, init=False)
    _unwanted: set[Turn] = field(default_factory=set, init=False)

    def cancel(self, turn: Turn | None = None) -> None:
        """Stop writing a turn, or all; nothing more is told after the ids in the making."""
        self._unwanted.update(self.turns if turn is None else [turn])

    def wants(self, turn: Turn) -> bool:
        return turn not in self._unwanted


class Scheduler:
    """Writes the turns of one model.

    Args:
        engine: only its scheduler's thread runs it.
        max_batch: turns written at the same time; one that is guided counts twice.
        max_queue: turns that may wait.
        request_s: for the message when an order's time is over.
    """

    def __init__(self, engine: Engine, *, max_batch: int, max_queue: int, request_s: float):
        self._engine, self._max_batch, self._request_s = engine, max_batch, request_s
        self._waiting: FairQueue[Turn] = FairQueue(max_queue)
        self._orders: dict[Turn, Order] = {}
        self._calls: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._writing: dict[Turn, None] = {}
        self._batch: Batch = engine.batch()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sensorium-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
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
            self._orders |= dict.fromkeys(order.turns, order)
            self._changed.notify()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Run a function of the model between two steps; of several, each between two of their own."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise _gone()
            self._calls.append((function, future))
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
                self._changed.wait_for(lambda: self._closed or self._writing or self._calls or len(self._waiting))
                if self._closed:
                    break
                calls, self._calls = self._calls[:1], self._calls[1:]  # one: answers in the making wait for no more
                self._give_up()
                joining = self._admit()
            for function, future in calls:
                _resolve(future, function)
            self._advance(joining)
        self._hand_out([Failed(turn, _gone()) for turn in list(self._orders)])
        for _, future in self._calls:
            _resolve(future, _refuse)

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

    def _drop(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            del self._orders[turn]
            self._writing.pop(turn, None)
        try:
            self._batch.drop(turns)
        except Exception as error:  # as in `_advance`
            self._fail(error)

    def _admit(self) -> list[Turn]:
        """As many of the waiting as fit; one that is larger than the batch or `READ_AT_ONCE` joins alone."""
        lanes = sum(map(_lanes, self._writing))
        joining: list[Turn] = []
        rows = longest = 0
        while len(self._waiting) and lanes < self._max_batch:
            turn = self._waiting.first
            rows, longest = rows + _lanes(turn), max(longest, len(turn.prompt))
            if joining and rows * longest > READ_AT_ONCE:
                break
            joining.append(self._waiting.take())
            lanes += _lanes(turn)
        return joining

    def _advance(self, joining: list[Turn]) -> None:
        """One step of the batch. Should it fail as a whole, all turns in it fail and the thread goes on."""
        started = time.process_time()
        self._writing |= dict.fromkeys(joining)
        mine = list(self._writing)
        told: list[Token | Failed] = []
        try:
            told.extend(self._batch.join(joining) if joining else ())
            told.extend(self._batch.step() if len(self._batch) else ())
        except Exception as error:  # out of memory, a defect: whatever it is, later turns go on
            self._fail(error)
            return
        share = (time.process_time() - started) / max(len(mine), 1)
        for turn in mine:
            self._orders[turn].cpu_s += share
        self._hand_out(told)

    def _hand_out(self, told: Sequence[Token | Failed]) -> None:
        for item in told:
            self._tell(item)
            if isinstance(item, Failed) or item.finish is not None:
                self._orders.pop(item.turn, None)
                self._writing.pop(item.turn, None)

    def _tell(self, item: Token | Failed) -> None:
        order = self._orders.get(item.turn)
        if order is not None and order.wants(item.turn):
            order.tell(item)

    def _fail(self, error: Exception) -> None:
        self._batch = self._engine.batch()
        self._hand_out([Failed(turn, error) for turn in list(self._writing)])


def _gone() -> ApiError:
    return ApiError(503, UNLOADED, code="model_unloaded")


def _refuse() -> None:
    raise _gone()


def _lanes(turn: Turn) -> int:
    return 2 if turn.guided else 1


def _resolve(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:  # handed to whoever asked
        future.set_exception(error)
