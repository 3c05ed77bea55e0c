"""Answers join and leave while others are written, and each is what it would be alone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from itertools import pairwise

import pytest
from serving import tiny_assistant

from sensorium.engines import Failed, Sampling, Token, Turn, generate, stream
from sensorium.serve.http.errors import ApiError
from sensorium.serve.writing.client_batches import ClientBatches
from sensorium.serve.writing.desk import CLIENT, Desk
from sensorium.serve.writing.fair_queue import FairQueue
from sensorium.serve.writing.fair_time import CREDIT_S, FairTime
from sensorium.serve.writing.scheduler import Order, Scheduler
from sensorium.serve.writing.shared_time import HOLD_S, SharedTime
from sensorium.types import InputError

PROMPTS = [[5, 9, 17, 4], [8, 33], [2, 7, 80, 91, 14, 60, 3], [44], [3] * 12]
WANTS = ["image", None, "text", "image", "text"]
SAMPLINGS = [
    Sampling(temperature=0, max_tokens=40),
    Sampling(temperature=0, max_tokens=30, guidance=2.0),
    Sampling(temperature=1, seed=3, max_tokens=9),
    Sampling(temperature=0.8, seed=4, guidance=3.0, max_tokens=40),
    Sampling(temperature=0, max_tokens=25, contrast=2.0),
]


def turns(model) -> list[Turn]:
    return [
        Turn(
            prompt,
            model.grammar(want, sampling.max_tokens),
            sampling,
            [7, 7, 1],
            adapter=want == "image",
            corrupted=[9, *prompt[:-1]] if sampling.contrast else None,
        )
        for prompt, want, sampling in zip(PROMPTS, WANTS, SAMPLINGS, strict=True)
    ]


def alone(model) -> list[list[int]]:
    return [generate(model.engine, [turn])[0].ids for turn in turns(model)]


@pytest.mark.parametrize("kind", ["llama", "smollm", "gemma3", "gpt2"])
@pytest.mark.parametrize("every", [1, 4])
def test_answers_that_join_and_leave_equal_those_written_alone(kind, every):
    model = tiny_assistant(kind)
    batch, coming = model.engine.batch(), turns(model)
    written = {turn: [] for turn in coming}
    most, steps = 0, 0

    def note(tokens):
        for token in tokens:
            written[token.turn].append(token.id)

    while coming or len(batch):
        if coming and steps % every == 0:
            note(batch.join([coming.pop(0)]))
        most = max(most, len(batch))
        if len(batch):
            note(batch.step())
        steps += 1
    assert most > 1, "answers must overlap to test that"
    assert list(written.values()) == alone(model)


def adapted(kind: str = "llama"):
    """A model with an adapter that says something, and what it wrote before it had one."""
    from peft import LoraConfig

    model = tiny_assistant(kind)
    bare, turned = alone(model), kind == "gpt2"
    targets = ["c_attn", "c_proj", "c_fc"] if turned else "all-linear"
    config = LoraConfig(r=4, lora_alpha=64, target_modules=targets, init_lora_weights=False, fan_in_fan_out=turned)
    model.lm.add_adapter(config)
    model.has_adapter = True
    return model, bare


@pytest.mark.parametrize("kind", ["llama", "gemma3", "gpt2"])
def test_answers_with_the_adapter_and_without_it_share_a_batch(kind):
    model, bare = adapted(kind)
    on, off = ([replace(turn, adapter=adapter) for turn in turns(model)] for adapter in (True, False))
    with_adapter = [generate(model.engine, [turn])[0].ids for turn in on]
    mixed = generate(model.engine, [turn for pair in zip(on, off, strict=True) for turn in pair])
    assert [made.ids for made in mixed[::2]] == with_adapter
    assert [made.ids for made in mixed[1::2]] == bare
    assert with_adapter[0] != bare[0]


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_scores_are_with_the_adapter_or_without_it(kind):
    model, _ = adapted(kind)
    plain, answers = tiny_assistant(kind).engine, [[5, 6], [7], [8, 9, 10]]
    assert model.engine.score(PROMPTS[0], answers, adapter=False) == plain.score(PROMPTS[0], answers)
    assert model.engine.score(PROMPTS[0], answers) != plain.score(PROMPTS[0], answers)
    assert model.engine.best(PROMPTS[0], answers, 3, adapter=False) == plain.best(PROMPTS[0], answers, 3)


def test_a_dropped_answer_leaves_the_others_as_they_are():
    model = tiny_assistant()
    batch, asked = model.engine.batch(), turns(model)
    ids = {turn: [] for turn in asked}
    tokens = batch.join(asked)
    for step in range(60):
        for token in tokens:
            ids[token.turn].append(token.id)
        if step == 3:
            batch.drop([asked[1], asked[3]])
        tokens = batch.step() if len(batch) else []
    whole, written = alone(model), list(ids.values())
    for row in (0, 2, 4):
        assert written[row] == whole[row]
    for row in (1, 3):
        assert 0 < len(written[row]) < len(whole[row])
        assert written[row] == whole[row][: len(written[row])]


def test_the_cache_of_a_batch_that_never_empties_stays_small():
    model = tiny_assistant()
    batch = model.engine.batch()
    for _ in range(60):
        batch.join([Turn([5, 9, 17], model.grammar("text", 6), Sampling(temperature=0, max_tokens=6))])
        for _ in range(2):
            batch.step()
    assert len(batch) >= 2
    (group,) = batch._groups
    assert group.decoder._length < 20, "3 ids of prompt and 6 of answer are all that is needed"


def test_logprobs_are_those_of_the_allowed_ids():
    model = tiny_assistant()
    sampling = Sampling(temperature=0, max_tokens=5, logprobs=3)
    tokens = list(stream(model.engine, [Turn(PROMPTS[0], model.grammar("text"), sampling)]))
    for token in tokens:
        assert token.top[0] == (token.id, pytest.approx(token.logprob)), "greedy takes the likeliest"
        assert len(token.top) == 3
        assert sorted((logprob for _, logprob in token.top), reverse=True) == [logprob for _, logprob in token.top]
    score = model.engine.score(PROMPTS[0], [[tokens[0].id]])[0]
    assert tokens[0].logprob >= score - 1e-4, "among fewer ids, the same id is at least as likely"


class Inbox:
    """What is told of an order of one turn."""

    def __init__(self):
        self.items: list[Token | Failed] = []
        self.over = threading.Event()
        self.when = 0.0

    def __call__(self, item):
        self.items.append(item)
        if isinstance(item, Failed) or item.finish:
            self.when = time.monotonic()
            self.over.set()

    @property
    def ids(self) -> list[int]:
        return [item.id for item in self.items if isinstance(item, Token)]

    @property
    def error(self) -> Exception:
        assert isinstance(self.items[-1], Failed)
        return self.items[-1].error


def order(model, row: int, inbox: Inbox, seconds: float = 60, **changed) -> Order:
    turn = replace(turns(model)[row], **changed)
    rules = model.grammar(WANTS[row], turn.sampling.max_tokens)
    return Order([replace(turn, rules=rules)], inbox, time.monotonic() + seconds)


def many(model, inbox: Inbox, count: int, **changed) -> Order:
    """An order of so many turns, which join at the same time."""
    orders = [order(model, 2, inbox, **changed) for _ in range(count)]
    return Order([turn for one in orders for turn in one.turns], inbox, orders[0].deadline)


@pytest.fixture
def scheduler():
    made = []

    def make(model, max_batch=4, max_queue=50, request_s=60.0) -> Scheduler:
        made.append(Scheduler(model.engine, max_batch=max_batch, max_queue=max_queue, request_s=request_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def of_client(client: str, function, *args):
    """What a function returns when it is called for a client's request."""
    context = copy_context()
    context.run(CLIENT.set, client)
    return context.run(function, *args)


