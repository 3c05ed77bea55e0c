"""JSON of requests: its shape is bounded before anything is built from it, and large bodies are read in a thread.

A byte of JSON can become a hundred bytes of objects, and a wrong item an error of a kilobyte. So a cheap pass over the
bytes counts the values first, and lists of the schemas stop at their first wrong item (``Items`` in `schemas`).
"""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any
from weakref import WeakValueDictionary

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from sensorium.serve.http.errors import ApiError

SMALL_BYTES = 2**15
"""A body of so many bytes is read where it arrives: it takes a millisecond or two."""
PIECE_BYTES = 2**18
DEEPEST = 64
LONGEST_NUMBER = 100
"""Digits; the time to read a whole number grows with their square."""
MOST_ESCAPES = 4_000_000
LONGEST_WIDE_BYTES = 2**22
DEPTH = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in DEPTH)
ONLY_DIGITS = bytes(byte if byte in b"0123456789" else ord(" ") for byte in range(256))


class JsonRoute(APIRoute):
    """The route of every endpoint that takes JSON: ``APIRouter(route_class=JsonRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer, field = super().get_route_handler(), self.body_field
        if field is None:
            return answer

        def checked(value: Any) -> Any:
            found, wrong = field.validate(value, {}, loc=("body",))
            if wrong:
                raise RequestValidationError(wrong)
            return found

        async def handle(request: Request) -> Response:
            return await answer(_Read(request, await _body_of(request, checked)))

        return handle


class _Read(Request):
    """A request whose body is the model of its endpoint already, which the framework then takes as it is."""

    def __init__(self, request: Request, value: Any):
        super().__init__(request.scope, request.receive)
        self._value = value

    async def body(self) -> bytes:
        return b"{}"  # the framework asks for JSON where there is a body

    async def json(self) -> Any:
        return self._value


class JsonReader:
    """One thread that reads large bodies; of each client one at a time, so that nobody fills its queue.

    Args:
        max_values: of a body; see `check_shape`.
    """

    def __init__(self, max_values: int):
        self._max_values = max_values
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sensorium-json")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, client: str, body: bytearray, checked: Callable[[Any], Any]) -> Any:
        """What ``checked`` makes of the JSON value; ``body`` is emptied.

        Raises:
            ApiError: 400, it is no JSON; 413, it holds too much.
        """
        if len(body) <= SMALL_BYTES:
            return checked(parse(body, self._max_values))
        return await self.work(client, lambda: checked(parse(body, self._max_values)))

    async def work(self, client: str, read: Callable[[], Any]) -> Any:
        """What ``read`` returns, which runs in the thread when it is the client's turn."""
        turn = self._turns.setdefault(client, asyncio.Lock())
        async with turn:
            return await asyncio.wrap_future(self._thread.submit(read))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


async def whole_body(request: Request) -> bytearray:
    """All bytes of a request's body; ApiError 499 when the client goes before."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
    except ClientDisconnect:
        raise ApiError(499, "the client has gone", code="client_gone") from None
    return body


async def _body_of(request: Request, checked: Callable[[Any], Any]) -> Any:
    body = await whole_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(400, "send the body as JSON, with the header Content-Type: application/json", code="not_json")
    return await request.app.state.server.json.read(request.scope["sensorium.client"], body, checked)


def parse(body: bytearray, max_values: int) -> Any:
    """The value that JSON spells; ``body`` is empty afterwards.

    Raises:
        ApiError: 400, it is no JSON; 413, it holds too much.
    """
    check_shape(body, max_values)
    if body.startswith(BOM_UTF8):
        del body[: len(BOM_UTF8)]
    try:
        return from_json(body)
    except ValueError as error:
        hint = "; it spells half of a character (a lone surrogate)" if "hex escape" in str(error) else ""
        raise ApiError(400, f"the body is not JSON: {str(error)[:200]}{hint}", code="invalid_json") from None
    finally:
        body.clear()


def check_shape(body: bytes | bytearray, max_values: int) -> None:
    """ApiError 413 when JSON has more values (texts, numbers, lists, fields), levels or digits than are allowed.

    What lies inside strings does not count: a picture of many megabytes is one value.
    """
    values = brackets = depth = 0
    if body.count(b"\\") > MOST_ESCAPES:
        raise _too_much(f"more than {MOST_ESCAPES} escaped characters")
    for piece in _between_strings(body):
        values += _values(piece)
        nesting = piece.translate(None, NOT_BRACKETS)
        brackets += len(nesting)
        if values > max_values or brackets > 2 * max_values:
            raise _too_much(f"more than {max_values} values (texts, numbers, lists, fields)")
        deepest = max(accumulate(map(DEPTH.__getitem__, nesting), initial=depth))
        depth += sum(map(DEPTH.__getitem__, nesting))
        if deepest > DEEPEST:
            raise _too_much(f"more than {DEEPEST} levels of lists and fields in each other")
        if max(map(len, piece.translate(ONLY_DIGITS).split()), default=0) > LONGEST_NUMBER:
            raise _too_much(f"a number of more than {LONGEST_NUMBER} digits")


def _values(json_text: bytes | bytearray) -> int:
    return sum(map(json_text.count, (b",", b":", b"[", b"{")))


def _between_strings(body: bytes | bytearray) -> Iterator[bytes]:
    """The bytes that are in no string, a piece at a time: between two, other threads have their turn.

    Raises:
        ApiError: 413, a string is very long and not ASCII, so that each of its characters would take four bytes.
    """
    start = inside = length = 0
    is_ascii = True
    while start < len(body):
        piece = bytes(body[start : start + PIECE_BYTES])
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:  # the last one escapes what the next piece begins with
            piece = bytes(body[start : start + PIECE_BYTES + 1])
        start += len(piece)
        parts = piece.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"') if b'"' in piece else [piece]
        if inside:
            length, is_ascii = length + len(parts[0]), is_ascii and parts[0].isascii()
            if length > LONGEST_WIDE_BYTES and not is_ascii:
                raise _too_much(f"a text of more than {LONGEST_WIDE_BYTES} bytes that is not ASCII; media go as base64")
        if len(parts) > 1:
            length, is_ascii = len(parts[-1]), parts[-1].isascii()
            yield b"".join(parts[inside::2])
        elif not inside:
            yield piece
        inside = (inside + len(parts) - 1) % 2


def _too_much(what: str) -> ApiError:
    return ApiError(413, f"the body holds {what}; send less at once", code="too_large")
