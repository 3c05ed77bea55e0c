"""Every parameter of OpenAI's is done, taken without effect, or refused by name; errors have OpenAI's fields."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.types import completion_create_params, image_generate_params
from openai.types.audio import speech_create_params, transcription_create_params, translation_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params
from serving import Greys, Running, ask, running, tiny_assistant
from sounds import Steps, file_of, tones

from sensorium.serve.http.audio_speech import SpeechRequest
from sensorium.serve.http.audio_transcripts import TranscriptionRequest, TranslationRequest
from sensorium.serve.http.images import ImageRequest
from sensorium.serve.http.responses import ResponseRequest
from sensorium.serve.http.schemas import ChatRequest, CompletionRequest

DOCS = Path(__file__).resolve().parent.parent / "docs" / "server.md"
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
IMAGES, RESPONSES = "/v1/images/generations", "/v1/responses"
SPEECH, TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"
FORMS = (TRANSCRIPTIONS, TRANSLATIONS)
REQUESTS: dict[str, Any] = {CHAT: ChatRequest, COMPLETIONS: CompletionRequest, IMAGES: ImageRequest}
REQUESTS |= {RESPONSES: ResponseRequest, SPEECH: SpeechRequest}
REQUESTS |= {TRANSCRIPTIONS: TranscriptionRequest, TRANSLATIONS: TranslationRequest}
OPENAIS = {
    CHAT: chat_create_params.CompletionCreateParamsBase,
    COMPLETIONS: completion_create_params.CompletionCreateParamsBase,
    IMAGES: image_generate_params.ImageGenerateParamsBase,
    RESPONSES: response_create_params.ResponseCreateParamsBase,
    SPEECH: speech_create_params.SpeechCreateParams,
    TRANSCRIPTIONS: transcription_create_params.TranscriptionCreateParamsBase,
    TRANSLATIONS: translation_create_params.TranslationCreateParams,
}
LEAST: dict[str, dict[str, Any]] = {
    CHAT: ask("hello", max_tokens=1),
    COMPLETIONS: {"model": "tiny", "prompt": "hello", "max_tokens": 1},
    IMAGES: {"prompt": "a heart"},
    RESPONSES: {"model": "tiny", "input": "hello", "max_output_tokens": 1},
    SPEECH: {"model": "tiny", "input": "hello"},
    TRANSCRIPTIONS: {"model": "tiny"},
    TRANSLATIONS: {"model": "tiny"},
}
STREAMS = (CHAT, COMPLETIONS, IMAGES, RESPONSES, TRANSCRIPTIONS)
NAMES = {path: {*kind.__annotations__, *(("stream",) if path in STREAMS else ())} for path, kind in OPENAIS.items()}
EVERY = [(path, name) for path, names in NAMES.items() for name in sorted(names)]
SOUND = file_of(tones(0.1, 0.3))


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant(codecs=[Greys(), Steps()])}) as server:
        yield server


def post(server: Running, path: str, body: dict[str, Any]) -> httpx.Response:
    """As JSON, or as a form, whose fields are all text."""
    if path not in FORMS:
        return server.post(path, body)
    fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items() if value}
    return httpx.post(server.url + path, data=fields, files={"file": ("a.wav", SOUND)}, timeout=60)


def status(path: str, name: str) -> str:
    if (path, name) == (CHAT, "audio") or (path in FORMS and name == "file"):
        return "done"  # as any modality's name is a field where that modality is asked for
    return REQUESTS[path].parameters.status(name, REQUESTS[path].model_fields)


@pytest.mark.parametrize(("path", "name"), EVERY, ids=[f"{path}:{name}" for path, name in EVERY])
def test_nothing_is_left_out_in_silence(server, path, name):
    """A value that no field takes: it is refused with the field's name, unless it may say whatever it likes."""
    reply = post(server, path, LEAST[path] | {name: {"never": ["heard", "of"]}})
    if status(path, name) == "without effect" or (
        path in FORMS and name == "language"
    ):  # any, of a model that says none
        assert reply.status_code == 200, reply.text
    elif (path, name) != (CHAT, "response_format"):  # whose forms are told apart by more than their type
        assert reply.status_code == (404 if path in FORMS and name == "model" else 400)
        assert re.match(name, reply.json()["error"]["param"]), reply.text
    null = post(server, path, LEAST[path] | {name: None})
    assert null.status_code == 200 or status(path, name) == "done", "null says no more than nothing"


def test_the_documentation_has_the_same_table():
    rows = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\| `([a-z_]+)` \|(.*)\|", line):
            rows[match[1]] = [cell.strip().partition(",")[0] for cell in match[2].split("|")]
    words = {"done": "done", "without effect": "no effect", "refused": "refused"}
    for number, path in enumerate(OPENAIS):
        for name in NAMES[path]:
            assert name in rows, f"{name} has no row"
            assert rows[name][number] == words[status(path, name)], (path, name)
    for name, cells in rows.items():
        for path, cell in zip(OPENAIS, cells, strict=True):
            assert bool(cell) == (name in NAMES[path]), (path, name)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"logit_bias": {"5": -100}}),
        (CHAT, {"frequency_penalty": 0.5}),
        (CHAT, {"presence_penalty": -1}),
        (CHAT, {"functions": [{"name": "f"}]}),
        (CHAT, {"reasoning_effort": "high"}),
        (COMPLETIONS, {"suffix": "the end"}),
        (COMPLETIONS, {"logit_bias": {"5": 1}}),
        (IMAGES, {"quality": "hd"}),
        (IMAGES, {"background": "transparent"}),
        (RESPONSES, {"store": True}),
        (RESPONSES, {"previous_response_id": "resp_1"}),
        (RESPONSES, {"reasoning": {"effort": "high"}}),
    ],
    ids=str,
)
def test_what_would_change_the_answer_is_refused_by_name(server, path, fields):
    error = server.post(path, LEAST[path] | fields).json()["error"]
    (name,) = fields
    assert (error["param"], error["code"], error["type"]) == (name, "unsupported_parameter", "invalid_request_error")
    assert repr(name) in error["message"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "functions": [], "store": True}),
        (CHAT, {"user": "me", "metadata": {"a": "b"}, "service_tier": "auto", "tool_choice": "none", "tools": []}),
        (COMPLETIONS, {"suffix": "", "frequency_penalty": 0, "user": "me"}),
        (IMAGES, {"quality": "auto", "background": "opaque", "moderation": "low", "user": "me"}),
        (RESPONSES, {"store": False, "truncation": "disabled", "tools": [], "include": [], "background": False}),
    ],
    ids=str,
)
def test_what_changes_nothing_is_taken(server, path, fields):
    assert server.post(path, LEAST[path] | fields).status_code == 200


