"""Errors in OpenAI's form: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sensorium.engines import Unreachable
from sensorium.types import InputError, TooLong

BRANCH = re.compile(r"str|.*[\[(-].*")
"""What pydantic calls one of several forms of a field, e.g. ``list[ContentPart]``."""

OTHERS_NAMED = 5

log = logging.getLogger("sensorium.serve")

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
"""Of every answer: a browser must not guess its type, show it inside another site, or tell its address. What else the
page may do, it says itself."""
NOTHING_STORED = "nothing is stored here: send the whole conversation, with its media, to /v1/chat/completions"
NO_ENGINE = "the engine that writes for this model is not reachable; try again later, or see the server's log"
CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "string_too_long": "string_above_max_length",
    "string_too_short": "string_below_min_length",
    "too_long": "array_above_max_length",
    "too_short": "array_below_min_length",
}
"""OpenAI's words for pydantic's."""
PROMPTS = {"/v1/chat/completions": "messages", "/v1/responses": "input"}
"""The field that holds the conversation; elsewhere it is the prompt."""
INSTEAD = {
    "embeddings": "the models here give no vectors",
    "moderations": "nothing here judges texts",
    "fine_tuning": "`sensorium train` teaches a model",
    "files": NOTHING_STORED, "uploads": NOTHING_STORED, "batches": NOTHING_STORED, "responses": NOTHING_STORED,
    "vector_stores": NOTHING_STORED, "assistants": NOTHING_STORED, "threads": NOTHING_STORED,
    "conversations": NOTHING_STORED, "containers": NOTHING_STORED,
}  # fmt: skip
"""What is said of OpenAI's addresses that are not offered, by the word after ``/v1/``."""
TYPES = {403: "permission_error", 429: "rate_limit_error"}


class ApiError(HTTPException):
    """An answer other than 200; the framework lets it through wherever it would wrap other exceptions.

    Args:
        status: of HTTP.
        message: one sentence: what was wrong, and what to do.
        param: the field of the request it is about.
        code: a word for programs.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(status, message, headers)
        self.status, self.message, self.param, self.code = status, message, param, code

    @property
    def body(self) -> dict[str, Any]:
        kind = TYPES.get(self.status) or ("server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body, self.status, headers=dict(self.headers) if self.headers else None)


def wrong(param: str, message: str, code: str = "invalid_value") -> ApiError:
    """What a validator raises about a field that is wrong beside another one."""
    return ApiError(400, message, param=param, code=code)


def busy(message: str) -> ApiError:
    return ApiError(429, message, code="queue_full", headers={"Retry-After": "1"})


def as_api_error(error: BaseException) -> ApiError:
    """What to tell the client. What is not the client's doing is logged and told without details."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Unreachable):  # where the engine is, is told to the log alone
        log.error("%s", error)
        return ApiError(503, NO_ENGINE, code="engine_unreachable", headers={"Retry-After": "5"})
    if isinstance(error, TooLong):
        return ApiError(400, str(error), code="context_length_exceeded")
    if isinstance(error, InputError):
        return ApiError(400, str(error), code="invalid_input")
    log.error("a request failed", exc_info=error)
    return ApiError(500, "the server failed at this request; its log says why", code="internal_error")


def _of_validation(error: RequestValidationError) -> ApiError:
    """The clearest of pydantic's complaints, in a sentence, and which other fields are wrong."""
    told = of_complaint(max(error.errors(), key=lambda one: len(one["loc"])))  # of several forms, the nearest
    fields = dict.fromkeys(str(one["loc"][1]) for one in error.errors() if len(one["loc"]) > 1)
    others = [name[:40] for name in fields if name != re.split(r"[.\[]", told.param or "")[0]]
    if others:
        rest = f" and {len(others) - OTHERS_NAMED} more" if len(others) > OTHERS_NAMED else ""
        told.message = f"{told.message[:300]}; also wrong: {', '.join(others[:OTHERS_NAMED])}{rest}"
    return told


def of_complaint(complaint: Mapping[str, Any]) -> ApiError:
    """One of pydantic's complaints as OpenAI would say it: the field as ``param``, the kind of mistake as ``code``."""
    said, kind = str(complaint["msg"]).removeprefix("Value error, "), str(complaint["type"])
    if kind == "json_invalid":
        why = complaint.get("ctx", {}).get("error", said)
        return ApiError(400, f"the body is not JSON: {why}", code="invalid_json")
    where = _path([step for step in complaint["loc"][1:] if not BRANCH.fullmatch(str(step))])
    if not where:
        whole = f"the body must be a JSON object of this endpoint's fields ({said})"
        return ApiError(400, (said if kind == "value_error" else whole)[:500], code=_code(kind, None))
    message = f"missing required parameter: {where}" if kind == "missing" else f"{where}: {said}"
    return ApiError(400, message[:500], param=where[:200], code=_code(kind, complaint.get("input")))


def _path(steps: Sequence[str | int]) -> str:
    """Where in the body, e.g. ``messages[0].role``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _code(kind: str, given: Any) -> str:
    """OpenAI's word for a mistake that pydantic has found."""
    if kind in CODES:
        return CODES[kind]
    if kind.startswith(("greater_than", "less_than")):
        number = "integer" if isinstance(given, int) else "decimal"
        return f"{number}_{'below_min' if kind.startswith('greater') else 'above_max'}_value"
    return "invalid_type" if kind.endswith(("_type", "_parsing")) else "invalid_value"


def install(app: FastAPI) -> None:
    """Answer every refusal of ``app`` in OpenAI's form; what fails beyond these, the guard answers."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _of_validation(error).response()

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 404:
            return _not_offered(request).response()
        message = {405: "this address takes another method"}.get(error.status_code, str(error.detail))
        headers = dict(error.headers) if error.headers else None
        return ApiError(error.status_code, message, headers=headers).response()

    @app.exception_handler(ApiError)
    @app.exception_handler(InputError)
    async def other(request: Request, error: Exception) -> JSONResponse:
        told = as_api_error(error)
        if isinstance(error, TooLong):
            told.param = PROMPTS.get(request.url.path, "prompt")
        return told.response()


def _not_offered(request: Request) -> ApiError:
    """404 and not 501, after which OpenAI's clients would try again; it names what is offered."""
    path = request.url.path
    offered = ", ".join(one for one in request.app.openapi()["paths"] if one.startswith("/v1/"))
    hint = INSTEAD.get(path.removeprefix("/v1/").partition("/")[0]) if path.startswith("/v1/") else None
    hint = hint or "media of any modality that a model reads or writes go through /v1/chat/completions"
    message = f"{request.method} {path[:200]} is not offered here, but {offered}; {hint}"
    return ApiError(404, message, code="not_offered")
