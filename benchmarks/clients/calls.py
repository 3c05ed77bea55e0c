"""What the files of Python clients share; only the standard library, since each runs in its client's environment.

A file registers its calls (`call`) under the names of ``calls.toml`` and ends with `main`. A call asserts on what the
client gives to its user and returns one line about it. The server, its key, the model and a picture of a red heart come
by environment variables, which no client knows.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import signal
import struct
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

URL = os.environ["SENSORIUM_CLIENTS_URL"]
"""As clients take it, with ``/v1``."""
KEY = os.environ["SENSORIUM_CLIENTS_KEY"]
MODEL = os.environ["SENSORIUM_CLIENTS_MODEL"]
HEART = os.environ["SENSORIUM_CLIENTS_PICTURE"]
"""A red heart as a data URI."""
TOKENIZER = os.environ["SENSORIUM_CLIENTS_TOKENIZER"]
"""The model's folder, for a client that counts tokens itself."""

NAMING, NAME = "What is this?", "red heart"
HEARING = "What is said?"
GREETING = "Hello!"
DRAWING = "Draw a red heart."
WORDS = ("heart", "star", "apple", "house", "cat", "fish", "tree", "sun")
SAID = "Good morning."
LONG = "heart " * 50_000
CALL_S = 25
IN_WORDS = {"modalities": ["text"]}
"""Beside OpenAI's fields: for calls that need an answer in words of a model that likes to draw."""

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "colour": {"type": "string", "enum": ["red", "green", "blue"]},
        "count": {"type": "integer"},
    },
    "required": ["name", "colour", "count"],
    "additionalProperties": False,
}
WEATHER = {
    "name": "weather",
    "description": "The weather in a place.",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
        "required": ["place", "unit"],
        "additionalProperties": False,
    },
}
CLOCK = {"name": "clock", "description": "The time.", "parameters": {"type": "object", "properties": {}}}

# In OpenAI's spelling, for the clients that take it.
TOOLS = [{"type": "function", "function": tool} for tool in (WEATHER, CLOCK)]
NAMED = {"type": "function", "function": {"name": "weather"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "pictogram", "schema": SCHEMA, "strict": True}}


class ClientCannot(Exception):
    """The client has no way to do this, or a defect of its own; the message says which."""


_calls: dict[str, Callable[[], Any]] = {}


def call(function: Callable[[], Any]) -> Callable[[], Any]:
    """Register a call under its function's name, without a trailing underscore."""
    _calls[function.__name__.rstrip("_")] = function
    return function


def check(right: bool, said: object) -> None:
    """Like assert, with what was seen instead."""
    if not right:
        raise AssertionError(f"unexpected: {str(said)[:300]!r}")


def is_schema(text: str | dict[str, Any] | None) -> str:
    """Assert that this is JSON that `SCHEMA` allows."""
    found = json.loads(text or "") if not isinstance(text, dict) else text
    check(set(found) == {"name", "colour", "count"}, found)
    check(isinstance(found["name"], str) and type(found["count"]) is int, found)
    check(found["colour"] in ("red", "green", "blue"), found)
    return json.dumps(found, ensure_ascii=False)


def is_weather(name: str, arguments: str | dict[str, Any]) -> str:
    """Assert that this is a call of the tool `WEATHER` as its schema allows."""
    check(name == "weather", name)
    found = json.loads(arguments) if isinstance(arguments, str) else arguments
    check(set(found) == {"place", "unit"} and isinstance(found["place"], str), found)
    check(found["unit"] in ("celsius", "kelvin"), found)
    return f"{name}({json.dumps(found, ensure_ascii=False)})"


def is_text(text: object) -> str:
    check(isinstance(text, str) and bool(text.strip()), text)
    return str(text)


def is_drawing(data: bytes | str) -> str:
    """Assert that this (bytes, base64 or a data URI) is a PNG that is not of one colour; tells its size."""
    raw = data if isinstance(data, bytes) else base64.b64decode(data.rpartition(",")[2], validate=True)
    check(raw[:8] == b"\x89PNG\r\n\x1a\n", raw[:20])
    width, height = struct.unpack(">II", raw[16:24])
    packed, place = b"", 8
    while place < len(raw):
        (length,) = struct.unpack(">I", raw[place : place + 4])
        packed += raw[place + 8 : place + 8 + length] if raw[place + 4 : place + 8] == b"IDAT" else b""
        place += length + 12
    check(len(set(zlib.decompress(packed))) > 16 and min(width, height) >= 32, (width, height))
    return f"PNG of {width} x {height}"


