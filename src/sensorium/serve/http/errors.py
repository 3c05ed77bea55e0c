"""Errors in OpenAI's form: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import logging
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sensorium.engines import Unreachable
from sensorium.types import InputError

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
NO_ENGINE = "the engine that writes for this model is not reachable; try again later, or see the server's log"
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


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


def busy(message: str) -> ApiError:
    return ApiError(429, message, code="queue_full", headers={"Retry-After": "1"})


def as_api_error(error: BaseException) -> ApiError:
    """What to tell the client. What is not the client's doing is logged and told without details."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Unreachable):  # where the engine is, is told to the log alone
        log.error("%s", error)
        return ApiError(503, NO_ENGINE, code="engine_unreachable", headers={"Retry-After": "5"})
    if isinstance(error, InputError):
        return ApiError(400, str(error), code="invalid_input")
    log.error("a request failed", exc_info=error)
    return ApiError(500, "the server failed at this request; its log says why", code="internal_error")


def _of_validation(error: RequestValidationError) -> ApiError:
    """The clearest of pydantic's complaints, in a sentence, and which other fields are wrong."""
    first = max(error.errors(), key=lambda one: len(one["loc"]))  # of several forms, the one that fits best
    where, said = _where(first), str(first["msg"]).removeprefix("Value error, ")
    message = f"{where}: {said}" if where else f"the body must be a JSON object of this endpoint's fields ({said})"
    fields = dict.fromkeys(str(one["loc"][1]) for one in error.errors() if len(one["loc"]) > 1)
    others = [name[:40] for name in fields if name != where.partition(".")[0]]
    if others:
        rest = f" and {len(others) - OTHERS_NAMED} more" if len(others) > OTHERS_NAMED else ""
        message = f"{message[:300]}; also wrong: {', '.join(others[:OTHERS_NAMED])}{rest}"
    return ApiError(400, message[:500], param=where[:200] or None, code="invalid_request")


def _where(problem: dict[str, Any]) -> str:
    return ".".join(str(step) for step in problem["loc"][1:] if not BRANCH.fullmatch(str(step)))


def install(app: FastAPI) -> None:
    """Answer every refusal of ``app`` in OpenAI's form; what fails beyond these, the guard answers."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _of_validation(error).response()

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        said = {404: f"there is no {request.url.path[:200]!r} here", 405: "this address takes another method"}
        message = said.get(error.status_code, str(error.detail))
        headers = dict(error.headers) if error.headers else None
        return ApiError(error.status_code, message, headers=headers).response()

    @app.exception_handler(ApiError)
    @app.exception_handler(InputError)
    async def other(_: Request, error: Exception) -> JSONResponse:
        return as_api_error(error).response()