@contextmanager
def held(queue: Scheduler):
    """Inside the block the scheduler does not come back from a step."""
    go_on = threading.Event()
    step = next(iter(queue._batches)).batch.step
    next(iter(queue._batches)).batch.step = lambda: (go_on.wait(60), step())[1]
    try:
        yield
    finally:
        go_on.set()


def wait_until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_many_requests_get_their_own_answers(scheduler):
    model = tiny_assistant()
    whole = alone(model)
    queue, inboxes = scheduler(model), [Inbox() for _ in range(25)]
    for number, inbox in enumerate(inboxes):
        queue.submit(f"client {number % 3}", order(model, number % 5, inbox))
    for number, inbox in enumerate(inboxes):
        assert inbox.over.wait(60)
        assert inbox.ids == whole[number % 5]
    assert queue.waiting == queue.writing == 0


def test_text_is_written_without_the_adapter_while_media_are_written_with_it(scheduler):
    model, bare = adapted()
    mixed = alone(model)
    queue, inboxes = scheduler(model, max_batch=20), [Inbox() for _ in PROMPTS * 2]
    for number, inbox in enumerate(inboxes):
        queue.submit("a", order(model, number % 5, inbox))
    for number, inbox in enumerate(inboxes):
        assert inbox.over.wait(60)
        assert inbox.ids == mixed[number % 5]
    assert mixed[0] != bare[0]
    assert [mixed[row] for row in (1, 2, 4)] == [bare[row] for row in (1, 2, 4)]


