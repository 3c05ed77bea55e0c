"""A text far beyond the model's context is refused a piece at a time, so that nobody waits while it is cut into ids."""

from __future__ import annotations

import pytest
from serving import ask, running, tiny_assistant

LONG = "hello " * 50_000
REQUESTS = [
    ("/v1/chat/completions", ask(LONG)),
    ("/v1/chat/completions", ask([{"type": "text", "text": LONG}])),
    ("/v1/completions", {"model": "tiny", "prompt": LONG}),
    ("/v1/completions", {"model": "tiny", "prompt": ["short", LONG]}),
]


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant()}) as server:
        yield server


@pytest.mark.parametrize(("path", "body"), REQUESTS, ids=["a string", "a part", "a prompt", "one of two prompts"])
def test_a_text_beyond_all_bounds_costs_its_first_pieces(server, monkeypatch, path, body):
    served, jobs = server.state.registry.get("tiny"), []
    submit = served._desk.submit
    monkeypatch.setattr(served._desk, "submit", lambda job, *args: (jobs.append(args), submit(job, *args))[1])
    reply = server.post(path, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded"), reply.text
    assert "characters of the text" in reply.json()["error"]["message"]
    assert [len(args[0]) for args in jobs] == [10_000], "one piece is more than twice the context of this model"


def test_many_short_texts_cost_no_more_than_a_long_one(server, monkeypatch):
    served, jobs = server.state.registry.get("tiny"), []
    submit = served._desk.submit
    monkeypatch.setattr(served._desk, "submit", lambda job, *args: (jobs.append(args), submit(job, *args))[1])
    reply = server.post("/v1/chat/completions", ask([{"type": "text", "text": LONG[:9_000]}] * 40))
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded"), reply.text
    assert "9000 characters of the text" in reply.json()["error"]["message"]
    assert [len(args[0]) for args in jobs] == [9_000]


def test_prompts_have_a_context_each(server, monkeypatch):
    """Together these are longer than twice the context, which is of 256 ids."""
    monkeypatch.setattr("sensorium.serve.media.messages.PIECE_CHARACTERS", 1000)
    body = {"model": "tiny", "prompt": ["hello " * 70] * 16, "max_tokens": 0, "echo": True}
    reply = server.post("/v1/completions", body)
    assert reply.status_code == 200, reply.text


def test_a_long_text_is_still_cut_into_tokens_for_who_asks_for_no_answer(server):
    reply = server.post("/v1/tokenize", {"model": "tiny", "content": "hello " * 5000})
    assert reply.status_code == 200
    assert len(reply.json()["ids"]) > 5000
