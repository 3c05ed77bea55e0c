"""What stands before every endpoint: who may ask, from where, and how much."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sensorium.serve.http.errors import ApiError
from sensorium.serve.metrics import Metrics
from sensorium.serve.settings import Settings

OPEN = ("/health", "/")
OPEN_BELOW = "/page/"
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
"""Of every answer: a browser must not guess its type, show it inside another site, or tell its address. What else the
page may do, it says itself."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Guard:
    """Checks the key, the host and origin that a browser tells, and the size of the body; counts requests.

    A server without a key that only this machine can reach still has to fear web pages in a browser on it: one may
    send requests to the loopback address (told by their Origin), or let its own name point there (told by Host).
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics):
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["started"] = time.monotonic()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal.response()(scope, receive, noting)
            else:
                await self._app(scope, self._bounded(receive), noting)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.monotonic() - scope["started"])

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self._settings.on_loopback and not self._settings.api_keys and _split(f"//{host}").hostname not in LOOPBACK:
            return ApiError(403, f"this server answers to localhost only, not to {host[:100]!r}", code="wrong_host")
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD") and _split(origin).netloc != host:
            return ApiError(403, f"requests from web pages of {origin[:100]!r} are refused", code="wrong_origin")
        if not self._may_enter(scope["path"], headers.get("authorization", "")):
            return ApiError(
                401, "an API key is needed: Authorization: Bearer KEY", code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._settings.max_body_bytes:
            return self._too_large()
        return None

    def _may_enter(self, path: str, authorization: str) -> bool:
        keys = self._settings.api_keys
        if not keys or path in OPEN or path.startswith(OPEN_BELOW):
            return True
        given = authorization.removeprefix("Bearer ").strip()
        return _is_one_of(given, keys)

    def _too_large(self) -> ApiError:
        limit = self._settings.max_body_bytes
        return ApiError(413, f"the request has more than the {limit} bytes that are allowed", code="too_large")

    def _bounded(self, receive: Receive) -> Receive:
        """The body within its limit of size and time; after it, whatever comes."""
        size, whole = 0, False
        deadline = time.monotonic() + self._settings.request_s

        async def bounded() -> Message:
            nonlocal size, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(deadline - time.monotonic(), 0.001))
            except TimeoutError:
                raise HTTPException(408, "the request's body took too long to arrive") from None
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > self._settings.max_body_bytes:
                raise HTTPException(413, self._too_large().message)
            return message

        return bounded


def _is_one_of(given: str, keys: Iterable[str]) -> bool:
    """Compared in a time that does not tell how much was right."""
    return sum(hmac.compare_digest(given.encode(), key.encode()) for key in keys) > 0


def _split(address: str) -> SplitResult:
    """The parts of an address, all empty when it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
