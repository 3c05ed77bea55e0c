"""The OpenAPI document is complete and true: schemathesis makes requests from it, and no reply is unexpected."""

from __future__ import annotations

import contextlib

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import Greys, running, tiny_assistant
from sounds import Steps, file_of, tones

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
FEW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def document():
    with running({"tiny": tiny_assistant(codecs=[Greys(), Steps()])}, max_tokens=20, request_s=60) as server:
        for _ in range(3):  # what opens media may take long to start, on a busy machine
            asked = {"data": {"model": "tiny"}, "files": {"file": ("a.wav", file_of(tones(0.1, 0.3)))}}
            if httpx.post(f"{server.url}/v1/audio/transcriptions", **asked, timeout=90).status_code == 200:
                break
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")


PATHS = {  # those that change the server are left out
    "/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/images/generations", "/v1/timeseries/forecast",
    "/v1/tokenize", "/v1/detokenize", "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations",
    "/v1/models", "/v1/models/{model}", "/v1/modalities", "/health", "/metrics",
}  # fmt: skip


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", sorted(PATHS))
def test_replies_are_those_of_the_document(document, path, mode):
    (operation,) = [found.ok() for found in document.get_all_operations() if found.ok().path == path]

    @given(case=operation.as_strategy(generation_mode=mode))
    @FEW
    def check(case):
        if mode == GenerationMode.POSITIVE and isinstance(case.body, dict) and "model" in case.body:
            case.body["model"] = "tiny"
        case.call_and_validate(checks=CHECKS)

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a request that takes nothing
        check()


def test_the_document_names_every_endpoint(document):
    described = {f"{method.upper()} {path}" for path, item in document.raw_schema["paths"].items() for method in item}
    assert described == {
        "POST /v1/chat/completions",
        "POST /v1/responses",
        "POST /v1/completions",
        "POST /v1/images/generations",
        "POST /v1/timeseries/forecast",
        "POST /v1/audio/speech",
        "POST /v1/audio/transcriptions",
        "POST /v1/audio/translations",
        "POST /v1/tokenize",
        "POST /v1/detokenize",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "GET /v1/modalities",
        "POST /v1/models/load",
        "POST /v1/models/unload",
        "GET /health",
        "GET /metrics",
    }
    for path, item in document.raw_schema["paths"].items():
        for method, operation in item.items():
            assert operation["description"], (path, method)
            assert {"200", "4XX", "5XX"} <= set(operation["responses"]), (path, method)
            assert "422" not in operation["responses"], "bad requests get 400"
