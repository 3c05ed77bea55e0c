"""Questions whose answers are certain, and what a server says to them, streamed or whole, as one comparable string."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
from PIL import Image, ImageDraw

CHAT, COMPLETE, DRAW = "/v1/chat/completions", "/v1/completions", "/v1/images/generations"
TOKENIZE, DETOKENIZE = "/v1/tokenize", "/v1/detokenize"
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black")
THINGS = ("heart", "star", "apple", "house", "cat", "fish", "tree", "sun")
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
    "additionalProperties": False,
}
STRUCTURED = {"type": "json_schema", "json_schema": {"name": "colour", "strict": True, "schema": SCHEMA}}


class Question(NamedTuple):
    """A request; asked alone and greedily, its answer is always the same."""

    kind: str
    path: str
    body: dict[str, Any]


class Refused(Exception):
    """An answer other than 200, or a stream that ended with an error.

    Attributes:
        status, code: as OpenAI's form of errors has them; code None where there is none.
    """

    def __init__(self, status: int, code: str | None, message: str = ""):
        super().__init__(f"{status} {code or ''} {message[:150]}".strip())
        self.status, self.code = status, code


class Cut(Exception):
    """A stream that ended without its end or an error: an answer that is lost without a word."""


def as_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png(colour: str = "red", number: int = 0) -> bytes:
    image = Image.new("RGB", (64, 64), "white")
    edge = 8 + 3 * number
    ImageDraw.Draw(image).ellipse((edge, edge, 60, 60), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def image_part(uri: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": uri}}


def chat_body(model: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0, **fields}


def words(model: str, thing: str) -> Question:
    body = chat_body(model, f"What colour is a {thing}?", modalities=["text"], max_tokens=16)
    return Question("words", CHAT, body)


def look(model: str, colour: str, number: int) -> Question:
    content = [image_part(as_uri(png(colour, number))), {"type": "text", "text": "What is this?"}]
    return Question("picture", CHAT, chat_body(model, content, modalities=["text"], max_tokens=16))


def drawing(model: str, colour: str, thing: str) -> Question:
    return Question("drawing", CHAT, chat_body(model, f"Draw a {colour} {thing}.", modalities=["image"], seed=0))


def small_questions(model: str) -> list[Question]:
    """What a quiet client asks: words and pictures in turn."""
    pairs = zip(COLOURS, THINGS, strict=True)
    return [one for n, (colour, thing) in enumerate(pairs) for one in (words(model, thing), look(model, colour, n))]


def all_questions(model: str, structured: bool) -> Iterator[Question]:
    """One of every endpoint and form for each thing; those with a schema only where the server offers it."""
    for number, (colour, thing) in enumerate(zip(COLOURS, THINGS, strict=True)):
        for whole in (words(model, thing), look(model, colour, number), drawing(model, colour, thing)):
            yield whole
            yield Question(f"{whole.kind}, streamed", CHAT, whole.body | {"stream": True})
        body = {"model": model, "prompt": f"A {thing} is", "max_tokens": 12, "temperature": 0}
        yield Question("completion", COMPLETE, body)
        yield Question("completion, streamed", COMPLETE, body | {"stream": True})
        prompt = f"Draw a {colour} {thing}."
        yield Question("generation", DRAW, {"model": model, "prompt": prompt, "temperature": 0, "seed": 0})
        if structured:
            asked = chat_body(model, f"Is a {thing} {colour}?", response_format=STRUCTURED, max_tokens=200)
            yield Question("structured", CHAT, asked)


async def ask(client: httpx.AsyncClient, question: Question) -> str:
    """What the answer says: texts, and media by their codes.

    Raises:
        Refused, Cut, httpx.HTTPError: there was none.
    """
    if question.body.get("stream"):
        return await _streamed(client, question)
    reply = await client.post(question.path, json=question.body)
    if reply.status_code != 200:
        raise Refused(reply.status_code, code_of(reply.content), reply.text)
    return said_in(reply.json())


def said_in(told: dict[str, Any]) -> str:
    """What a whole answer says."""
    if "data" in told:
        return _said([item["codes"] for item in told["data"]])
    choice = told["choices"][0]
    if "text" in choice:
        return _said([choice["text"]])
    return _said([part.get("codes") or part["text"] for part in choice["message"]["parts"]])


async def _streamed(client: httpx.AsyncClient, question: Question) -> str:
    said: list[Any] = [""]
    ended = False
    async with client.stream("POST", question.path, json=question.body) as reply:
        if reply.status_code != 200:
            body = await reply.aread()
            raise Refused(reply.status_code, code_of(body), body.decode(errors="replace"))
        async for line in reply.aiter_lines():
            data = line.removeprefix("data: ")
            if data == "[DONE]":
                ended = True
            elif line.startswith("data: "):
                _add(said, json.loads(data))
    if not ended:
        raise Cut("a stream ended without its last event")
    return _said(said)


def _add(said: list[Any], chunk: dict[str, Any]) -> None:
    if "error" in chunk:
        raise Refused(chunk["error"].get("status", 500), chunk["error"].get("code"), chunk["error"]["message"])
    for choice in chunk["choices"]:
        delta = choice.get("delta", {})
        said[-1] += choice.get("text") or delta.get("content") or ""
        for part in delta.get("parts", []):
            said += [part["codes"], ""]


def _said(parts: list[Any]) -> str:
    return json.dumps([part for part in parts if part])


def code_of(body: bytes) -> str | None:
    """The code of an error in OpenAI's form; "" when it has none, None when the body has another form."""
    try:
        error = json.loads(body)["error"]
        return str(error["code"] or "") if error["message"] else None
    except (ValueError, KeyError, TypeError):
        return None