@pytest.mark.parametrize("path", list(OPENAIS))
def test_unknown_parameters_are_refused_by_name(server, path):
    error = post(server, path, LEAST[path] | {"min_p": 0.1}).json()["error"]
    assert (error["param"], error["code"]) == ("min_p", "unknown_parameter")


def test_a_field_named_as_a_modality_that_is_not_asked_for_is_refused(server):
    fine = {"image": {"format": "png"}}
    assert server.post(CHAT, ask("a", max_tokens=1, **fine)).status_code == 200
    error = server.post(CHAT, ask("a", modalities=["text"], **fine)).json()["error"]
    assert error["param"] == "image"


@pytest.mark.parametrize(
    ("path", "change", "param", "code"),
    [
        (CHAT, {"model": ...}, "model", "missing_required_parameter"),
        (CHAT, {"messages": ...}, "messages", "missing_required_parameter"),
        (CHAT, {"messages": "hello"}, "messages", "invalid_type"),
        (CHAT, {"messages": []}, "messages", "array_below_min_length"),
        (CHAT, {"messages": [{"role": "king", "content": ""}]}, "messages[0].role", "invalid_value"),
        (CHAT, {"messages": [{"content": ""}]}, "messages[0].role", "missing_required_parameter"),
        (CHAT, {"temperature": "hot"}, "temperature", "invalid_type"),
        (CHAT, {"temperature": -1.5}, "temperature", "decimal_below_min_value"),
        (CHAT, {"top_p": 1.5}, "top_p", "decimal_above_max_value"),
        (CHAT, {"n": 0}, "n", "integer_below_min_value"),
        (CHAT, {"top_logprobs": 3}, "top_logprobs", "invalid_value"),
        (CHAT, {"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
        (CHAT, {"n": 2, "best_of": 1}, "best_of", "invalid_value"),
        (CHAT, ask("hello " * 400), "messages", "context_length_exceeded"),
        (COMPLETIONS, {"prompt": "hello " * 400}, "prompt", "context_length_exceeded"),
        (COMPLETIONS, {"prompt": ...}, "prompt", "missing_required_parameter"),
        (RESPONSES, {"input": "hello " * 400}, "input", "context_length_exceeded"),
        (IMAGES, {"size": "huge"}, "size", "invalid_value"),
    ],
    ids=str,
)
def test_errors_have_openais_fields(server, path, change, param, code):
    body = {name: value for name, value in (LEAST[path] | change).items() if value is not ...}
    reply = server.post(path, body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, param, code), error
    assert error["type"] == "invalid_request_error"


def test_other_errors_have_openais_fields(server):
    for path in (CHAT, COMPLETIONS, RESPONSES):
        reply = server.post(path, LEAST[path] | {"model": "gpt"})
        error = reply.json()["error"]
        assert (reply.status_code, error["type"], error["code"]) == (404, "invalid_request_error", "model_not_found")
    with running({"tiny": tiny_assistant()}, api_keys=("right",)) as closed:
        reply = closed.post(CHAT, LEAST[CHAT], headers={"Authorization": "Bearer wrong"})
        error = reply.json()["error"]
        assert (reply.status_code, error["type"], error["code"]) == (401, "invalid_request_error", "invalid_api_key")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/embeddings", "give no vectors"),
        ("/v1/moderations", "nothing here judges"),
        ("/v1/audio/voices", "any modality"),
        ("/v1/images/edits", "any modality"),
        ("/v1/images/variations", "any modality"),
        ("/v1/files", "nothing is stored"),
        ("/v1/batches", "nothing is stored"),
        ("/v1/assistants", "nothing is stored"),
        ("/v1/responses/resp_1/cancel", "nothing is stored"),
        ("/chat/completions", "/v1/chat/completions"),
    ],
)
def test_addresses_that_are_not_offered_say_what_is(server, path, said):
    """With a status after which no client tries again."""
    for reply in (server.post(path, {}), server.get(path)):
        error = reply.json()["error"]
        assert (reply.status_code, error["code"], error["type"]) == (404, "not_offered", "invalid_request_error")
        assert path in error["message"] and "/v1/completions" in error["message"]
        assert re.search(said, error["message"])


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}, {"content": None, "tool_calls": None}])
def test_an_answer_without_words_may_be_sent_back(server, content):
    """What is left of a written medium in a client that keeps role and content alone."""
    history = [{"role": "user", "content": "draw"}, {"role": "assistant", **content}, {"role": "user", "content": "so"}]
    assert server.post(CHAT, {"model": "tiny", "messages": history, "max_tokens": 2}).status_code == 200
    nothing = server.post(CHAT, {"model": "tiny", "messages": [{"role": "user", "content": None}]})
    assert nothing.status_code == 400
