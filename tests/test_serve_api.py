"""The openai client drives every endpoint of a running server."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import threading
import time
import weakref
from dataclasses import replace

import httpx
import numpy as np
import openai
import PIL.Image
import pytest
from serving import Greys, Running, as_uri, ask, picture, png, running, tiny_assistant

from sensorium.modalities import modality
from sensorium.serve.http import images
from sensorium.serve.http.schemas import ContentPart, RequestMessage
from sensorium.serve.http.server import EventStream
from sensorium.serve.media.messages import Reader
from sensorium.serve.media.workers import Workers
from sensorium.serve.registry import Served
from sensorium.serve.run import run
from sensorium.serve.settings import Settings
from sensorium.serve.writing.desk import Desk
from sensorium.types import Conversation, InputError, Part, as_message


@pytest.fixture(scope="module")
def model():
    return tiny_assistant()


@pytest.fixture(scope="module")
def server(model):
    eyes = tiny_assistant(codecs=[Greys("seen", use="read")])
    with running({"tiny": model, "eyes": eyes}, request_s=60) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


def say(content="hello"):
    return [{"role": "user", "content": content}]


def test_chat_gives_the_models_own_greedy_answer(client, model):
    reply = client.chat.completions.create(model="tiny", messages=say(), max_tokens=12, modalities=["text"])
    own = model.chat("hello", want="text", max_tokens=12)
    assert reply.choices[0].message.content == own.text
    assert reply.choices[0].finish_reason == own.finish
    assert reply.usage.completion_tokens == len(own.ids)
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == reply.usage.total_tokens
    assert reply.usage.modality_tokens["completion"] == {"text": len(own.ids)}
    assert reply.usage.energy_wh >= 0


def test_chat_reads_a_picture(client, model):
    content = [picture(), {"type": "text", "text": "What?"}]
    reply = client.chat.completions.create(model="tiny", messages=say(content), max_tokens=8)
    assert reply.choices[0].message.content == model.chat([Part("image", png()), "What?"], max_tokens=8).text
    other = [picture((0, 0, 255)), {"type": "text", "text": "What?"}]
    assert reply.usage.modality_tokens["prompt"]["image"] == 16
    again = client.chat.completions.create(model="tiny", messages=say(other), max_tokens=8)
    assert again.choices[0].message.content != reply.choices[0].message.content, "another picture, another answer"


def test_chat_writes_a_picture_that_can_be_sent_back(client):
    reply = client.chat.completions.create(
        model="tiny", messages=say("draw"), modalities=["image"], seed=5, extra_body={"guidance": 2.0}
    )
    message = reply.choices[0].message
    assert message.content is None
    (part,) = message.parts
    assert PIL.Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2]))).size == (16, 16)
    assert part["codec"] == "image"
    assert len(part["codes"]) == 16
    history = [*say("draw"), message.model_dump(), *say("and now?")]
    more = client.chat.completions.create(model="tiny", messages=history, max_tokens=4)
    assert more.usage.modality_tokens["prompt"]["image"] == 16


def test_a_field_named_as_a_modality_asks_for_its_medium_as_openai_has_it_for_sound(client, server):
    asked = dict(model="tiny", messages=say("draw"), modalities=["image"], seed=5)
    reply = client.chat.completions.create(**asked, extra_body={"image": {"format": "jpeg", "voice": "any"}})
    message = reply.choices[0].message.model_dump()
    assert message["image"].keys() == {"id", "data", "expires_at", "transcript"}
    assert PIL.Image.open(io.BytesIO(base64.b64decode(message["image"]["data"]))).format == "JPEG"
    assert message["parts"][0]["image_url"]["url"].startswith("data:image/png")
    chunks = client.chat.completions.create(**asked, extra_body={"image": {"format": "webp"}}, stream=True)
    told = [choice.delta.model_dump().get("image") for chunk in chunks for choice in chunk.choices]
    (medium,) = [one for one in told if one]
    assert PIL.Image.open(io.BytesIO(base64.b64decode(medium["data"]))).format == "WEBP"
    plain = client.chat.completions.create(**asked).choices[0].message.model_dump()
    assert "image" not in plain
    with pytest.raises(openai.BadRequestError, match="image is not written in the format 'mp9'; its formats: png, jpg"):
        client.chat.completions.create(**asked, extra_body={"image": {"format": "mp9"}})


def test_streamed_pieces_make_the_whole(client):
    options = dict(model="tiny", messages=say(), max_tokens=25, n=2, temperature=1, seed=7, modalities=["text"])
    whole = client.chat.completions.create(**options)
    texts, ends, usage = ["", ""], [None, None], None
    for chunk in client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason or ends[choice.index]
    assert texts == [choice.message.content for choice in whole.choices]
    assert ends == [choice.finish_reason for choice in whole.choices]
    assert texts[0] != texts[1]
    assert usage.completion_tokens == whole.usage.completion_tokens


def test_streamed_medium_tells_its_progress(client):
    stream = client.chat.completions.create(
        model="tiny", messages=say("draw"), modalities=["image"], seed=5, stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]
    progress = [delta.progress for delta in deltas if getattr(delta, "progress", None)]
    assert [one["done"] for one in progress] == list(range(17))
    assert {(one["modality"], one["total"]) for one in progress} == {("image", 16)}
    (parts,) = [delta.parts for delta in deltas if getattr(delta, "parts", None)]
    assert parts[0]["image_url"]["url"].startswith("data:image/png;base64,")


def test_same_seed_same_answer(client):
    def text(seed):
        reply = client.chat.completions.create(model="tiny", messages=say(), temperature=1, seed=seed, max_tokens=9)
        return reply.choices[0].message.content

    assert text(1) == text(1) != text(2)


def test_stop_ends_before_the_string(client):
    options = dict(model="tiny", messages=say(), max_tokens=25, modalities=["text"])
    whole = client.chat.completions.create(**options).choices[0].message.content
    stop = next(whole[i : i + 2] for i in range(3, len(whole)) if "\ufffd" not in whole[i : i + 2])
    reply = client.chat.completions.create(**options, stop=["no such text", stop])
    assert reply.choices[0].message.content == whole[: whole.index(stop)]
    assert reply.choices[0].finish_reason == "stop"
    streamed = client.chat.completions.create(**options, stop=stop, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed if c.choices) == whole[: whole.index(stop)]


def test_logprobs(client):
    reply = client.chat.completions.create(
        model="tiny", messages=say(), max_tokens=5, logprobs=True, top_logprobs=2, modalities=["text"]
    )
    entries = reply.choices[0].logprobs.content
    assert len(entries) == reply.usage.completion_tokens
    for entry in entries:
        assert entry.logprob <= 0
        assert entry.top_logprobs[0].token == entry.token
        assert len(entry.top_logprobs) == 2


def test_best_of_returns_the_best_first(client):
    reply = client.chat.completions.create(
        model="tiny", messages=say("draw"), modalities=["image"], n=2, extra_body={"best_of": 4}
    )
    assert len(reply.choices) == 2
    assert reply.usage.completion_tokens == 4 * 19


@pytest.fixture(scope="module")
def sure():
    """A client of a server whose model takes the likeliest codes; only further attempts are drawn by lot."""
    model = tiny_assistant()
    sampling = {"image": {"temperature": 0.0, "attempts": {"temperature": 1.0, "pool": 3}}}
    model.senses = replace(model.senses, sampling=sampling)
    with running({"tiny": model}, max_answers=8) as server:
        yield openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def codes_of(choice) -> str:
    return str(choice.message.parts[0]["codes"])


def test_several_answers_of_a_sure_model_differ(sure):
    def drawn(n=1, **extra):
        options = dict(model="tiny", messages=say("draw"), modalities=["image"])
        return sure.chat.completions.create(n=n, extra_body=extra, **options)

    alone = codes_of(drawn().choices[0])
    several = drawn(n=4)
    assert len({codes_of(choice) for choice in several.choices}) == 4
    assert codes_of(several.choices[0]) == alone, "the first is as one would be"
    assert several.usage.completion_tokens == 8 * 19, "12 would be written, but the server allows 8"
    again = [codes_of(drawn(attempt=number).choices[0]) for number in range(4)]
    assert len(set(again)) == 4 and again[0] == alone
    assert len({codes_of(choice) for choice in drawn(n=4, temperature=0).choices}) == 1, "said is meant"
    pictures = sure.images.generate(prompt="a heart", n=2, extra_body={"attempt": 1}).data
    first = sure.images.generate(prompt="a heart").data[0]
    assert len({first.b64_json, *(one.b64_json for one in pictures)}) == 3


def test_streamed_attempts_vary_too(sure):
    def streamed(n=1, **extra):
        options = dict(model="tiny", messages=say("draw"), modalities=["image"], stream=True)
        chunks = sure.chat.completions.create(n=n, extra_body=extra, **options)
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        return [str(part["codes"]) for delta in deltas for part in getattr(delta, "parts", None) or ()]

    together = streamed(n=2)
    assert len(together) == len(set(together)) == 2
    assert streamed() != streamed(attempt=1)


def test_completions_continue_text_and_ids(client, model):
    reply = client.completions.create(model="tiny", prompt=["hello", "what"], max_tokens=6, n=2, echo=True, logprobs=1)
    assert [choice.text[:4] for choice in reply.choices] == ["hell", "hell", "what", "what"]
    assert reply.choices[0].text == reply.choices[1].text, "greedy"
    assert len(reply.choices[0].logprobs.tokens) == len(model.tokenizer("hello")["input_ids"]) + 6
    ids = model.tokenizer("hello")["input_ids"]
    assert "hello" + client.completions.create(model="tiny", prompt=ids, max_tokens=6).choices[0].text == (
        reply.choices[0].text
    )
    streamed = client.completions.create(model="tiny", prompt="hello", max_tokens=6, stream=True, echo=True)
    assert "".join(chunk.choices[0].text for chunk in streamed if chunk.choices) == reply.choices[0].text


def test_images(client):
    drawn = client.images.generate(prompt="a heart", model="tiny", n=2, size="64x32", extra_body={"seed": 1})
    pictures = [PIL.Image.open(io.BytesIO(base64.b64decode(one.b64_json))) for one in drawn.data]
    assert [one.size for one in pictures] == [(64, 32), (64, 32)]
    assert drawn.data[0].b64_json != drawn.data[1].b64_json
    best = client.images.generate(prompt="a heart", extra_body={"best_of": 3})
    assert len(best.data) == 1


def test_models(client):
    cards = {card.id: card for card in client.models.list()}
    assert (cards["tiny"].reads, cards["tiny"].writes) == (["text", "image"], ["text", "image"])
    assert cards["eyes"].writes == ["text"]
    assert client.models.retrieve("eyes").id == "eyes"
    with pytest.raises(openai.NotFoundError, match="'tiny', 'eyes'"):
        client.models.retrieve("gpt")


def test_asking_for_what_the_model_lacks_names_what_it_has(client):
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    with pytest.raises(openai.BadRequestError, match="cannot read 'audio'; it can read: image"):
        client.chat.completions.create(model="tiny", messages=say([sound]))
    with pytest.raises(openai.BadRequestError, match="cannot write 'image'; it can write: text only"):
        client.chat.completions.create(model="eyes", messages=say(), modalities=["image"])
    with pytest.raises(openai.BadRequestError, match="cannot write 'audio'"):
        client.chat.completions.create(model="tiny", messages=say(), modalities=["text", "audio"])
    with pytest.raises(openai.BadRequestError, match="cannot write 'image'"):
        client.images.generate(prompt="a", model="eyes")


def test_tokenize_shows_spans_and_detokenize_undoes_it(server, model):
    body = {"model": "tiny", "content": [picture(), {"type": "text", "text": "hello <|end|>"}]}
    told = server.post("/v1/tokenize", body).json()
    (span,) = told["spans"]
    assert told["tokens"][span["start"]] == "<|image|>"
    assert told["ids"][span["stop"] - 1] == model.vocabulary.layout("image").close_id
    assert span["bits"] == 48
    assert len(span["codes"]) == 16
    assert (span["grid"], span["codebook_sizes"], span["frame_rate_hz"]) == ([4, 4], [8], None)
    assert len(told["tokens"]) == len(told["ids"])
    parts = server.post("/v1/detokenize", {"model": "tiny", "ids": told["ids"]}).json()["parts"]
    assert parts[1]["image_url"] == span["reconstruction"]["image_url"]
    assert parts[2]["text"].startswith("hello <|end|>"), "text that spells a special token stays text"
    messages = server.post("/v1/tokenize", {"model": "tiny", "messages": say("hello")}).json()
    assert messages["ids"] == model.tokenizer.apply_chat_template(say("hello"), return_dict=False)
    eyes = server.post("/v1/tokenize", {"model": "eyes", "content": [picture()]}).json()
    assert eyes["spans"][0]["reconstruction"] is None


def test_health_page_and_metrics(server):
    assert server.get("/health").json() == {"status": "ok", "models": ["tiny", "eyes"]}
    server.post("/v1/chat/completions", ask("hello", max_tokens=3))
    text = server.get("/metrics").text
    for line in (
        'sensorium_requests_total{path="/v1/chat/completions",status="200"}',
        'sensorium_tokens_total{direction="completion",modality="text",model="tiny"}',
        'sensorium_answers_waiting{model="tiny"} 0.0',
        'sensorium_first_token_seconds_count{model="tiny"}',
    ):
        assert line in text


def test_special_tokens_are_looked_up_once_and_not_for_every_id(server, model, monkeypatch):
    """The tokenizer lists its thousands of codes anew each time it is asked."""

    def listed(_):
        raise AssertionError("listed again")

    monkeypatch.setattr(type(model.tokenizer), "added_tokens_decoder", property(listed))
    reply = server.post("/v1/chat/completions", ask("hello", max_tokens=4, logprobs=True, top_logprobs=3))
    assert len(reply.json()["choices"][0]["logprobs"]["content"]) == 4


def test_detokenize_bounds_the_media_it_decodes(server, model):
    medium = model.vocabulary.layout("image").ids([0] * 16)
    fine = server.post("/v1/detokenize", {"model": "tiny", "ids": medium * 64})
    assert len(fine.json()["parts"]) == 64
    refused = server.post("/v1/detokenize", {"model": "tiny", "ids": medium * 65})
    assert refused.status_code == 400
    assert "65 media, at most 64" in refused.json()["error"]["message"]


def test_headers_keep_the_page_out_of_frames_and_head_is_answered(server):
    for path in ("/", "/page/app.js"):
        whole, head = server.get(path), httpx.head(server.url + path)
        assert (whole.status_code, head.status_code, head.content) == (200, 200, b"")
        assert head.headers["content-length"] == str(len(whole.content)) != "0"
        for reply in (whole, head):
            assert reply.headers["content-security-policy"] == "frame-ancestors 'none'"
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer"


def test_errors_have_openais_form(server):
    for reply, status in (
        (server.get("/v1/nothing"), 404),
        (server.get("/v1/chat/completions"), 405),
        (server.post("/v1/chat/completions", ask("a") | {"model": "zip"}), 404),
        (server.post("/v1/chat/completions", {"model": "tiny"}), 400),
        (server.post("/v1/chat/completions", ask("hello " * 400)), 400),
        (server.post("/v1/chat/completions", ask("a", tools=[{"type": "function"}])), 400),
    ):
        assert reply.status_code == status
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
        assert len(reply.json()["error"]["message"]) > 10


def test_load_and_unload(server, model, tmp_path):
    folder = tmp_path / "stored"
    reply = server.post("/v1/models/load", {"model": str(folder)})
    assert reply.status_code == 400
    bare = tiny_assistant(codecs=[])
    bare.save(folder)
    assert server.post("/v1/models/load", {"model": str(folder), "name": "more"}).json()["writes"] == ["text"]
    assert server.post("/v1/chat/completions", ask("hello", max_tokens=3) | {"model": "more"}).status_code == 200
    loaded = weakref.ref(server.state.registry.get("more").model)
    assert server.post("/v1/models/unload", {"model": "more"}).json() == {"id": "more", "unloaded": True}
    assert wait_until(lambda: gc.collect() >= 0 and loaded() is None), "its memory is given back"
    assert server.post("/v1/chat/completions", ask("hello") | {"model": "more"}).status_code == 404
    behind_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    assert server.post("/v1/models/unload", {"model": "tiny"}, headers=behind_a_proxy).status_code == 403


def test_a_web_page_elsewhere_cannot_use_the_server(server):
    body = ask("hello", max_tokens=2)
    foreign = server.post("/v1/chat/completions", body, headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    own = server.post("/v1/chat/completions", body, headers={"Origin": server.url})
    assert own.status_code == 200
    for origin in ("null", "http://[", "http://[::1", ""):
        odd = server.post("/v1/chat/completions", body, headers={"Origin": origin})
        assert (odd.status_code, odd.json()["error"]["type"]) == (403, "permission_error")
    for host in ("elsewhere.example", "["):
        assert server.get("/v1/models", headers={"Host": host}).status_code == 403
    as_form = httpx.post(
        f"{server.url}/v1/chat/completions", content=json.dumps(body), headers={"Content-Type": "text/plain"}
    )
    assert as_form.status_code == 400
    assert "access-control-allow-origin" not in own.headers


def writing(server: Running, name: str = "tiny") -> int:
    return server.state.registry.get(name).scheduler.writing


def wait_until(condition, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def slow_down(server: Running) -> None:
    """Every step of the model takes a while, so that things can happen in between."""
    batch = server.state.registry.get("tiny").scheduler._batches
    batch = next(iter(batch)).batch
    step = batch.step
    batch.step = lambda: (time.sleep(0.3), step())[1]


@pytest.fixture(scope="module")
def slow_server():
    with running() as server:
        slow_down(server)
        yield server


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_ends_its_answer(slow_server, stream):
    server = slow_server
    body = ask("hello", max_tokens=200, temperature=1, stream=stream, modalities=["text"])
    with httpx.Client() as client:
        request = client.build_request(
            "POST", f"{server.url}/v1/chat/completions", json=body, timeout=60 if stream else 1
        )
        if stream:
            reply = client.send(request, stream=True)
            lines = reply.iter_lines()  # thrown away, it would hang up
            next(lines)
            assert wait_until(lambda: writing(server) == 1)
            reply.close()
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.send(request)
    assert wait_until(lambda: writing(server) == 0), "200 tokens would take a minute"


def test_what_is_unfinished_is_told_when_the_server_stops(monkeypatch):
    monkeypatch.setattr("sensorium.serve.http.graceful.FINISH_S", 0.01)
    body = ask("hello", max_tokens=200, temperature=1, stream=True, modalities=["text"])
    with running() as server:
        slow_down(server)
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body, timeout=60) as reply:
            lines = reply.iter_lines()
            next(lines)
            server.told_to_stop()
            last = [line for line in lines if line][-1]
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["status"], error["code"]) == (503, "model_unloaded")


@pytest.mark.parametrize("never", ["reads", "is told"])
def test_a_stream_is_cut_when_its_time_is_over(never, monkeypatch):
    """Nobody reads it, or the engine does not come back from a step."""

    class Stub:
        deadline, cancelled = time.monotonic() + 0.1, False

        def cancel(self):
            self.cancelled = True

    async def chunks():
        if never == "is told":
            await asyncio.Event().wait()
        yield {}

    async def hang(*_):
        await asyncio.Event().wait()

    async def take(_):
        pass

    monkeypatch.setattr("sensorium.serve.http.server.LATE_S", 0.1)
    stub = Stub()
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    stream = EventStream(stub, chunks())
    asyncio.run(asyncio.wait_for(stream(scope, hang, hang if never == "reads" else take), 30))
    assert stub.cancelled


def test_work_that_waits_at_the_desk_of_a_model_that_goes_is_told(model):
    async def use():
        served, open_desk, begun = Served("tiny", model, Settings()), threading.Event(), threading.Event()
        first = asyncio.ensure_future(served.at_desk(lambda: (begun.set(), open_desk.wait(), 1)[-1]))
        second, third = (asyncio.ensure_future(served.at_desk(int)) for _ in range(2))
        await asyncio.to_thread(begun.wait)
        third.cancel()
        await asyncio.sleep(0)
        await asyncio.to_thread(served.close)
        open_desk.set()
        return await asyncio.gather(first, second, third, served.at_desk(int), return_exceptions=True)

    first, second, third, late = asyncio.run(use())
    assert first == 1
    assert [error.status for error in (second, late)] == [503, 503]
    assert isinstance(third, asyncio.CancelledError), "whoever is cancelled stays so"


def test_an_opened_medium_is_kept_as_codes_alone(server, model):
    async def read():
        workers = Workers(Settings())
        try:
            served = server.state.registry.get("tiny")
            reader = Reader(workers, Settings())
            return await reader.conversation([RequestMessage(role="user", content=[ContentPart(**picture())])], served)
        finally:
            await workers.close()

    (part,) = asyncio.run(read()).parts()
    (expected,) = model.senses.encode(Conversation((as_message("user", Part("image", png())),))).parts()
    assert part.data is None, "many opened media of one request would fill the memory"
    assert part.codes.tolist() == expected.codes.tolist()


def test_models_of_one_name_are_refused():
    with pytest.raises(InputError, match="two models would be called 'model'; give one another name, NAME=b/model"):
        run(["a/model", "b/model"])


def test_many_clients_at_once_get_their_own_answers(server, model):
    questions = [f"question {number}" for number in range(8)]
    expected = [model.chat(one, want="text", max_tokens=10).text for one in questions]
    got: list = [None] * len(questions)

    def talk(number):
        body = ask(questions[number], max_tokens=10, modalities=["text"])
        got[number] = server.post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"]

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == expected


def test_keys_and_limits_are_kept(model):
    limits = dict(api_keys=("secret", "other"), max_parts=2, max_tokens=50, max_answers=3, max_body_bytes=20_000)
    with running({"tiny": model}, **limits) as server:
        assert server.get("/health").status_code == 200
        refused = server.post("/v1/chat/completions", ask("a"))
        assert refused.status_code == 401
        key = {"Authorization": "Bearer other"}

        def status(**fields):
            reply = server.post("/v1/chat/completions", ask("a", max_tokens=2) | fields, headers=key)
            return reply.status_code, reply.json().get("error", {}).get("message", "")

        assert status()[0] == 200
        parts = [{"type": "text", "text": "a"}] * 3
        for fields, code, words in (
            ({"messages": [{"role": "user", "content": parts}]}, 400, "3 parts, at most 2"),
            ({"max_tokens": 51}, 400, "at most 50"),
            ({"n": 4}, 400, "at most 3"),
            ({"messages": [{"role": "user", "content": "a" * 30_000}]}, 413, "20000 bytes"),
        ):
            got, message = status(**fields)
            assert (got, words in message) == (code, True), message
        chunked = httpx.post(
            f"{server.url}/v1/chat/completions", content=(b"a" * 1000 for _ in range(100)),
            headers=key | {"Content-Type": "application/json"},
        )  # fmt: skip
        assert chunked.status_code == 413
        assert server.get("/openapi.json", headers=key).json()["components"]["securitySchemes"]
        whole = server.post("/v1/chat/completions", ask("a", modalities=["text"], temperature=1), headers=key).json()
        assert whole["usage"]["completion_tokens"] <= 50, "also where the request does not say how many"


def test_the_time_of_a_request_is_kept(model):
    with running({"tiny": model}, request_s=1) as server:
        slow_down(server)
        body = ask("a", max_tokens=200, modalities=["text"], temperature=1)
        assert server.post("/v1/chat/completions", body).status_code == 408


def test_a_full_queue_is_told(model):
    with running({"tiny": model}, max_batch=1, max_queue=1) as server:
        reply = server.post("/v1/chat/completions", ask("a", n=3))
        assert reply.status_code == 429
        assert reply.headers["Retry-After"]
        assert reply.json()["error"]["type"] == "rate_limit_error"


def test_a_data_uri_may_be_percent_encoded(server):
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><rect width='8' height='8'/></svg>"
    plain = "data:image/svg+xml," + svg.replace("<", "%3C").replace(">", "%3E")
    url = as_uri(svg.encode(), "image/svg+xml")
    bodies = [{"model": "tiny", "content": [{"type": "image_url", "image_url": {"url": one}}]} for one in (plain, url)]
    first, second = [server.post("/v1/tokenize", body).json() for body in bodies]
    assert first == second


def test_a_streamed_picture_is_shown_on_its_way(client):
    options = dict(model="tiny", prompt="a heart", extra_body={"seed": 3}, size="64x32", output_format="webp")
    whole = client.images.generate(**options)
    events = list(client.images.generate(**options, stream=True, partial_images=3))
    assert [event.type for event in events] == [
        *["image_generation.partial_image"] * 3,
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:3]] == [0, 1, 2]
    assert events[-1].b64_json == whole.data[0].b64_json
    assert (events[-1].size, events[-1].output_format) == ("64x32", "webp")
    assert events[-1].usage.output_tokens == whole.usage.output_tokens == 19
    pictures = [PIL.Image.open(io.BytesIO(base64.b64decode(event.b64_json))) for event in events]
    assert {(one.format, one.size) for one in pictures} == {("WEBP", (64, 32))}
    assert len({event.b64_json for event in events}) == 4, "each shows more than the one before"
    assert [event.type for event in client.images.generate(**options, stream=True)] == ["image_generation.completed"]


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"stream": True, "partial_images": 3}], ids=str)
def test_pictures_become_files_at_the_desk_and_once(server, monkeypatch, fields):
    made, file = [], images._file
    monkeypatch.setattr(images, "_file", lambda *rest: made.append(threading.current_thread().name) or file(*rest))
    reply = server.post("/v1/images/generations", {"prompt": "a heart", "size": "64x32", **fields})
    assert reply.status_code == 200 and "b64_json" in reply.text
    assert len(made) == 1 + fields.get("partial_images", 0)
    assert all(name.startswith("sensorium-desk") for name in made)


def test_an_answer_in_words_does_not_wait_at_the_desk_once_it_is_written(server, monkeypatch):
    jobs, submit = [], Desk.submit
    monkeypatch.setattr(Desk, "submit", lambda self, *rest: jobs.append(rest) or submit(self, *rest))
    body = ask("Hello!", modalities=["text"], max_tokens=4)
    assert server.post("/v1/chat/completions", body).status_code == 200
    assert len(jobs) == 1, "its prompt alone"


def test_what_is_not_written_yet_is_blank(client, model):
    """Of 16 greys of 4 x 4, the last 4 are missing in the third of three sketches."""
    event = list(client.images.generate(model="tiny", prompt="a heart", stream=True, partial_images=3))[2]
    sketch = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(event.b64_json))))
    assert (sketch[12:] == sketch[12:].max()).all() and not (sketch[:12] == sketch[12:].max()).all()


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 2}, "n"), ({"best_of": 2}, "best_of"), ({"stream": False, "partial_images": 1}, "partial_images")],
    ids=str,
)
def test_a_streamed_picture_is_one(server, fields, param):
    error = server.post("/v1/images/generations", {"prompt": "a heart", "stream": True, **fields}).json()["error"]
    assert error["param"] == param


@pytest.mark.parametrize("stream", [False, True])
def test_a_written_picture_is_where_other_programs_look_for_it(client, stream):
    """In `images`, as LiteLLM and OpenRouter have it; sent back there, it is taken as it was written."""
    options = dict(model="tiny", messages=say("draw"), modalities=["image"], seed=5)
    if stream:
        deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**options, stream=True)]
        (images,) = [delta.images for delta in deltas if getattr(delta, "images", None)]
    else:
        images = client.chat.completions.create(**options).choices[0].message.images
    (shown,) = images
    assert (shown["type"], shown["index"]) == ("image_url", 0)
    assert shown["image_url"]["url"].startswith("data:image/png;base64,")

    def asked(message):
        history = [*say("draw"), {"role": "assistant", "content": None, **message}, *say("so?")]
        return client.chat.completions.create(model="tiny", messages=history, max_tokens=4).usage.modality_tokens

    assert asked({"images": images})["prompt"]["image"] == 16
    bare = [{"type": "image_url", "image_url": shown["image_url"]}]
    assert asked({"images": bare})["prompt"]["image"] == 16, "without the codes too"
    assert "image" not in asked({})["prompt"]
    with pytest.raises(openai.BadRequestError, match="no parts"):
        asked({"images": [7]})


def test_any_other_medium_is_where_openai_has_sound():
    """Under its modality's name, and taken from there when it is sent back."""
    waves = modality("series")
    part = {"type": "series_url", "series_url": {"url": as_uri(b"a,b", "text/csv")}}
    told = waves.in_reply([part], "the words")["series"]
    assert base64.b64decode(told["data"]) == b"a,b" and told["transcript"] == "the words"
    (back,) = waves.from_reply({"series": told})
    assert waves.part_data(back).partition(",")[2] == told["data"]
    assert waves.in_reply([{"type": "series_url"}]) == {}, "of a codec that only reads"
    for nothing in ({}, {"series": None}, {"series": {"id": "series-1"}}):
        assert list(waves.from_reply(nothing)) == []
