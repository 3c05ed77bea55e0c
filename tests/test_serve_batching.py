"""Answers join and leave while others are written, and each is what it would be alone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from serving import tiny_assistant

from sensorium.generate import Sampling, Token
from sensorium.generate.continuous import Answer
from sensorium.serve.errors import ApiError
from sensorium.serve.fair_queue import FairQueue
from sensorium.serve.scheduler import Job, Scheduler
from sensorium.types import InputError

PROMPTS = [[5, 9, 17, 4], [8, 33], [2, 7, 80, 91, 14, 60, 3], [44], [3] * 12]
WANTS = ["image", None, "text", "image", "text"]
SAMPLINGS = [
    Sampling(temperature=0, max_tokens=40),
    Sampling(temperature=0, max_tokens=30, guidance=2.0),
    Sampling(temperature=1, seed=3, max_tokens=9),
    Sampling(temperature=0.8, seed=4, guidance=3.0, max_tokens=40),
    Sampling(temperature=0, max_tokens=25),
]


def answers(model) -> list[Answer]:
    return [
        Answer(row, prompt, model.grammar(want, s.max_tokens), s, [7, 7, 1] if s.guidance != 1 else None)
        for row, (prompt, want, s) in enumerate(zip(PROMPTS, WANTS, SAMPLINGS, strict=True))
    ]


def alone(model) -> list[list[int]]:
    made = []
    for one in answers(model):
        negatives = None if one.negative is None else [one.negative]
        made += model.engine.generate([one.prompt], [one.rules], one.sampling, negatives)
    return [generation.ids for generation in made]


@pytest.mark.parametrize("kind", ["llama", "smollm", "gemma3", "gpt2"])
@pytest.mark.parametrize("every", [1, 4])
def test_answers_that_join_and_leave_equal_those_written_alone(kind, every):
    model = tiny_assistant(kind)
    batch, written = model.engine.batch(), [[] for _ in PROMPTS]
    coming = answers(model)
    most, steps = 0, 0

    def note(tokens):
        for token in tokens:
            written[token.row].append(token.id)

    while coming or len(batch):
        if coming and steps % every == 0:
            note(batch.join([coming.pop(0)]))
        most = max(most, len(batch))
        if len(batch):
            note(batch.step())
        steps += 1
    assert most > 1, "answers must overlap to test that"
    assert written == alone(model)


def test_a_dropped_answer_leaves_the_others_as_they_are():
    model = tiny_assistant()
    batch, written = model.engine.batch(), [[] for _ in PROMPTS]
    tokens = list(batch.join(answers(model)))
    for step in range(60):
        for token in tokens:
            written[token.row].append(token.id)
        if step == 3:
            batch.drop([1, 3])
        tokens = list(batch.step()) if len(batch) else []
    whole = alone(model)
    for row in (0, 2, 4):
        assert written[row] == whole[row]
    for row in (1, 3):
        assert 0 < len(written[row]) < len(whole[row])
        assert written[row] == whole[row][: len(written[row])]


def test_the_cache_of_a_batch_that_never_empties_stays_small():
    model = tiny_assistant()
    batch = model.engine.batch()
    for number in range(60):
        sampling = Sampling(temperature=0, max_tokens=6)
        list(batch.join([Answer(number, [5, 9, 17], model.grammar("text", 6), sampling)]))
        for _ in range(2):
            list(batch.step())
    assert len(batch) >= 2
    assert batch._decoder._length < 20, "3 ids of prompt and 6 of answer are all that is needed"


def test_logprobs_are_those_of_the_allowed_ids():
    model = tiny_assistant()
    sampling = Sampling(temperature=0, max_tokens=5, logprobs=3)
    tokens = list(model.engine.stream([PROMPTS[0]], [model.grammar("text")], sampling))
    for token in tokens:
        assert token.top[0] == (token.id, pytest.approx(token.logprob)), "greedy takes the likeliest"
        assert len(token.top) == 3
        assert sorted((logprob for _, logprob in token.top), reverse=True) == [logprob for _, logprob in token.top]
    score = model.engine.score(PROMPTS[0], [[tokens[0].id]])[0]
    assert tokens[0].logprob >= score - 1e-4, "among fewer ids, the same id is at least as likely"


class Inbox:
    """What a job emits."""

    def __init__(self):
        self.items: list[Token | Exception] = []
        self.over = threading.Event()
        self.when = 0.0

    def __call__(self, item):
        self.items.append(item)
        if isinstance(item, Exception) or item.finish:
            self.when = time.monotonic()
            self.over.set()

    @property
    def ids(self) -> list[int]:
        return [item.id for item in self.items if isinstance(item, Token)]


def job(model, row: int, inbox: Inbox, seconds: float = 60, sampling: Sampling | None = None) -> Job:
    one = answers(model)[row]
    used = sampling or one.sampling
    rules = model.grammar(WANTS[row], used.max_tokens)
    return Job(one.prompt, rules, used, one.negative, WANTS[row] == "image", inbox, time.monotonic() + seconds)


@pytest.fixture
def scheduler():
    made = []

    def make(model, max_batch=4, max_queue=50, request_s=60.0) -> Scheduler:
        made.append(Scheduler(model, max_batch=max_batch, max_queue=max_queue, request_s=request_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


@contextmanager
def held(queue: Scheduler):
    """Inside the block the scheduler does not come back from a step."""
    go_on = threading.Event()
    for batch in queue._batches.values():
        batch.step = lambda step=batch.step: (go_on.wait(60), step())[1]
    try:
        yield
    finally:
        go_on.set()


def wait_until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_jobs_of_many_requests_get_their_own_answers(scheduler):
    model = tiny_assistant()
    whole = alone(model)
    queue, inboxes = scheduler(model), [Inbox() for _ in range(25)]
    for number, inbox in enumerate(inboxes):
        queue.submit(f"client {number % 3}", [job(model, number % 5, inbox)])
    for number, inbox in enumerate(inboxes):
        assert inbox.over.wait(60)
        assert inbox.ids == whole[number % 5]
    assert queue.waiting == queue.writing == 0


def test_text_is_written_without_the_adapter_while_media_are_written_with_it(scheduler):
    from peft import LoraConfig

    model = tiny_assistant()
    bare = alone(model)
    model.lm.add_adapter(LoraConfig(r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False))
    model.has_adapter = True
    adapted = alone(model)
    queue, inboxes = scheduler(model, max_batch=20), [Inbox() for _ in PROMPTS * 2]
    for number, inbox in enumerate(inboxes):
        queue.submit("a", [job(model, number % 5, inbox)])
    for number, inbox in enumerate(inboxes):
        row = number % 5
        assert inbox.over.wait(60)
        assert inbox.ids == (adapted if WANTS[row] == "image" else bare)[row]
    assert adapted[0] != bare[0]
    assert adapted[2] != bare[2]


def test_a_full_queue_refuses_a_request_as_a_whole(scheduler):
    model = tiny_assistant()
    queue = scheduler(model, max_batch=1, max_queue=2)
    with held(queue):
        queue.submit("a", [job(model, 2, Inbox())])
        wait_until(lambda: queue.writing)
        queue.submit("a", [job(model, 2, Inbox())])
        with pytest.raises(ApiError, match="try again") as caught:
            queue.submit("b", [job(model, 2, Inbox()), job(model, 2, Inbox())])
        assert caught.value.status == 429
        assert caught.value.headers["Retry-After"]
        assert queue.waiting == 1


def test_a_client_with_one_request_does_not_wait_for_another_with_many(scheduler):
    model = tiny_assistant()
    queue = scheduler(model, max_batch=1)
    greedy, modest = [Inbox() for _ in range(12)], Inbox()
    with held(queue):
        queue.submit("greedy", [job(model, 4, inbox) for inbox in greedy])
        queue.submit("modest", [job(model, 4, modest)])
    for inbox in (*greedy, modest):
        assert inbox.over.wait(60)
    earlier = sum(inbox.when < modest.when for inbox in greedy)
    assert earlier <= 3


def test_a_cancelled_job_makes_room(scheduler):
    model = tiny_assistant()
    queue = scheduler(model, max_batch=1)
    endless, after = Inbox(), Inbox()
    first = job(model, 2, endless, sampling=Sampling(temperature=0, max_tokens=240))
    with held(queue):
        queue.submit("a", [first])
        wait_until(lambda: endless.items or queue.writing)
        queue.submit("a", [job(model, 4, after)])
        first.cancel()
    assert after.over.wait(60)
    assert len(endless.ids) < 240
    assert not endless.over.is_set()


def test_time_over_is_told(scheduler):
    model = tiny_assistant()
    queue, inbox = scheduler(model), Inbox()
    late = job(model, 2, inbox, seconds=-1)
    queue.submit("a", [late])
    assert inbox.over.wait(60)
    assert isinstance(inbox.items[-1], ApiError)
    assert inbox.items[-1].status == 408


def test_a_model_that_fails_fails_those_requests_only(scheduler, monkeypatch):
    model = tiny_assistant()
    queue, inbox, later = scheduler(model), Inbox(), Inbox()
    start = model.engine._start

    def broken(prompts):
        if any(prompt[0] == 99 for prompt in prompts):
            raise MemoryError("no room")
        return start(prompts)

    monkeypatch.setattr(model.engine, "_start", broken)
    queue._batches = {about: model.engine.batch() for about in (True, False)}
    bad = replace(job(model, 2, inbox), prompt=[99])
    queue.submit("a", [bad])
    assert inbox.over.wait(60)
    assert isinstance(inbox.items[-1], MemoryError)
    queue.submit("a", [job(model, 2, later)])
    assert later.over.wait(60)
    assert later.ids == alone(model)[2]


def test_an_engine_that_refuses_one_answer_goes_on_with_the_others(scheduler, monkeypatch):
    model = tiny_assistant("gpt2")
    whole, inboxes = alone(model), [Inbox() for _ in range(3)]
    stream = model.engine.stream

    def choosy(prompts, *rest):
        if prompts == [PROMPTS[2]]:
            raise InputError("not this one")
        yield from stream(prompts, *rest)

    monkeypatch.setattr(model.engine, "stream", choosy)
    scheduler(model).submit("a", [job(model, row, inbox) for row, inbox in zip((1, 2, 4), inboxes, strict=True)])
    for inbox in inboxes:
        assert inbox.over.wait(60)
    assert [inboxes[0].ids, inboxes[2].ids] == [whole[1], whole[4]]
    assert [str(item) for item in inboxes[1].items] == ["not this one"]


def test_closing_ends_what_is_unfinished(scheduler):
    model = tiny_assistant()
    queue = Scheduler(model, max_batch=1, max_queue=9, request_s=60)
    inboxes = [Inbox(), Inbox()]
    waits, cancelled = (Future() for _ in range(2))
    cancelled.cancel()
    with held(queue):
        queue.submit("a", [job(model, 2, inbox, sampling=Sampling(max_tokens=240)) for inbox in inboxes])
        wait_until(lambda: queue.writing)
        queue._calls += [(int, cancelled), (int, waits)]
        closing = threading.Thread(target=queue.close)
        closing.start()
        wait_until(lambda: queue._closed)
    closing.join()
    with pytest.raises(ApiError, match="unloaded"):
        waits.result(10)
    for inbox in inboxes:
        assert inbox.over.wait(10)
        assert isinstance(inbox.items[-1], ApiError)
        assert inbox.items[-1].status == 503
    with pytest.raises(ApiError, match="unloaded"):
        queue.submit("a", [job(model, 2, Inbox())])


def test_an_engine_that_hangs_does_not_stop_the_end(monkeypatch):
    monkeypatch.setattr("sensorium.serve.scheduler.CLOSE_S", 0.1)
    model = tiny_assistant()
    queue = Scheduler(model, max_batch=1, max_queue=9, request_s=60)
    with held(queue):
        queue.submit("a", [job(model, 2, Inbox())])
        wait_until(lambda: queue.writing)
        queue.close()
        assert queue._thread.is_alive(), "left behind"


def test_a_batch_that_cannot_drop_an_answer_fails_and_the_next_goes_on(scheduler):
    model = tiny_assistant()
    queue, gone, beside, later = scheduler(model), Inbox(), Inbox(), Inbox()

    def broken(_):
        raise MemoryError("no room")

    with held(queue):
        first = job(model, 2, gone)
        queue.submit("a", [first, job(model, 4, beside)])
        wait_until(lambda: queue.writing == 2)
        queue._batches[False].drop = broken
        first.cancel()
    assert beside.over.wait(60)
    assert isinstance(beside.items[-1], MemoryError)
    queue.submit("a", [job(model, 2, later)])
    assert later.over.wait(60)
    assert later.ids == alone(model)[2]


def test_long_prompts_join_one_by_one_between_steps(scheduler, monkeypatch):
    """So that the answers in the making wait for one of them only."""
    monkeypatch.setattr("sensorium.serve.scheduler.READ_AT_ONCE", 100)
    model, happened = tiny_assistant(), []
    whole, queue = alone(model), scheduler(model, max_batch=20)
    batch = queue._batches[False]
    join, step = batch.join, batch.step
    batch.join = lambda answers: (happened.append([len(one.prompt) for one in answers]), join(answers))[1]
    batch.step = lambda: (happened.append("step"), step())[1]
    waiting = (("b", 60), ("b", 60), ("c", 3), ("c", 3), ("d", 3), ("e", 120))
    inboxes = [Inbox() for _ in (0, *waiting)]
    with held(queue):
        queue.submit("a", [job(model, 2, inboxes[0])])
        wait_until(lambda: queue.writing)
        for (client, length), inbox in zip(waiting, inboxes[1:], strict=True):
            queue.submit(client, [replace(job(model, 2, inbox), prompt=[5] * length)])
    for inbox in inboxes:
        assert inbox.over.wait(60)
    assert [one for one in happened if one != "step"] == [[len(PROMPTS[2])], [60], [3, 3], [120], [60], [3]]
    assert all("step" in two for two in pairwise(happened)), "a step between any two"
    assert inboxes[0].ids == whole[2]


def test_clients_take_turns():
    queue: FairQueue[str] = FairQueue(9)
    assert queue.put("a", ["a1", "a2", "a3"])
    assert queue.put("b", ["b1"])
    assert queue.put("c", ["c1", "c2"])
    assert not queue.put("d", ["d1", "d2", "d3", "d4"]), "all or none"
    assert queue.remove(lambda item: item == "a2") == ["a2"]
    assert queue.first == "a1"
    assert [queue.take() for _ in range(len(queue))] == ["a1", "b1", "c1", "a3", "c2"]