def test_a_full_queue_refuses_a_request_as_a_whole(scheduler):
    model = tiny_assistant()
    queue = scheduler(model, max_batch=1, max_queue=2)
    with held(queue):
        queue.submit("a", order(model, 2, Inbox()))
        wait_until(lambda: queue.writing)
        queue.submit("a", order(model, 2, Inbox()))
        two = order(model, 2, Inbox())
        two.turns = [*two.turns, *turns(model)[2:3]]
        with pytest.raises(ApiError, match="try again") as caught:
            queue.submit("b", two)
        assert caught.value.status == 429
        assert caught.value.headers["Retry-After"]
        assert queue.waiting == 1


def test_a_client_with_one_request_does_not_wait_for_another_with_many(scheduler):
    model = tiny_assistant()
    queue = scheduler(model, max_batch=1)
    greedy, modest = [Inbox() for _ in range(12)], Inbox()
    with held(queue):
        for inbox in greedy:
            queue.submit("greedy", order(model, 4, inbox))
        queue.submit("modest", order(model, 4, modest))
    for inbox in (*greedy, modest):
        assert inbox.over.wait(60)
    earlier = sum(inbox.when < modest.when for inbox in greedy)
    assert earlier <= 3


def test_a_cancelled_order_makes_room(scheduler):
    model = tiny_assistant()
    queue = scheduler(model, max_batch=1)
    endless, after = Inbox(), Inbox()
    first = order(model, 2, endless, sampling=Sampling(temperature=0, max_tokens=240))
    with held(queue):
        queue.submit("a", first)
        wait_until(lambda: endless.items or queue.writing)
        queue.submit("a", order(model, 4, after))
        first.cancel()
    assert after.over.wait(60)
    assert len(endless.ids) < 240
    assert not endless.over.is_set()


def test_time_over_is_told(scheduler):
    model = tiny_assistant()
    queue, inbox = scheduler(model), Inbox()
    queue.submit("a", order(model, 2, inbox, seconds=-1))
    assert inbox.over.wait(60)
    assert isinstance(inbox.error, ApiError)
    assert inbox.error.status == 408


def test_a_model_that_fails_fails_those_requests_only(scheduler, monkeypatch):
    model = tiny_assistant()
    inbox, later, decoder = Inbox(), Inbox(), model.engine.decoder

    def broken(prompts, adapter):
        if any(prompt[0] == 99 for prompt in prompts):
            raise MemoryError("no room")
        return decoder(prompts, adapter)

    monkeypatch.setattr(model.engine, "decoder", broken)
    queue = scheduler(model)
    queue.submit("a", order(model, 2, inbox, prompt=[99]))
    assert inbox.over.wait(60)
    assert isinstance(inbox.error, MemoryError)
    queue.submit("a", order(model, 2, later))
    assert later.over.wait(60)
    assert later.ids == alone(model)[2]


def test_an_engine_that_refuses_one_answer_goes_on_with_the_others(scheduler):
    model = tiny_assistant("gpt2")
    whole, inboxes = alone(model), [Inbox() for _ in range(3)]
    queue = scheduler(model)
    join = next(iter(queue._batches)).batch.join

    def choosy(turns):
        refused = [turn for turn in turns if turn.prompt == PROMPTS[2]]
        failed = [Failed(turn, InputError("not this one")) for turn in refused]
        return [*failed, *join([turn for turn in turns if turn not in refused])]

    next(iter(queue._batches)).batch.join = choosy
    for row, inbox in zip((1, 2, 4), inboxes, strict=True):
        queue.submit("a", order(model, row, inbox))
    for inbox in inboxes:
        assert inbox.over.wait(60)
    assert [inboxes[0].ids, inboxes[2].ids] == [whole[1], whole[4]]
    assert str(inboxes[1].error) == "not this one"


