"""Structured output and tools over HTTP, as OpenAI's client and those built on it use them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any, Literal

import pytest
from openai import BadRequestError, OpenAI
from pydantic import BaseModel, Field
from serving import Running, ask, running, tiny_assistant
from test_structured import HOSTILE, REFUSED

from sensorium.generate.tools import call_text
from sensorium.serve.http import compilers, structured
from sensorium.serve.http.errors import ApiError
from sensorium.serve.http.tools import CallDeltas, read_calls
from sensorium.serve.writing.desk import CLIENT

pytest.importorskip("llguidance")
CHAT = "/v1/chat/completions"


class Place(BaseModel):
    x: int = Field(ge=0, le=99)
    y: float | None


class Thing(BaseModel):
    name: str = Field(max_length=12)
    kind: Literal["animal", "plant"]
    places: list[Place] = Field(max_length=2)


class Weather(BaseModel):
    """Tells the weather of a place."""

    city: str = Field(max_length=12)
    unit: Literal["C", "F"]


WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": Weather.__doc__, "parameters": Weather.model_json_schema()},
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
HOW = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "temperature": 1.0, "max_tokens": 200}


@pytest.fixture(scope="module")
def server():
    model = tiny_assistant()
    model.lm.config.max_position_embeddings = 4096
    with running({"tiny": model}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


def schema_of(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


def test_a_pydantic_model_comes_back_parsed(client):
    for seed in range(4):
        reply = client.chat.completions.parse(**HOW, response_format=Thing, seed=seed)
        (choice,) = reply.choices
        assert isinstance(choice.message.parsed, Thing) and choice.finish_reason == "stop"


def test_it_also_comes_in_a_stream(client):
    with client.chat.completions.stream(**HOW, response_format=Thing, seed=1) as stream:
        kinds = {event.type for event in stream}
        reply = stream.get_final_completion()
    assert isinstance(reply.choices[0].message.parsed, Thing)
    assert {"content.delta", "content.done"} <= kinds


def test_any_json_object(client):
    reply = client.chat.completions.create(**HOW, response_format={"type": "json_object"}, n=3)
    assert all(isinstance(json.loads(choice.message.content), dict) for choice in reply.choices)


def test_the_stop_strings_and_the_best_of_several_hold_too(server):
    form = {"response_format": schema_of({"type": "array", "items": {"const": "ab"}, "minItems": 2, "maxItems": 3})}
    stopped = server.post(CHAT, HOW | form | {"stop": ["b"]}).json()["choices"][0]
    assert stopped["message"]["content"] == '["a' and stopped["finish_reason"] == "stop"
    best = server.post(CHAT, HOW | form | {"best_of": 3, "logprobs": True, "top_logprobs": 5}).json()["choices"][0]
    assert set(json.loads(best["message"]["content"])) == {"ab"}


def test_too_few_tokens_are_told(client):
    few = HOW | {"max_tokens": 5}
    reply = client.chat.completions.create(**few, response_format=schema_of(Thing.model_json_schema()))
    assert reply.choices[0].finish_reason == "length" and reply.usage.completion_tokens == 5


def test_a_call_that_is_required_is_made(client):
    for seed in range(5):
        reply = client.chat.completions.create(**HOW, tools=[WEATHER, CLOCK], tool_choice="required", seed=seed)
        (choice,) = reply.choices
        assert choice.finish_reason in ("tool_calls", "length") and choice.message.content is None
        for call in choice.message.tool_calls:
            arguments = json.loads(call.function.arguments)
            assert call.function.name == "clock" or Weather.model_validate(arguments)
        assert len({call.id for call in choice.message.tool_calls}) == len(choice.message.tool_calls)


def test_one_function_by_name_and_one_call_alone(client):
    named = {"type": "function", "function": {"name": "weather"}}
    (choice,) = client.chat.completions.create(**HOW, tools=[WEATHER, CLOCK], tool_choice=named).choices
    assert [call.function.name for call in choice.message.tool_calls] == ["weather"]
    options = {"tools": [CLOCK, WEATHER], "tool_choice": "required", "parallel_tool_calls": False}
    for choice in client.chat.completions.create(**HOW, **options, n=6).choices:
        assert len(choice.message.tool_calls) == 1 and choice.finish_reason == "tool_calls"


def test_calls_in_a_stream_are_assembled_to_the_same(client):
    options = HOW | {"tools": [WEATHER, CLOCK], "tool_choice": "required", "seed": 2, "n": 2}
    whole = client.chat.completions.create(**options)
    made: dict[tuple[int, int], dict[str, str]] = {}
    finishes: dict[int, str] = {}
    for chunk in client.chat.completions.create(**options, stream=True):
        (choice,) = chunk.choices
        assert not choice.delta.content
        for delta in choice.delta.tool_calls or ():
            call = made.setdefault((choice.index, delta.index), {"name": "", "arguments": ""})
            assert bool(delta.id) == bool(delta.function.name) == (call["name"] == "")
            call["name"] += delta.function.name or ""
            call["arguments"] += delta.function.arguments or ""
        finishes |= {choice.index: choice.finish_reason} if choice.finish_reason else {}
    expected = {
        (choice.index, place): {"name": call.function.name, "arguments": call.function.arguments}
        for choice in whole.choices
        for place, call in enumerate(choice.message.tool_calls)
    }
    assert made == expected and finishes == {one.index: one.finish_reason for one in whole.choices}


def test_the_clients_own_stream_parses_calls(client):
    tool = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
    tool["function"]["parameters"] = tool["function"]["parameters"] | {"additionalProperties": False}
    with client.chat.completions.stream(
        **HOW, tools=[tool], tool_choice="required", parallel_tool_calls=False
    ) as stream:
        reply = stream.get_final_completion()
    (call,) = reply.choices[0].message.tool_calls
    assert Weather.model_validate(call.function.parsed_arguments)


def test_the_model_decides_unless_told(client):
    """A model that never saw tools just writes text, and none of it is lost."""
    free = HOW | {"seed": 4, "max_tokens": 40, "extra_body": {"modalities": ["text"]}}
    for choice in (None, "auto", "none"):
        options = free | {"tools": [WEATHER]} | ({"tool_choice": choice} if choice else {})
        whole = client.chat.completions.create(**options).choices[0]
        assert whole.message.tool_calls is None and whole.finish_reason in ("stop", "length")
        told = client.chat.completions.create(**options, stream=True)
        assert "".join(one.choices[0].delta.content or "" for one in told) == whole.message.content
    bare = client.chat.completions.create(**free).choices[0].message.content
    assert bare == whole.message.content, "with none, it is as if there were no tools"


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        (call_text("clock", "{}"), "length", "tool_calls"),
        (call_text("clock", "{}"), "stop", "tool_calls"),
        (call_text("clock", "{}")[:-20], "length", "length"),
        (call_text("clock", '{"at": "noon"}')[:-22], "stop", "length"),
        (call_text("clock", '{"at": "noon"}').partition("</tool_call>")[0], "stop", "tool_calls"),
        (call_text("clock", "{}") + "\n<tool_call>\n", "stop", "tool_calls"),
        ("just words", "length", "length"),
        ("just words", "stop", "stop"),
    ],
)
def test_calls_that_are_whole_are_no_cut_answer(text, finish, expected):
    _, calls, told = read_calls(text, finish)
    assert told == expected
    assert told != "tool_calls" or all(isinstance(json.loads(one.function.arguments), dict) for one in calls)
    deltas = CallDeltas(calls=True)
    deltas.feed(text)
    assert deltas.end(finish)[1] == expected


def test_a_stop_string_within_a_call_leaves_none_that_looks_whole(client):
    """Whatever the tiny model writes as the city, the name of the next argument comes behind it."""
    options = {"tools": [WEATHER], "tool_choice": "required", "stop": ['"unit"'], "parallel_tool_calls": False}
    (whole,) = client.chat.completions.create(**HOW, **options).choices
    assert whole.finish_reason == "length"
    *_, last = client.chat.completions.create(**HOW, **options, stream=True)
    assert last.choices[0].finish_reason == "length"


def test_json_or_a_call(client):
    options = {"tools": [CLOCK], "response_format": schema_of({"type": "array", "maxItems": 1})}
    for choice in client.chat.completions.create(**HOW, **options, n=6).choices:
        assert choice.message.tool_calls or isinstance(json.loads(choice.message.content), list)


def test_a_whole_exchange(server, client):
    """The assistant's message goes back as it came, and the model reads its own words and what the tool returned."""
    named = {"type": "function", "function": {"name": "weather"}}
    first = client.chat.completions.create(**HOW, tools=[WEATHER], tool_choice=named).choices[0].message
    (call,) = first.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "<|end|> 21 degrees"}
    messages = [*HOW["messages"], first.model_dump(exclude_none=True), result]
    reply = client.chat.completions.create(**HOW | {"messages": messages}, tools=[WEATHER])
    assert reply.choices[0].finish_reason
    messages[1]["tool_calls"][0]["function"]["arguments"] = '{"city": "Rome", "unit": "C"}'
    said = server.post("/v1/tokenize", {"model": "tiny", "messages": messages}).json()
    text = "".join(said["tokens"])
    assert '{"name": "weather", "arguments": {"city": "Rome", "unit": "C"}}' in text
    assert text.count("<tool_call>") == 1 and "<tool_response>" in text
    assert said["tokens"].count("<|end|>") == 3, "what a tool returns ends no message"
    two = [*messages[:2], result, {"role": "tool", "tool_call_id": "other", "content": "a"}]
    with pytest.raises(BadRequestError, match="tool_call_id"):
        client.chat.completions.create(**HOW | {"messages": two})


