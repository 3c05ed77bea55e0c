"""Requests whose bodies are the weapon: large ones that cost more to read than to send, and wrong ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.hostile.asking import (
    CHAT,
    COMPLETE,
    DETOKENIZE,
    DRAW,
    STRUCTURED,
    TOKENIZE,
    as_uri,
    chat_body,
    image_part,
    png,
)
from benchmarks.hostile.attack import Attack, many

FORECAST = "/v1/timeseries/forecast"
MEBIBYTE = 2**20
SIZES_MB = (2, 12, 31, 33)
"""Of the large bodies; the last is over the limit of a body."""


def _items(head: str, item: str, tail: str) -> Callable[[int], bytes]:
    """A body of many items, e.g. ``{"content": [1,1,1]}``."""

    def of(size: int) -> bytes:
        return (head + ",".join([item] * (size // (len(item) + 1) + 1)) + tail).encode()

    return of


def _nested(head: str, opening: str, closing: str, tail: str) -> Callable[[int], bytes]:
    def of(size: int) -> bytes:
        depth = size // (len(opening) + len(closing)) + 1
        return (head + opening * depth + "1" + closing * depth + tail).encode()

    return of


def _keys(model: str, size: int) -> bytes:
    return json.dumps(chat_body(model, "Hi", **{f"k{number}": 0 for number in range(size // 12 + 1)})).encode()


def shapes(model: str) -> dict[str, tuple[str, Callable[[int], bytes]]]:
    """By name: where it goes, and the body of about so many bytes."""
    named = f'{{"model":{json.dumps(model)},'
    message = named + '"messages":[{"role":"user","content":'
    start, end, text, text_end = message + "[", "]}]}", message + '"', '"}]}'
    item_lists = {
        "wrong parts": (CHAT, start, "1", end),
        "empty parts": (CHAT, start, "{}", end),
        "null parts": (CHAT, start, "null", end),
        "many parts": (CHAT, start, '{"type":"text","text":"a"}', end),
        "parts of lists": (CHAT, start, "[[]]", end),
        "wrong messages": (CHAT, named + '"messages":[', "1", "]}"),
        "empty messages": (CHAT, named + '"messages":[', "{}", "]}"),
        "wrong modalities": (CHAT, named + '"messages":[],"modalities":[', "1", "]}"),
        "wrong stops": (CHAT, named + '"messages":[],"stop":[', "{}", "]}"),
        "wrong tools": (CHAT, named + '"messages":[],"tools":[', "{}", "]}"),
        "wrong codes": (CHAT, start + '{"type":"image_url","codec":"image","codes":[', "-1", "]}" + end),
        "many codes": (CHAT, start + '{"type":"image_url","codec":"image","codes":[', "1", "]}" + end),
        "wrong prompts": (COMPLETE, named + '"prompt":[', "{}", "]}"),
        "prompts of ids": (COMPLETE, named + '"prompt":[', "[-1]", "]}"),
        "many ids": (COMPLETE, named + '"prompt":[', "1", "]}"),
        "fractions": (COMPLETE, named + '"prompt":[', "0.5", "]}"),
        "wrong ids": (DETOKENIZE, named + '"ids":[', "-1", "]}"),
        "words as ids": (DETOKENIZE, named + '"ids":[', '"a"', "]}"),
        "wrong content": (TOKENIZE, named + '"content":[', "[1]", "]}"),
        "wrong series": (FORECAST, named + '"inputs":[', '{"target":["a"]}', "]}"),
        "long series": (FORECAST, named + '"inputs":[{"target":[', '"a"', "]}]}"),
        "huge numbers": (DETOKENIZE, named + '"ids":[', "9" * 4000, "]}"),
        "same keys": (CHAT, named + '"messages":[],', '"a":0', "}"),
        "large schema": (
            CHAT, f'{start}{end[:-1]},"response_format":{{"type":"json_schema","json_schema":{{"name":"a","schema":',
            '{"enum":["a"]}', "}}}",
        ),
    }  # fmt: skip
    found = {name: (path, _items(head, item, tail)) for name, (path, head, item, tail) in item_lists.items()}
    return found | {
        "nested lists": (CHAT, _nested(start, "[", "]", end)),
        "nested objects": (CHAT, _nested(start, '{"a":', "}", end)),
        "never closed": (CHAT, lambda size: (start + "[" * size).encode()),
        "one number": (DRAW, lambda size: ('{"prompt":"a","n":' + "9" * size + "}").encode()),
        "many keys": (CHAT, lambda size: _keys(model, size)),
        "a long text": (CHAT, lambda size: (text + "a " * (size // 2) + text_end).encode()),
        "escapes": (CHAT, lambda size: (text + "\\u0041" * (size // 6) + text_end).encode()),
        "halves of characters": (CHAT, lambda size: (text + "\\ud800" * (size // 6) + text_end).encode()),
        "spaces": (CHAT, lambda size: b" " * size + b"1"),
        "zeros": (CHAT, lambda size: bytes(size)),
        "a long address": (CHAT, lambda size: json.dumps(
            chat_body(model, [image_part("data:image/png;base64," + "A" * size)])).encode()),
        "a long name": (CHAT, lambda size: json.dumps(chat_body("n" * size, "Hi")).encode()),
    }  # fmt: skip


async def amplification(attack: Attack, count: int) -> None:
    """Bodies of all shapes: ``count`` small ones, and the shapes in turn in each larger size, one at a time."""
    chance, known = attack.chance, shapes(attack.model)
    names = list(known)
    async with attack.client() as client:

        def sending(name: str, size: int) -> Any:
            path, body = known[name]
            return attack.send(client, f"{name}, {size} bytes", path, body(size))

        small = [(names[number % len(names)], chance.randrange(1000, 200_000)) for number in range(count)]
        await many(sending(name, size) for name, size in small)
        for size_mb in SIZES_MB[:1] if attack.short else SIZES_MB:
            chance.shuffle(names)
            await many((sending(name, size_mb * MEBIBYTE) for name in _some(names, size_mb, attack.short)), 2)


def _some(names: list[str], size_mb: int, short: bool) -> list[str]:
    """All shapes where they are small enough to take moments; the worst of them in any case."""
    worst = ["wrong parts", "empty parts", "wrong messages", "prompts of ids", "wrong ids", "nested lists", "many keys"]
    if short:
        return worst
    return names if size_mb <= 2 else [*worst, *(name for name in names if name not in worst)][:12]


async def large_bodies(attack: Attack, count: int) -> None:
    """Bodies of all shapes and up to the first of the large sizes."""
    chance, known = attack.chance, shapes(attack.model)
    async with attack.client() as client:
        for _ in range(count):
            name, size = chance.choice(list(known)), chance.randrange(SIZES_MB[0] * MEBIBYTE)
            path, body = known[name]
            await attack.send(client, f"{name}, {size} bytes", path, body(size))


IMPOSSIBLE: tuple[Any, ...] = (
    None, True, -1, 0.5, 10**30, -(10**25), 1e308, "", "\0", "\ud800", "x" * 5000, [], {}, [None], [[[[]]]],
    {"\0": {}}, {"a": {"a": {"a": []}}}, {"$ref": "#"}, "../../etc/passwd", "1" * 5000,
)  # fmt: skip


def good(model: str) -> dict[str, Any]:
    """A request of each endpoint that is fine, with most of its fields."""
    picture = image_part(as_uri(png()))
    fields = {
        "max_tokens": 2, "n": 1, "top_p": 0.9, "top_k": 5, "seed": 3, "stop": ["zz"], "logprobs": True,
        "top_logprobs": 2, "modalities": ["text"], "stream": False, "guidance": 1.0, "attempt": 0, "best_of": 1,
    }  # fmt: skip
    return {
        CHAT: chat_body(model, [picture, {"type": "text", "text": "What is this?"}], **fields),
        COMPLETE: {"model": model, "prompt": "A cat", "max_tokens": 2, "n": 1, "logprobs": 1, "echo": True, "seed": 1},
        DRAW: {"model": model, "prompt": "a cat", "n": 1, "size": "32x32", "response_format": "b64_json", "seed": 1},
        TOKENIZE: {"model": model, "content": [{"type": "text", "text": "Hi"}], "role": "user"},
        DETOKENIZE: {"model": model, "ids": [5, 6]},
        FORECAST: {"model": model, "inputs": [{"target": [1.0, 2.0, 3.0], "freq": "D"}], "options": {"samples": 2}},
    }


def _mutated(attack: Attack) -> tuple[str, bytes]:
    """A good request with one value changed, cut, or with a byte of its JSON changed."""
    chance = attack.chance
    path, body = chance.choice(list(good(attack.model).items()))
    whole = json.dumps(body).encode()
    kind = chance.random()
    if kind < 0.2:
        return path, whole[: chance.randrange(len(whole))]
    if kind < 0.4:
        place = chance.randrange(len(whole))
        return path, whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1 :]
    holder: Any = body
    key: Any = chance.choice(list(body))
    while isinstance(holder[key], (dict, list)) and holder[key] and chance.random() < 0.7:
        holder = holder[key]
        key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    holder[key] = chance.choice(IMPOSSIBLE)
    return path, json.dumps(body).encode()


async def wrong_values(attack: Attack, count: int) -> None:
    """Good requests with one thing wrong."""
    async with attack.client() as client:

        async def one() -> None:
            path, body = _mutated(attack)
            await attack.send(client, f"{path} {body[:80]!r}", path, body)

        await many((one() for _ in range(count)), 4)


def hostile_schemas(deep: int = 300) -> Iterator[Any]:
    """JSON schemas that are endless, contradictory, enormous or none."""
    nested: Any = {"type": "integer"}
    for _ in range(deep):
        nested = {"type": "object", "properties": {"a": nested}, "required": ["a"]}
    yield from (
        {"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"$ref": "http://127.0.0.1:1/schema.json"}, {"$ref": "file:///etc/passwd"}, nested,
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"], "additionalProperties": False},
        {"allOf": [{"type": "string"}, {"type": "integer"}]}, {"not": {}}, {"enum": []},
        False, True, {}, None, 5, "a", [],
        {"enum": [f"value {number}" for number in range(20_000)]},
        {"type": "object", "properties": {f"p{number}": {"type": "integer"} for number in range(3000)}},
        {"type": "string", "pattern": "^(a+)+$"}, {"type": "string", "pattern": "(" * 500},
        {"type": "string", "pattern": "["},
        {"type": "string", "pattern": "^((a{1,100}){1,100}){1,100}$"}, {"type": "string", "minLength": 10**9},
        {"type": "string", "pattern": "(?=a)\\1(?<x>b)"}, {"type": "string", "format": "x" * 10_000},
        {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
        {"type": "array", "items": {"type": "array", "minItems": 1000}, "minItems": 1000},
        {"type": "integer", "minimum": 10**40}, {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "number", "multipleOf": 1e-300}, {"type": 7}, {"type": ["string"] * 1000}, {"properties": []},
        {"anyOf": [{"const": f"{number}" * 50} for number in range(3000)]},
        {"type": "object", "patternProperties": {"^(.*)*$": {}}}, {"const": "\ud800"}, {"const": {"a": [None] * 1000}},
        {"type": "object", "minProperties": 10**6}, {"uniqueItems": True, "type": "array", "items": {"enum": [1, 2]}},
    )  # fmt: skip


async def hostile_structure(attack: Attack, count: int) -> None:
    """Structured answers under hostile schemas, and tools; whatever is answered with 200 must be JSON."""
    schemas = list(hostile_schemas())
    async with attack.client() as client:

        async def one(number: int) -> None:
            schema = schemas[number % len(schemas)]
            wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
            tool = {"type": "function", "function": {"name": "a", "parameters": schema}}
            fields = {"response_format": wanted} if number % 3 else {"tools": [tool], "tool_choice": "required"}
            body = chat_body(attack.model, "Hi", max_tokens=32, **fields)
            reply = await attack.send(client, f"schema {json.dumps(schema)[:80]}", CHAT, body)
            if reply is not None and reply.status_code == 200 and number % 3:
                _check_json(attack, reply.json()["choices"][0], json.dumps(schema))

        await many((one(number) for number in range(count)), 4)
        plain = chat_body(attack.model, "Hi", response_format=STRUCTURED, max_tokens=64)
        await attack.send(client, "a harmless schema", CHAT, plain)


def _check_json(attack: Attack, choice: dict[str, Any], schema: str) -> None:
    if choice["finish_reason"] != "stop":
        return  # cut off by max_tokens
    content = choice["message"]["content"]
    try:
        json.loads(content)
        attack.tally.answer(True, "")
    except (ValueError, TypeError):
        attack.tally.answer(False, f"not JSON under {schema[:80]}: {content!r}")