def test_a_decoder_that_fails_takes_only_its_own_answers_with_it(monkeypatch):
    model, _ = adapted()
    whole, decoder = alone(model), model.engine.decoder

    def broken(prompts, adapter):
        made = decoder(prompts, adapter)
        if adapter:
            monkeypatch.setattr(made, "read", lambda ids_BT: 1 / 0)
        return made

    monkeypatch.setattr(model.engine, "decoder", broken)
    batch, asked = model.engine.batch(), turns(model)
    written, failed = {turn: [] for turn in asked}, []
    told = batch.join(asked)
    while told:
        failed += [item.turn for item in told if isinstance(item, Failed)]
        for item in told:
            if isinstance(item, Token):
                written[item.turn].append(item.id)
        told = batch.step()
    assert failed == [asked[0], asked[3]]
    assert [written[asked[row]] for row in (1, 2, 4)] == [whole[row] for row in (1, 2, 4)]


def test_closing_ends_what_is_unfinished(scheduler):
    model = tiny_assistant()
    queue = Scheduler(model.engine, max_batch=1, max_queue=9, request_s=60)
    inboxes = [Inbox(), Inbox()]
    waits, cancelled = (Future() for _ in range(2))
    cancelled.cancel()
    with held(queue):
        for inbox in inboxes:
            queue.submit("a", order(model, 2, inbox, sampling=Sampling(max_tokens=240)))
        wait_until(lambda: queue.writing)
        queue._calls.put("a", [(int, cancelled), (int, waits)])
        closing = threading.Thread(target=queue.close)
        closing.start()
        wait_until(lambda: queue._closed)
    closing.join()
    with pytest.raises(ApiError, match="unloaded"):
        waits.result(10)
    for inbox in inboxes:
        assert inbox.over.wait(10)
        assert isinstance(inbox.error, ApiError)
        assert inbox.error.status == 503
    with pytest.raises(ApiError, match="unloaded"):
        queue.submit("a", order(model, 2, Inbox()))


def test_an_engine_that_hangs_does_not_stop_the_end(monkeypatch):
    monkeypatch.setattr("sensorium.serve.writing.scheduler.CLOSE_S", 0.1)
    model = tiny_assistant()
    queue = Scheduler(model.engine, max_batch=1, max_queue=9, request_s=60)
    with held(queue):
        queue.submit("a", order(model, 2, Inbox()))
        wait_until(lambda: queue.writing)
        queue.close()
        assert queue._thread.is_alive(), "left behind"


def test_a_batch_that_cannot_drop_an_answer_fails_and_the_next_goes_on(scheduler):
    model = tiny_assistant()
    queue, beside, later = scheduler(model), Inbox(), Inbox()

    def broken(_):
        raise MemoryError("no room")

    with held(queue):
        two = order(model, 4, beside)
        two.turns = [*two.turns, *turns(model)[2:3]]
        queue.submit("a", two)
        wait_until(lambda: queue.writing == 2)
        next(iter(queue._batches)).batch.drop = broken
        two.cancel(two.turns[1])
    assert beside.over.wait(60)
    assert isinstance(beside.error, MemoryError)
    queue.submit("a", order(model, 2, later))
    assert later.over.wait(60)
    assert later.ids == alone(model)[2]


def test_long_prompts_join_one_by_one_between_steps(scheduler, monkeypatch):
    """So that the answers in the making wait for one of them only."""
    monkeypatch.setattr("sensorium.serve.writing.scheduler.READ_AT_ONCE", 100)
    model, happened = tiny_assistant(), []
    whole, queue = alone(model), scheduler(model, max_batch=20)
    batch = next(iter(queue._batches)).batch
    join, step = batch.join, batch.step
    batch.join = lambda turns: (happened.append([len(one.prompt) for one in turns]), join(turns))[1]
    batch.step = lambda: (happened.append("step"), step())[1]
    waiting = (("b", 60), ("b", 60), ("c", 3), ("c", 3), ("d", 3), ("e", 120))
    inboxes = [Inbox() for _ in (0, *waiting)]
    with held(queue):
        queue.submit("a", order(model, 2, inboxes[0]))
        wait_until(lambda: queue.writing)
        for (client, length), inbox in zip(waiting, inboxes[1:], strict=True):
            queue.submit(client, order(model, 2, inbox, prompt=[5] * length))
    for inbox in inboxes:
        assert inbox.over.wait(60)
    joined = [one for one in happened if one != "step"]
    assert sorted(joined) == [[3], [3, 3], [len(PROMPTS[2])], [60], [60], [120]]
    assert all("step" in two for two in pairwise(happened)), "a step between any two"
    assert inboxes[0].ids == whole[2]


