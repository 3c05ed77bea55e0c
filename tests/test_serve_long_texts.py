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


@pytest.mark.parametrize("field", ["description", "parameters"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_what_tools_say_counts_like_messages(server, monkeypatch, path, field):
    pytest.importorskip("llguidance")
    said = {"description": LONG[:15_000], "parameters": {"type": "object", "description": LONG[:15_000]}}[field]
    tools: list[dict] = [{"name": f"tool{number}", field: said} for number in range(3)]
    served = server.state.registry.get("tiny")
    monkeypatch.setattr(served.model, "turn", lambda *args, **options: pytest.fail("cut into tokens as a whole"))
    if path.endswith("responses"):
        body = {"model": "tiny", "input": "hello", "tools": [{"type": "function", **one} for one in tools]}
    else:
        body = ask("hello", tools=[{"type": "function", "function": one} for one in tools])
    reply = server.post(path, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded"), reply.text


def test_the_texts_of_tools_and_refusals_have_the_bound_of_all_texts(server):
    pytest.importorskip("llguidance")
    tools = [{"type": "function", "function": {"name": f"t{n}", "description": LONG[:20_000]}} for n in range(21)]
    refusal = [{"type": "refusal", "refusal": "a" * 400_001}]
    for body in (ask("hello", tools=tools), ask(refusal)):
        assert "at most 400000 are allowed" in server.post("/v1/chat/completions", body).text
    tools[0]["function"]["description"] *= 2
    assert "at most 20000 characters" in server.post("/v1/chat/completions", ask("hello", tools=tools)).text


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