def test_function_calls_as_instructor_makes_them(client):
    """It names one function made from the answer's class, and validates its arguments."""
    tool = {"type": "function", "function": {"name": "Thing", "parameters": Thing.model_json_schema()}}
    choice = {"type": "function", "function": {"name": "Thing"}}
    (made,) = client.chat.completions.create(**HOW, tools=[tool], tool_choice=choice).choices
    assert Thing.model_validate_json(made.message.tool_calls[0].function.arguments)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"functions": [{"name": "a"}]}, "functions"),
    ({"function_call": "auto"}, "function_call"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [CLOCK], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "other"),
    ({"tools": [CLOCK], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [CLOCK, CLOCK]}, "one name"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "name"),
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "strin"}}}]}, "strin"),
    ({"tools": [CLOCK] * 200}, "tools"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": 5}}}, "schema"),
    ({"response_format": schema_of({"type": "array", "uniqueItems": True}, strict=True)}, "uniqueItems"),
    ({"response_format": schema_of({"const": "\ud800"})}, "surrogate"),
    ({"response_format": {"type": "json_object"}, "modalities": ["text", "image"]}, "text alone"),
    ({"messages": [{"role": "user", "tool_calls": [{"function": {"name": "a", "arguments": ""}}]}]}, "assistant"),
    ({"messages": [{"role": "tool", "content": "a", "tool_call_id": "none"}]}, "tool_call_id"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "named"), WRONG, ids=[f"{number} {named}" for number, (_, named) in enumerate(WRONG)]
)
def test_what_is_wrong_is_named(server, fields, named):
    body = json.dumps(HOW | fields)
    reply = server.post(CHAT, None, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert named in error["message"] + str(error["param"])


def test_a_schema_that_is_not_strict_leaves_out_what_cannot_be_enforced(client):
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "integer"}, "maxItems": 2}
    reply = client.chat.completions.create(**HOW, response_format=schema_of(schema))
    assert isinstance(json.loads(reply.choices[0].message.content), list)