def test_calls_run_one_by_one_between_steps(scheduler):
    """As prompts of evaluations are read: the answers in the making wait for one of them only."""
    model, happened = tiny_assistant(), []
    queue, inbox = scheduler(model), Inbox()
    step = next(iter(queue._batches)).batch.step
    next(iter(queue._batches)).batch.step = lambda: (happened.append("step"), step())[1]
    with held(queue):
        queue.submit("a", order(model, 4, inbox))
        wait_until(lambda: queue.writing)
        calls = [of_client("a", queue.call, lambda: happened.append("call")) for _ in range(5)]
    for call in calls:
        call.result(60)
    assert inbox.over.wait(60)
    first = happened.index("call")
    assert happened[first : first + 9] == ["call", "step"] * 4 + ["call"]


@pytest.mark.parametrize("names", [("greedy", "modest"), ("key@greedy", "key@modest"), ("a@x", "b@x")])
def test_one_turn_beside_many_is_written_as_if_it_were_alone(scheduler, monkeypatch, names):
    """A client that comes while another has sixteen turns in the making waits for one of their steps, not for 40."""
    model, steps = tiny_assistant(), []
    whole, greedy_client, modest_client = alone(model), *names
    queue, engine_batch = scheduler(model, max_batch=16, max_queue=200), model.engine.batch

    def counted():
        batch = engine_batch()
        step = batch.step
        batch.step = lambda: (steps.append(len(batch)), step())[1]
        return batch

    monkeypatch.setattr(model.engine, "batch", counted)
    endless, until = Inbox(), []

    class Modest(Inbox):
        def __call__(self, item):
            if item.finish:  # in the thread that writes: what comes later is not counted
                until.append((list(endless.items), sum(steps)))
            super().__call__(item)

    modest = Modest()
    long = many(model, endless, 20, sampling=Sampling(temperature=0, max_tokens=240))
    with held(queue):
        queue.submit(greedy_client, long)
        wait_until(lambda: queue.writing >= 16)
        queue.submit(modest_client, order(model, 2, modest))
    assert modest.over.wait(60)
    assert modest.ids == whole[2]
    items, rows = until[0]
    told = Counter(item.turn for item in items)
    assert max(told.values()) < len(whole[2]), "the others wrote as much in the meantime, and all places were taken"
    assert rows <= len(whole[2]), "of its own batch, with one row"
    long.cancel()


def test_a_client_that_is_alone_has_one_batch(scheduler):
    model = tiny_assistant()
    queue, inbox = scheduler(model, max_batch=16), Inbox()
    with held(queue):
        queue.submit("a", many(model, inbox, 16))
        wait_until(lambda: queue.writing == 16)
        assert len(list(queue._batches)) == 1
    assert inbox.over.wait(60)


def test_clients_with_a_turn_each_share_a_batch():
    batches = ClientBatches(tiny_assistant().engine)
    asked = [replace(turns(tiny_assistant())[2]) for _ in range(12)]
    for number in range(6):
        batches.place(asked[number : number + 1], f"client {number}")
    assert [len(one.turns) for one in batches] == [6]
    batches.place(asked[6:], "client 0")
    assert [len(one.turns) for one in batches] == [7, 5], "two in the shared one, the rest in one of its own"
    batches.left(asked[:7])
    assert [len(one.turns) for one in batches] == [5]


def test_time_is_shared_by_key_and_then_by_client():
    time_, spent = FairTime(), Counter()
    for _ in range(1200):
        client = time_.next(["a@1", "a@2", "a@3", "b@1"])
        seconds = 0.1 if client == "b@1" else 0.3
        time_.charge(client, seconds)
        spent[client] += seconds
    assert spent["b@1"] == pytest.approx(sum(spent.values()) / 2, rel=0.02)
    for address in (1, 2, 3):
        assert spent[f"a@{address}"] == pytest.approx(sum(spent.values()) / 6, rel=0.02)


