"""What stands before every endpoint: who may ask, from where, and how much."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
import time
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sensorium.serve.http.bodies import Bodies
from sensorium.serve.http.errors import HEADERS, ApiError, as_api_error
from sensorium.serve.metrics import Metrics
from sensorium.serve.settings import Settings, is_loopback
from sensorium.serve.writing.desk import CLIENT

OPEN = ("/health", "/")
OPEN_BELOW = "/page/"
HOST = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[0-9a-z_.-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
"""A host as the header Host has it (RFC 9110, 7.2): no user, no path, nothing behind a bracket."""
ORIGIN = re.compile(r"https?://(?P<host>.+)", re.IGNORECASE)
BODY_BYTES_PER_S = 2**15


class Guard:
    """Checks the key, the host and origin that a browser tells, and the size of the body; counts requests.

    A server without a key that only this machine can reach still has to fear web pages in a browser on it: one may
    send requests to the loopback address (told by their Origin), or let its own name point there (told by Host).
    Whatever fails behind it gets an answer in OpenAI's form here, with the headers that every answer has.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics):
        self._app, self._settings, self._metrics = app, settings, metrics
        self._bodies = Bodies(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["started"] = time.monotonic()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except asyncio.CancelledError:
            if not status:
                stopping = ApiError(503, "the server stopped before this request was answered", code="stopping")
                await stopping.response()(scope, receive, noting)
            raise
        except Exception as error:
            if status:  # nothing can be told any more but that the answer is not whole
                raise
            await as_api_error(error).response()(scope, receive, noting)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(path, str(status or 499)).inc()
            self._metrics.seconds.labels(path).observe(time.monotonic() - scope["started"])

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        key = which_key(headers.get("authorization", ""), self._settings.api_keys)
        refusal = self._refusal(scope, headers, key)
        if refusal is not None:
            await refusal.response()(scope, receive, send)
            return
        scope["sensorium.client"] = name_of_client(scope, key if len(self._settings.api_keys) > 1 else None)
        CLIENT.set(scope["sensorium.client"])
        body = _Body(receive, scope, self._settings, self._bodies)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.give_back()

    def _refusal(self, scope: Scope, headers: dict[str, str], key: int | None) -> ApiError | None:
        host = headers.get("host", "")
        if self._settings.on_loopback and not self._settings.api_keys and not names_this_machine(host):
            return ApiError(403, f"this server answers to localhost only, not to {host[:100]!r}", code="wrong_host")
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD") and not is_of(origin, host):
            return ApiError(403, f"requests from web pages of {origin[:100]!r} are refused", code="wrong_origin")
        is_open = scope["path"] in OPEN or scope["path"].startswith(OPEN_BELOW)
        if self._settings.api_keys and key is None and not is_open:
            return ApiError(
                401, "an API key is needed: Authorization: Bearer KEY", code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._settings.max_body_bytes:
            return _too_large(self._settings)
        return None


class _Body:
    """A body within its limits of size and time; after it, whatever comes."""

    def __init__(self, receive: Receive, scope: Scope, settings: Settings, bodies: Bodies):
        self._receive, self._settings, self._bodies = receive, settings, bodies
        self._client, self._started = scope["sensorium.client"], scope["started"]
        self._size, self._whole = 0, False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        settings = self._settings
        seconds = min(settings.body_s + self._size / BODY_BYTES_PER_S, settings.request_s)
        try:
            left = max(self._started + seconds - time.monotonic(), 0.001)
            message = await asyncio.wait_for(self._receive(), left)
        except TimeoutError:
            raise ApiError(408, "the request's body took too long to arrive", code="timeout") from None
        size = self._size + len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if size > settings.max_body_bytes:
            raise _too_large(settings)
        self._bodies.take(self._client, self._size, size)
        self._size = size
        return message

    def give_back(self) -> None:
        self._bodies.give_back(self._client, self._size)


def _too_large(settings: Settings) -> ApiError:
    limit = settings.max_body_bytes
    return ApiError(413, f"the request has more than the {limit} bytes that are allowed", code="too_large")


def which_key(authorization: str, keys: Sequence[str]) -> int | None:
    """The place of the key that a request carries, compared in a time that does not tell how much was right."""
    scheme, _, given = authorization.partition(" ")
    same = [hmac.compare_digest(given.strip().encode(), key.encode()) for key in keys]
    return same.index(True) if scheme.lower() == "bearer" and any(same) else None


def name_of_client(scope: Scope, key: int | None) -> str:
    """Who shares a place in queues: whoever has the same key, and of these, who is at the same address.

    What a request merely claims makes nobody another client. Of IPv6 the first 64 bits count: whoever has one such
    address usually has all that begin like it.
    """
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        name = str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
    return name if key is None else f"{key}@{name}"


def names_this_machine(host: str) -> bool:
    """Whether the header Host names the loopback address."""
    parts = HOST.fullmatch(host)
    return parts is not None and is_loopback(parts["ipv6"] or parts["name"])


def is_of(origin: str, host: str) -> bool:
    """Whether a page of ``origin`` was loaded from this server."""
    parts = ORIGIN.fullmatch(origin)
    return parts is not None and HOST.fullmatch(host) is not None and parts["host"].lower() == host.lower()