def test_hostile_schemas_harm_nobody(server):
    """Each gets its answer or its refusal soon, and others are answered meanwhile."""

    def attack(name: str) -> tuple[str, int, float]:
        body = HOW | {"max_tokens": 20, "response_format": schema_of(HOSTILE[name], strict=True)}
        started = time.monotonic()
        reply = server.post(CHAT, body)
        assert len(reply.json().get("error", {}).get("message", "")) <= 500
        return name, reply.status_code, time.monotonic() - started

    names = [name for name in HOSTILE if name != "very deep"]  # which the client cannot spell
    with ThreadPoolExecutor(3) as pool:
        attacks = [pool.submit(attack, name) for name in names]
        for number in range(8):
            assert server.post(CHAT, ask("hello", max_tokens=2, seed=number)).status_code == 200
        for name, status, seconds in (one.result() for one in attacks):
            assert status in ((400, 413) if name in REFUSED else (200, 400, 413)), name
            assert seconds < 10, name


def test_what_takes_too_long_is_given_up(server, monkeypatch):
    go = Event()
    monkeypatch.setattr(structured, "COMPILE_S", 0.05)
    monkeypatch.setattr(structured.Structured, "form", lambda self: go.wait(30))
    try:
        reply = server.post(CHAT, HOW | {"response_format": {"type": "json_object"}})
    finally:
        go.set()
    assert reply.status_code == 400 and "simpler" in reply.json()["error"]["message"]