def is_sound(data: bytes, rate_hz: int | None = None) -> str:
    """Assert that these are 16-bit samples, not silent: a WAV file or, with their rate, bare ones; tells how long."""
    if rate_hz is None:
        check(data[:4] == b"RIFF" and data[8:12] == b"WAVE" and data[36:40] == b"data", data[:44])
        channels, rate_hz = struct.unpack("<HI", data[22:28])
        check(channels == 1, channels)
        data = data[44:]
    samples = [value for (value,) in struct.iter_unpack("<h", data[: len(data) // 2 * 2])]
    check(max(samples, default=0) - min(samples, default=0) > 1000, f"{len(samples)} samples, silent")
    check(0.3 < len(samples) / rate_hz < 30, f"{len(samples) / rate_hz} s")
    return f"{len(samples) / rate_hz:.2f} s at {rate_hz} Hz"


def recording() -> bytes:
    """`SAID` as a WAV file, said by the model itself, for a client that hears and does not speak."""
    body = {"model": MODEL, "input": SAID, "response_format": "wav"}
    head = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    asked = urllib.request.Request(f"{URL}/audio/speech", json.dumps(body).encode(), head)
    with urllib.request.urlopen(asked) as reply:
        return reply.read()


def is_said(text: object) -> str:
    """Assert that a transcript is `SAID`, whatever its capitals and points."""
    check("".join(one for one in str(text).lower() if one.isalpha() or one == " ").strip() == "good morning", text)
    return str(text).strip()


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def with_heart(text: str) -> list[dict[str, Any]]:
    return user([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": HEART}}])


def picture_bytes() -> bytes:
    return base64.b64decode(HEART.rpartition(",")[2])


def _refusal(error: BaseException | None, seen: frozenset[int] = frozenset()) -> dict[str, Any] | None:
    """Status, code and sentence of the first error of a chain, or group, that has a status of HTTP."""
    if error is None or id(error) in seen:
        return None
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if isinstance(status, int) and status >= 400:
        body = getattr(error, "body", None) or _body(response)
        told = body.get("error", body) if isinstance(body, dict) else {}
        told = told if isinstance(told, dict) else {}
        code = getattr(error, "code", None) or told.get("code")
        says = told.get("message") or getattr(error, "provider_message", None) or str(error)
        return {"status": status, "code": code, "says": says}
    causes = [*getattr(error, "exceptions", ()), error.__cause__, error.__context__]
    return next((found for one in causes if (found := _refusal(one, seen | {id(error)}))), None)


def _body(response: Any) -> Any:
    try:
        return response.json()
    except Exception:  # a client's own class, or nothing read
        return None


def _alarm(*_: Any) -> None:
    raise TimeoutError(f"no end after {CALL_S} s")


def _run(function: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(CALL_S)
    try:
        said = loop.run_until_complete(function()) if inspect.iscoroutinefunction(function) else function()
        return {"outcome": "done", "says": said if isinstance(said, str) else ""}
    except ClientCannot as reason:
        return {"outcome": "cannot", "says": str(reason)}
    except Exception as error:
        kind = f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"
        refused = None if isinstance(error, AssertionError) else _refusal(error)
        if refused:
            return {"outcome": "refused", "error": kind, **refused}
        return {"outcome": "wrong", "error": kind, "says": str(error)}
    finally:
        signal.alarm(0)


def main() -> None:
    """Run all calls, or those named in the command after the file to write, and write what came of them as JSON."""
    out, *names = sys.argv[1:]
    told = {}
    loop = asyncio.new_event_loop()  # one for all: clients keep their connections
    asyncio.set_event_loop(loop)
    for name in names or _calls:
        if name not in _calls:
            continue
        start = time.monotonic()
        told[name] = _run(_calls[name], loop)
        told[name]["says"] = " ".join(told[name]["says"].split())[:600]
        told[name]["seconds"] = round(time.monotonic() - start, 2)
    Path(out).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # clients leave threads and sockets behind