def test_who_comes_is_first_for_a_while_and_saves_up_no_time():
    time_ = FairTime()
    for _ in range(100):
        time_.charge(time_.next(["greedy"]), 1)
    assert [spend(time_, ["greedy", "new"], CREDIT_S / 4) for _ in range(4)] == ["new"] * 4
    later = [spend(time_, ["greedy", "new"], 1) for _ in range(40)]
    assert 19 <= later.count("greedy") <= 21


def test_time_forgets_those_who_have_gone():
    time_ = FairTime()
    for number in range(1000):
        spend(time_, ["there@1", f"{number}@1"], 0.1)
    assert len(time_._owners.used) < 20
    assert len(time_._clients) < 20


def test_nobody_starves_when_ever_new_clients_come():
    time_ = FairTime()
    time_.next(["there"])
    had = Counter(spend(time_, ["there", f"new {number // 2}"], 0.2).split()[0] for number in range(1000))
    assert had["there"] > 250


def test_one_that_comes_again_and_again_is_first_each_time():
    time_ = FairTime()
    for number in range(500):
        spend(time_, ["greedy", "other"], 0.4)
        spend(time_, ["greedy", "other"], 0.4)
        if number % 3 == 2:
            assert spend(time_, ["greedy", "other", "quiet"], 0.05) == "quiet"


def test_what_others_ask_for_waits_while_a_newcomer_is_served_elsewhere():
    time_ = SharedTime()
    for _ in range(20):
        assert time_.next("writer", ["greedy", "other"])
        time_.charge("greedy", 1)
        time_.charge("other", 1)
    time_.there("desk", ["new"])
    assert time_.next("writer", ["greedy", "other"]) is None
    assert time_.next("writer", ["greedy", "new"]) == "new"
    time_.charge("new", CREDIT_S / 2)
    assert time_.next("writer", ["greedy", "other"]) is None
    time_.charge("new", CREDIT_S)
    assert time_.next("writer", ["greedy", "other"]) == "greedy", "what it came with is used up"
    time_.there("desk", ())
    assert time_.next("writer", ["other", "greedy"]) == "other"


def test_nobody_waits_long_for_what_a_newcomer_has_elsewhere():
    time_ = SharedTime()
    time_.next("writer", ["greedy"])
    time_.charge("greedy", 1)
    time_.there("desk", ["new"])
    started, waits = time.monotonic(), 0
    while time_.next("writer", ["greedy"]) is None:
        waits += 1
        assert time.monotonic() - started < 60
    assert waits and time.monotonic() - started >= HOLD_S


def test_a_desk_and_a_writer_that_share_their_time_go_on_while_both_have_newcomers(scheduler):
    shared, model = SharedTime(), tiny_assistant()
    desk = Desk(shared)
    queue = Scheduler(model.engine, max_batch=4, max_queue=99, request_s=60, shared=shared)
    try:
        inboxes = [Inbox() for _ in range(6)]
        for number, inbox in enumerate(inboxes):
            queue.submit(f"writes {number}", order(model, 2, inbox))
        jobs = []
        for number in range(20):
            copy_context().run(lambda n=number: (CLIENT.set(f"asks {n}"), jobs.append(desk.submit(lambda: n))))
        assert [job.result(60) for job in jobs] == list(range(20))
        assert all(inbox.over.wait(60) for inbox in inboxes)
    finally:
        desk.close()
        queue.close()


def spend(time_: FairTime, clients: list[str], seconds: float) -> str:
    client = time_.next(clients)
    time_.charge(client, seconds)
    return client


def test_a_queue_keeps_the_order_of_each_client():
    queue: FairQueue[str] = FairQueue(9)
    assert queue.put("a", ["a1", "a2", "a3"])
    assert queue.put("b", ["b1"])
    assert queue.put("c", ["c1", "c2"])
    assert not queue.put("d", ["d1", "d2", "d3", "d4"]), "all or none"
    assert queue.remove(lambda item: item == "a2") == ["a2"]
    assert queue.first_of("a") == "a1"
    assert queue.clients == ["a", "b", "c"]
    assert [queue.take_of(client) for client in "cacab"] == ["c1", "a1", "c2", "a3", "b1"]
    assert not len(queue) and not queue.clients