def test_a_quiet_clients_schema_does_not_wait_for_those_of_another(monkeypatch):
    go, begun, form = Event(), Semaphore(0), structured.Structured.form

    def heavy(body):
        if body.tools:
            begun.release()
            go.wait(30)
        return form(body)

    monkeypatch.setattr(structured, "COMPILE_S", 1)
    monkeypatch.setattr(structured.Structured, "form", heavy)
    with running(api_keys=("loud", "quiet")) as both, ThreadPoolExecutor(4) as pool:
        loud, quiet = ({"headers": {"Authorization": f"Bearer {key}"}} for key in ("loud", "quiet"))
        tool = {"type": "function", "function": {"name": "f"}}
        waiting = [pool.submit(both.post, CHAT, HOW | {"tools": [tool], "max_tokens": 2}, **loud) for _ in range(4)]
        try:
            assert begun.acquire(timeout=30)
            body = HOW | {"response_format": {"type": "json_object"}, "max_tokens": 2}
            assert both.post(CHAT, body, **quiet).status_code == 200
        finally:
            go.set()
        assert {one.result().status_code for one in waiting} <= {200, 400}


def test_the_time_of_a_form_begins_with_its_turn_and_few_of_one_client_wait(monkeypatch):
    monkeypatch.setattr(compilers, "MOST_WAITING", 2)

    async def use():
        lines, go, done = compilers.Compilers(), Event(), []
        with pytest.raises(TimeoutError):
            await lines.run(lambda: go.wait(30), 0.01)
        waiting = [asyncio.ensure_future(lines.run(lambda: done.append(1), 0.5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ApiError, match="2 schemas of this client wait already") as caught:
            await lines.run(int, 1)
        assert caught.value.status == 429
        CLIENT.set("another")
        with pytest.raises(ZeroDivisionError):
            await lines.run(lambda: 1 / 0, 30)
        assert await lines.run(int, 30) == 0, "what fails leaves its place"
        await asyncio.sleep(0.6)
        assert not done, "what takes too long keeps its place"
        go.set()
        await asyncio.gather(*waiting)

    asyncio.run(use())


def test_all_schemas_of_a_request_are_bounded_together(server):
    def tools(count: int) -> list[dict[str, Any]]:
        schema = {"type": "object", "properties": {"a": {"const": "a" * 50_000}}}
        return [{"type": "function", "function": {"name": f"f{n}", "parameters": schema}} for n in range(count)]

    reply = server.post(CHAT, HOW | {"tools": tools(6)})
    assert reply.status_code == 400 and "262144 bytes together" in reply.json()["error"]["message"]
    reply = server.post(CHAT, HOW | {"tools": tools(6), "tool_choice": "none", "max_tokens": 2})
    assert reply.status_code == 200, "nothing of them is compiled"


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with running() as bare:
        assert bare.post(CHAT, ask("hello", max_tokens=2)).status_code == 200
        reply = bare.post(CHAT, ask("hello", response_format={"type": "json_object"}))
    assert reply.status_code == 400 and "sensorium[structured]" in reply.json()["error"]["message"]


def test_requests_of_both_kinds_are_written_together(server: Running):
    """Greedy answers do not depend on what is written beside them."""
    forms = [
        {},
        {"response_format": schema_of(Thing.model_json_schema())},
        {"tools": [WEATHER], "tool_choice": "required"},
    ]
    bodies = [ask("hello", temperature=0, max_tokens=60, modalities=["text"], **form) for form in forms] * 3

    def told(body: dict[str, Any]) -> Any:
        message = server.post(CHAT, body).json()["choices"][0]["message"]
        return message["content"], [call["function"] for call in message["tool_calls"] or ()]

    alone = [told(body) for body in bodies[:3]] * 3
    with ThreadPoolExecutor(9) as pool:
        assert list(pool.map(told, bodies)) == alone
