"""Batching while running: one thread per model writes for all requests, which join and leave between two ids."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from sensorium.generate import Assistant, Sampling, Token
from sensorium.generate.continuous import Answer, AnswerFailed, Batch
from sensorium.generate.engine import Ids, Rules
from sensorium.serve.errors import ApiError, busy
from sensorium.serve.fair_queue import FairQueue

TOO_LATE = "the request took longer than this server's limit of {:g} s; ask for fewer tokens or try again later"
UNLOADED = "the model was unloaded, or the server stopped, while this request waited for it"
READ_AT_ONCE = 2048
"""Ids of prompts, padding included, that are read between two steps: for more of them, the answers that are being
written do not wait."""
CLOSE_S = 5


@dataclass(eq=False)
class Job:
    """One answer to be written.

    Args:
        prompt, negative, rules, sampling: see `sensorium.generate.continuous.Answer`.
        about_media: see `sensorium.model.Model.media`.
        emit: called in the writing thread with every token, or with the exception that ended the job.
        deadline: `time.monotonic` at which it is given up.

    Attributes:
        cpu_s: processor time that went into it; of a step, an even share.
    """

    prompt: Ids
    rules: Rules
    sampling: Sampling
    negative: Ids | None
    about_media: bool
    emit: Callable[[Token | Exception], None]
    deadline: float
    cancelled: bool = field(default=False, init=False)
    cpu_s: float = field(default=0.0, init=False)

    def cancel(self) -> None:
        """Stop writing; nothing more is emitted after the ids in the making."""
        self.cancelled = True


class Scheduler:
    """Writes the answers of one model.

    Args:
        model: only its scheduler's thread runs it.
        max_batch: answers written at the same time; one that is guided counts twice.
        max_queue: answers that may wait.
        request_s: for the message when a job's time is over.
    """

    def __init__(self, model: Assistant, *, max_batch: int, max_queue: int, request_s: float):
        self._model, self._max_batch, self._request_s = model, max_batch, request_s
        self._waiting: FairQueue[Job] = FairQueue(max_queue)
        self._calls: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._writing: dict[int, Job] = {}
        self._batches: dict[bool, Batch] = {about: model.engine.batch() for about in (True, False)}
        self._numbers = itertools.count()
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

    def submit(self, client: str, jobs: list[Job]) -> None:
        """Queue all jobs of a request.

        Raises:
            ApiError: 429, the queue has no room for them; 503, the model is going.
        """
        with self._changed:
            if self._closed:
                raise _gone()
            if not self._waiting.put(client, jobs):
                raise busy(
                    f"{len(self._waiting)} answers are waiting already, at most {self._waiting.capacity} may; "
                    "try again in a moment"
                )
            self._changed.notify()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Run a function of the model between two steps."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise _gone()
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Stop after the current step; all unfinished jobs end with an error.

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
                calls, self._calls = self._calls, []
                self._give_up()
                joining = self._admit()
            for function, future in calls:
                _resolve(future, function)
            for about, batch in list(self._batches.items()):
                self._advance(about, batch, [job for job in joining if job.about_media == about])
        for job in [*self._waiting.remove(lambda _: True), *self._writing.values()]:
            job.emit(_gone())
        for _, future in self._calls:
            _resolve(future, _refuse)

    def _give_up(self) -> None:
        """Drop the jobs that nobody waits for, and those whose time is over."""
        now = time.monotonic()
        self._waiting.remove(lambda job: job.cancelled)
        late = self._waiting.remove(lambda job: job.deadline < now)
        late += [job for job in self._writing.values() if job.deadline < now and not job.cancelled]
        for job in late:
            job.emit(ApiError(408, TOO_LATE.format(self._request_s), code="timeout"))
            job.cancel()
        self._drop(number for number, job in self._writing.items() if job.cancelled)

    def _drop(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        for number in numbers:
            del self._writing[number]
        for about, batch in list(self._batches.items()):
            try:
                if numbers and len(batch):
                    batch.drop(numbers)
            except Exception as error:  # as in `_advance`
                self._fail(about, error)

    def _admit(self) -> list[Job]:
        """As many of the waiting as fit; one that is larger than the batch or `READ_AT_ONCE` joins alone."""
        lanes = sum(map(_lanes, self._writing.values()))
        joining: list[Job] = []
        rows = longest = 0
        while len(self._waiting) and lanes < self._max_batch:
            job = self._waiting.first
            rows, longest = rows + _lanes(job), max(longest, len(job.prompt))
            if joining and rows * longest > READ_AT_ONCE:
                break
            joining.append(self._waiting.take())
            lanes += _lanes(job)
        return joining

    def _advance(self, about: bool, batch: Batch, joining: list[Job]) -> None:
        """One step of a batch. Should the model fail, the answers of this batch fail and the thread goes on."""
        started, answers = time.process_time(), []
        for job in joining:
            number = next(self._numbers)
            self._writing[number] = job
            answers.append(Answer(number, job.prompt, job.rules, job.sampling, job.negative))
        mine = [job for job in self._writing.values() if job.about_media == about]
        if not mine:
            return
        tokens: list[Token] = []
        try:
            with self._model.media(about):
                tokens.extend(batch.join(answers) if answers else ())
                for token in batch.step() if len(batch) else ():
                    tokens.append(token)
        except AnswerFailed as failed:
            job, reason = self._writing.pop(failed.row), failed.__cause__
            job.emit(reason if isinstance(reason, Exception) else failed)
        except Exception as error:  # out of memory, a defect: whatever it is, the other batch and later jobs go on
            self._fail(about, error)
            return
        share = (time.process_time() - started) / len(mine)
        for job in mine:
            job.cpu_s += share
        self._hand_out(tokens)

    def _hand_out(self, tokens: list[Token]) -> None:
        for token in tokens:
            job = self._writing[token.row]
            if token.finish is not None:
                del self._writing[token.row]
            if not job.cancelled:
                job.emit(replace(token, row=0))

    def _fail(self, about: bool, error: Exception) -> None:
        self._batches[about] = self._model.engine.batch()
        for number, job in list(self._writing.items()):
            if job.about_media == about:
                del self._writing[number]
                job.emit(error)


def _gone() -> ApiError:
    return ApiError(503, UNLOADED, code="model_unloaded")


def _refuse() -> None:
    raise _gone()


def _lanes(job: Job) -> int:
    return 1 if job.negative is None else 2


def _resolve(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:  # handed to whoever asked
        future.set_exception(error)
