"""``/v1/responses``, driven by the openai client: whole and streamed, media in and out, what is not stored."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, Literal

import httpx
import openai
import PIL.Image
import pytest
from pydantic import BaseModel, Field
from serving import as_uri, png, running, tiny_assistant

from sensorium.types import Part


@pytest.fixture(scope="module")
def model():
    return tiny_assistant()


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model}, request_s=60) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


class Weather(BaseModel):
    city: str = Field(max_length=12)
    unit: Literal["C", "F"]


WEATHER = {"type": "function", "name": "weather", "parameters": Weather.model_json_schema()}
CLOCK = {"type": "function", "name": "clock"}
DRAWER = {"type": "image_generation"}
WORDS = {"modalities": ["text"]}
DRAWN = {"modalities": ["image"], "seed": 5}


def test_the_answer_is_the_models_own(client, model):
    said = client.responses.create(model="tiny", input="hello", max_output_tokens=12, extra_body=WORDS)
    own = model.chat("hello", want="text", max_tokens=12)
    assert said.output_text == own.text
    assert (said.status, said.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert said.usage.output_tokens == len(own.ids)
    assert said.usage.input_tokens + said.usage.output_tokens == said.usage.total_tokens
    assert said.store is False and said.previous_response_id is None
    (item,) = said.output
    assert (item.type, item.role, item.status) == ("message", "assistant", "incomplete")
    text = item.content[0].text
    ended = client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "hello"}], max_tokens=12, modalities=["text"]
    )
    assert ended.choices[0].message.content == text


def test_instructions_and_items_are_messages(client):
    items = [
        {"role": "user", "content": "hello"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "what", "annotations": []}],
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "user", "content": [{"type": "input_text", "text": "and now?"}]},
    ]
    said = client.responses.create(
        model="tiny", instructions="Be brief.", input=items, max_output_tokens=9, extra_body=WORDS
    )
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "what"},
        {"role": "user", "content": "and now?"},
    ]
    same = client.chat.completions.create(model="tiny", messages=messages, max_tokens=9, modalities=["text"])
    assert said.output_text == same.choices[0].message.content
    assert said.usage.input_tokens == same.usage.prompt_tokens
    assert said.instructions == "Be brief."


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": as_uri(png()), "detail": "auto"},
        {"type": "input_file", "filename": "a.png", "file_data": as_uri(png())},
        {"type": "input_file", "filename": "a.png", "file_data": base64.b64encode(png()).decode()},
    ],
    ids=["image", "file by its type", "file by its name"],
)
def test_media_are_read(client, model, part):
    content = [part, {"type": "input_text", "text": "What?"}]
    said = client.responses.create(model="tiny", input=[{"role": "user", "content": content}], max_output_tokens=8)
    own = model.chat([Part("image", png()), "What?"], max_tokens=8)
    assert said.output_text == own.text
    assert said.usage.modality_tokens["prompt"]["image"] == 16


def test_a_file_goes_the_same_way_in_chats(client):
    part = {"type": "file", "file": {"filename": "a.png", "file_data": as_uri(png())}}
    said = client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": [part]}], max_tokens=1)
    assert said.usage.modality_tokens["prompt"]["image"] == 16
    for file, words in (({"file_id": "file-1"}, "nothing is stored"), ({"file_data": "data:text/x;base64,"}, "text/x")):
        with pytest.raises(openai.BadRequestError, match=words):
            wrong = {"type": "file", "file": file}
            client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": [wrong]}])


def test_a_drawing_is_an_item_that_can_be_sent_back(client):
    said = client.responses.create(model="tiny", input="draw", extra_body=DRAWN)
    (item,) = said.output
    assert (said.status, item.type, item.status) == ("completed", "image_generation_call", "completed")
    assert PIL.Image.open(io.BytesIO(base64.b64decode(item.result))).size == (16, 16)
    history = [{"role": "user", "content": "draw"}, item.model_dump(), {"role": "user", "content": "what is it?"}]
    more = client.responses.create(model="tiny", input=history, max_output_tokens=4, extra_body=WORDS)
    assert more.usage.modality_tokens["prompt"]["image"] == 16
    bare = [history[0], {"type": item.type, "id": item.id, "result": item.result, "status": "completed"}, history[2]]
    again = client.responses.create(model="tiny", input=bare, max_output_tokens=4, extra_body=WORDS)
    assert again.usage.input_tokens == more.usage.input_tokens, "a client that keeps OpenAI's fields alone"
    named = [history[0], {"type": item.type, "id": item.id}, history[2]]
    empty = client.responses.create(model="tiny", input=named, max_output_tokens=4, extra_body=WORDS)
    assert "image" not in empty.usage.modality_tokens["prompt"], "one that counts on its being stored"


def test_streamed_events_make_the_whole(client):
    options = dict(model="tiny", input="hello", max_output_tokens=12, temperature=1, extra_body={"seed": 3, **WORDS})
    whole = client.responses.create(**options)
    events = list(client.responses.create(**options, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
    assert kinds == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "incomplete",
    ]  # fmt: skip
    assert events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage.output_tokens == whole.usage.output_tokens


def test_a_streamed_drawing_tells_its_way(client):
    events = list(client.responses.create(model="tiny", input="draw", extra_body=DRAWN, stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    call = "image_generation_call"
    assert kinds == [
        "created", "in_progress", "output_item.added", f"{call}.in_progress", f"{call}.generating",
        f"{call}.completed", "output_item.done", "completed",
    ]  # fmt: skip
    whole = client.responses.create(model="tiny", input="draw", extra_body=DRAWN)
    assert events[-1].response.output[0].result == whole.output[0].result == events[-2].item.result
    with client.responses.stream(model="tiny", input="draw", extra_body=DRAWN) as stream:
        assert stream.get_final_response().output[0].result == whole.output[0].result


def test_text_and_media_are_items_in_the_order_written(server, client):
    """What a random model mixes: the items say the same as the parts of a chat."""
    for seed in range(40):
        options = {"temperature": 3.0, "seed": seed}
        messages = [{"role": "user", "content": "hello"}]
        chat = server.post("/v1/chat/completions", {"model": "tiny", "messages": messages, "max_tokens": 60, **options})
        parts = chat.json()["choices"][0]["message"]["parts"]
        kinds = [part["type"] for part in parts]
        if {"text", "image_url"} <= set(kinds):
            break
    else:
        pytest.fail("no answer was mixed")
    body = {"model": "tiny", "input": "hello", "max_output_tokens": 60, **options}
    items = server.post("/v1/responses", body).json()["output"]
    names = {"message": "text", "image_generation_call": "image_url"}
    assert [names[item["type"]] for item in items] == kinds
    for item, part in zip(items, parts, strict=True):
        if part["type"] == "text":
            assert item["content"][0]["text"] == part["text"]
        else:
            assert item["codes"] == part["codes"]


def test_logprobs_are_those_of_chats(client):
    said = client.responses.create(
        model="tiny", input="hello", max_output_tokens=5, top_logprobs=2, include=["message.output_text.logprobs"],
        extra_body=WORDS,
    )  # fmt: skip
    chat = client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "hello"}], max_tokens=5, logprobs=True, top_logprobs=2,
        modalities=["text"],
    )  # fmt: skip
    found = [one.logprob for one in said.output[0].content[0].logprobs]
    assert found == [one.logprob for one in chat.choices[0].logprobs.content][: len(found)]
    assert len(found) >= 4 and len(said.output[0].content[0].logprobs[0].top_logprobs) == 2
    plain = client.responses.create(model="tiny", input="hello", max_output_tokens=5, extra_body=WORDS)
    assert plain.output[0].content[0].logprobs == []


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "input[1].type"),
        ({"type": "web_search_call", "id": "ws_1"}, "input[1].type"),
        ({"type": "function_call_output", "call_id": "1", "output": "2"}, "input[1].call_id"),
        ({"type": "function_call_output", "call_id": "1"}, "input[1].output"),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[1].call_id"),
        ({"type": "message", "content": "hello"}, "input[1].role"),
    ],
    ids=str,
)
def test_items_that_are_not_read_are_refused_by_name(server, item, param):
    error = server.post("/v1/responses", {"model": "tiny", "input": [{"role": "user", "content": "a"}, item]}).json()
    assert error["error"]["param"] == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [CLOCK, {"type": "smell_generation"}]}, "tools[1].type"),
        ({"tools": [{"type": "image_generation", "background": "transparent"}]}, "tools[0].background"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [CLOCK, CLOCK]}, "tools"),
        ({"tools": [CLOCK], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
        ({"tools": [CLOCK], "tool_choice": {"type": "image_generation"}}, "tool_choice"),
        ({"tools": [CLOCK], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}, "text.format.name"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, "reasoning"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
    ],
    ids=str,
)
def test_what_is_not_offered_is_refused_by_name(server, fields, param):
    reply = server.post("/v1/responses", {"model": "tiny", "input": "a", **fields})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_what_goes_wrong_in_a_stream_is_its_last_event(server, client, monkeypatch):
    def fails(_):
        raise RuntimeError("broken")

    codec = type(server.state.registry.get("tiny").model.codecs["image"])
    monkeypatch.setattr(codec, "decode", lambda self, codes: fails(codes))
    with pytest.raises(openai.APIError, match="the server failed"):
        list(client.responses.create(model="tiny", input="draw", extra_body=DRAWN, stream=True))
    body = {"model": "tiny", "input": "draw", **DRAWN, "stream": True}
    lines = httpx.post(f"{server.url}/v1/responses", json=body, timeout=60).text.split("\n\n")
    last = json.loads([one for one in lines if one.startswith("event: error")][-1].partition("data: ")[2])
    assert (last["type"], last["code"], last["error"]["status"]) == ("error", "internal_error", 500)


@pytest.fixture(scope="module")
def roomy():
    """A client of a model with room for calls, and what all its requests say."""
    pytest.importorskip("llguidance")
    model = tiny_assistant()
    model.lm.config.max_position_embeddings = 4096
    with running({"tiny": model}, request_s=60) as server:
        yield openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0).responses


HOW = {"model": "tiny", "input": "hello", "temperature": 1.0, "max_output_tokens": 200}


def seeded(seed: int, **more: Any) -> dict[str, Any]:
    return HOW | {"extra_body": {"seed": seed}} | more


def test_a_call_that_is_required_is_an_item(roomy):
    for seed in range(4):
        said = roomy.create(**seeded(seed, tools=[WEATHER, CLOCK], tool_choice="required"))
        assert said.status == "completed" and said.output and not said.output_text
        for item in said.output:
            assert (item.type, item.status) == ("function_call", "completed")
            assert item.name == "clock" or Weather.model_validate_json(item.arguments)
        assert len({item.call_id for item in said.output} | {item.id for item in said.output}) == 2 * len(said.output)
        assert (said.tools[0].name, said.tool_choice, said.parallel_tool_calls) == ("weather", "required", True)


def test_one_function_by_name_and_one_call_alone(roomy):
    named = {"type": "function", "name": "weather"}
    (item,) = roomy.create(**seeded(1, tools=[CLOCK, WEATHER], tool_choice=named)).output
    assert item.name == "weather"
    alone = roomy.create(**seeded(1, tools=[CLOCK], tool_choice="required", parallel_tool_calls=False))
    assert len(alone.output) == 1 and alone.parallel_tool_calls is False


def test_calls_are_those_of_chats_and_streamed_piece_by_piece(roomy):
    options = seeded(2, tools=[WEATHER, CLOCK], tool_choice="required")
    whole = roomy.create(**options)
    events = list(roomy.create(**options, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
    assert kinds == [
        "created", "in_progress", "output_item.added", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    made = dict.fromkeys(range(len(whole.output)), "")
    for event in events:
        if event.type == "response.output_item.added":
            assert event.item.arguments == "" and event.item.name == whole.output[event.output_index].name
        elif event.type == "response.function_call_arguments.delta":
            made[event.output_index] += event.delta
        elif event.type == "response.function_call_arguments.done":
            assert event.arguments == made[event.output_index]
    assert list(made.values()) == [item.arguments for item in whole.output]
    tools = [{"type": "function", "function": {**one, "type": None}} for one in options["tools"]]
    chat = roomy._client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "hello"}], temperature=1.0, seed=2, max_tokens=200,
        tools=tools, tool_choice="required",
    )  # fmt: skip
    calls = [(call.function.name, call.function.arguments) for call in chat.choices[0].message.tool_calls]
    assert calls == [(item.name, item.arguments) for item in whole.output]


def test_a_whole_exchange_is_read_as_in_a_chat(roomy):
    named = {"type": "function", "name": "weather"}
    said = roomy.create(**seeded(1, tools=[WEATHER], tool_choice=named))
    (call,) = said.output
    asked = [{"role": "user", "content": "hello"}]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    more = roomy.create(**HOW | {"input": [*asked, *said.output, result]}, tools=[WEATHER], tool_choice="none")
    function = {"name": call.name, "arguments": call.arguments}
    messages = [
        *asked,
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "1", "content": "21 degrees"},
    ]
    chat = roomy._client.chat.completions.create(model="tiny", messages=messages, max_tokens=1)
    assert more.usage.input_tokens == chat.usage.prompt_tokens
    parts = [{"type": "input_text", "text": "21 degrees"}]
    same = roomy.create(**HOW | {"input": [*asked, call, result | {"output": parts}]})
    assert same.usage.input_tokens == more.usage.input_tokens


def test_text_has_the_form_that_is_asked_for(roomy):
    parsed = roomy.parse(**seeded(1), text_format=Weather)
    assert isinstance(parsed.output_parsed, Weather) and parsed.status == "completed"
    with roomy.stream(**seeded(1), text_format=Weather) as stream:
        assert stream.get_final_response().output_parsed == parsed.output_parsed
    anything = roomy.create(**seeded(1), text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(anything.output_text), dict)
    cut = roomy.create(**seeded(1) | {"max_output_tokens": 4}, text=parsed.text.model_dump(by_alias=True))
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_json_or_a_call(roomy):
    form = {"format": {"type": "json_schema", "name": "list", "schema": {"type": "array", "maxItems": 1}}}
    for seed in range(4):
        said = roomy.create(**seeded(seed, tools=[CLOCK], text=form))
        called = all(item.type == "function_call" for item in said.output)
        assert called or isinstance(json.loads(said.output_text), list)


def test_text_before_calls_is_a_message_of_its_own(roomy, monkeypatch):
    """Of a model that says something first; nothing of what might open a call is lost or told too soon."""
    from sensorium.serve.writing import transcript

    said = iter(["Let me s", "ee.<tool", '_call>\n{"name": "clo', 'ck", "arguments": {"a": ', "1}}\n</tool_call>"])
    monkeypatch.setattr(transcript.Transcript, "feed", lambda self, token: [transcript.Text(next(said, ""))])
    events = list(roomy.create(**HOW | {"max_output_tokens": 60}, tools=[CLOCK], extra_body=WORDS, stream=True))
    message, call = events[-1].response.output
    assert (message.type, message.content[0].text) == ("message", "Let me see.")
    assert (call.type, call.name, call.arguments) == ("function_call", "clock", '{"a": 1}')
    assert message.status == call.status == "completed"


def test_the_tool_that_writes_a_medium_is_the_models_own(client):
    plain = client.responses.create(model="tiny", input="draw", extra_body=DRAWN)
    said = client.responses.create(
        model="tiny", input="draw", tools=[DRAWER | {"size": "auto"}], tool_choice=DRAWER, extra_body={"seed": 5}
    )
    assert said.output[0].result == plain.output[0].result and said.tools[0].type == "image_generation"
    must = client.responses.create(
        model="tiny", input="draw", tools=[DRAWER], tool_choice="required", extra_body={"seed": 5}
    )
    assert must.output[0].result == plain.output[0].result
    may = client.responses.create(model="tiny", input="hello", tools=[DRAWER], max_output_tokens=3)
    assert may.status in ("completed", "incomplete")
    for seed in range(5):
        none = client.responses.create(
            model="tiny", input="draw", tools=[DRAWER], tool_choice="none", max_output_tokens=30, temperature=3,
            extra_body={"seed": seed},
        )  # fmt: skip
        assert {item.type for item in none.output} == {"message"}


def test_what_asks_for_nothing_is_taken(client):
    said = client.responses.create(
        model="tiny", input="hello", max_output_tokens=1, reasoning={"summary": "auto", "effort": "none"},
        include=["reasoning.encrypted_content"], text={"format": {"type": "text"}, "verbosity": "medium"}, tools=[],
    )  # fmt: skip
    assert said.output_text is not None


def test_an_item_by_reference_says_what_to_do(server):
    items = [{"role": "user", "content": "a"}, {"type": "item_reference", "id": "msg_1"}]
    error = server.post("/v1/responses", {"model": "tiny", "input": items}).json()["error"]
    assert "store: false" in error["message"]
