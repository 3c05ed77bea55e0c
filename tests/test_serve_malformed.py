"""Malformed requests: each is answered 4xx with a message, and the server lives on."""

from __future__ import annotations

import base64
import io
import json
import random
import string
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from serving import as_uri, ask, picture, png, running, tiny_assistant

CHAT, COMPLETE, DRAW, TOKENIZE, DETOKENIZE = (
    "/v1/chat/completions", "/v1/completions", "/v1/images/generations", "/v1/tokenize", "/v1/detokenize",
)  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    CHAT: ask([{"type": "text", "text": "hello"}, picture()], max_tokens=2, n=1, stop=["a"], temperature=0.5),
    COMPLETE: {"model": "tiny", "prompt": "hello", "max_tokens": 2},
    DRAW: {"model": "tiny", "prompt": "heart", "n": 1, "size": "16x16"},
    TOKENIZE: {"model": "tiny", "content": [picture()], "role": "user"},
    DETOKENIZE: {"model": "tiny", "ids": [5, 6]},
}
Case = tuple[str, str, bytes]  # what it is, where it goes, its body


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant()}, max_media_bytes=200_000, worker_bytes=600 * 2**20) as server:
        yield server


def body_of(value: Any) -> bytes:
    return json.dumps(value).encode()


WRONG_NUMBERS = [-1, 0.5, 10**30, -(10**30), 1e308, float("nan"), float("inf"), "many", [], {}, "1" * 5000]
NUMBERS = {
    CHAT: (
        "max_tokens",
        "n",
        "top_p",
        "top_k",
        "temperature",
        "seed",
        "best_of",
        "guidance",
        "contrast",
        "top_logprobs",
        "attempt",
    ),
    COMPLETE: ("max_tokens", "n", "logprobs", "seed"),
    DRAW: ("n", "best_of", "attempt"),
}


FINE = (("seed", -1), ("temperature", 0.5), ("guidance", 0.5), ("contrast", 0.5), ("top_p", 0.5))


def wrong_numbers() -> Iterator[Case]:
    for path, fields in NUMBERS.items():
        for field in fields:
            for number in WRONG_NUMBERS:
                if (field, number) not in FINE:
                    yield f"{field}={str(number)[:20]}", path, body_of(GOOD[path] | {field: number})


def broken_json(chance: random.Random) -> Iterator[Case]:
    """Cut, with bytes changed, deeply nested, doubled, in other encodings."""
    for path, good in GOOD.items():
        whole = body_of(good)
        yield "empty", path, b""
        yield "nested", path, b'{"model":' + b"[" * 5000
        yield "nested and closed", path, b'{"model":"tiny","messages":' + b"[" * 3000 + b"]" * 3000 + b"}"
        yield "twice", path, whole + whole
        yield "utf-16", path, b"\xff\xfe" + whole.decode().encode("utf-16-le")[:-1]
        yield "digits", path, b'{"model":"tiny","n":' + b"9" * 6000 + b"}"
        for kind in ("null", "1", '"text"', "[]", "[1]", "true", "NaN"):
            yield f"is {kind}", path, kind.encode()
        for _ in range(4):
            yield "cut", path, whole[: chance.randrange(len(whole) - 1)]
        for _ in range(4):
            place = chance.randrange(whole.index(b'"model"'), whole.index(b'"model"') + 10)
            yield "changed", path, whole[:place] + bytes([chance.randrange(1, 9)]) + whole[place + 1 :]


def wrong_types() -> Iterator[Case]:
    wrong: list[Any] = [7, True, 1.5, {}, [], [None], [[]], {"a": 1}]
    for path, good in GOOD.items():
        for field in set(good) - {"role", "temperature", "n", "max_tokens"}:
            for value in wrong:
                if value != [] or field not in ("stop", "ids", "content"):
                    yield f"{field} is {value}", path, body_of(good | {field: value})
        for field in {"model", "messages", "prompt", "ids"} & set(good):
            if (path, field) != (DRAW, "model"):
                yield f"no {field}", path, body_of({name: value for name, value in good.items() if name != field})
    for size in ("0x0", "16", "16x", "-1x5", "99999x99999", "16x16x16", "x", "9999x9999", "1e3x1e3", "１６x１６"):
        yield f"size {size}", DRAW, body_of(GOOD[DRAW] | {"size": size})
    for ids in ([-1], [10**9], [2**63], [0.5], ["a"], [[1]]):
        yield f"ids {ids}", DETOKENIZE, body_of(GOOD[DETOKENIZE] | {"ids": ids})
    for prompt in ([-1], [10**9], [2**63], [0.5], [[]], [["a"]], [], [""], "", ["a", 5], [[1], "a"], ["a"] * 65):
        yield f"prompt {prompt}"[:60], COMPLETE, body_of(GOOD[COMPLETE] | {"prompt": prompt})
    for fields in (
        {"modalities": []}, {"modalities": ["smell"]}, {"modalities": ["image", "smell"]}, {"modalities": [""]},
        {"best_of": 2, "stream": True}, {"best_of": 1, "n": 2}, {"stop": [""]}, {"stop": ["a"] * 99},
        {"tools": [{}]}, {"response_format": {"type": "json"}}, {"model": "\0"}, {"model": "../tiny"},
        {"response_format": {"type": "json_schema"}}, {"response_format": "json"}, {"functions": [{"name": "a"}]},
        {"messages": [{"role": "wizard", "content": "a"}]}, {"messages": [{"role": "user"}]},
        {"messages": [{"content": "a"}]}, {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": "\ud800"}]}, {"messages": [{"role": "user", "content": "a " * 9999}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 65}]},
        {"messages": [{"role": "user", "content": "a" * 500_000}]},
    ):  # fmt: skip
        yield f"{str(fields)[:60]}", CHAT, body_of(GOOD[CHAT] | fields)


def part(value: Any, kind: str = "image_url") -> Any:
    return {"type": kind, kind: value}


def bomb_png() -> bytes:
    """60,000 x 60,000 pixels in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    head = (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rows = zlib.compress(b"\0" * 50_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bad_media(chance: random.Random, count: int) -> Iterator[Any]:
    """Values of an ``image_url`` part that hold no picture."""
    whole = png(64)
    yield from (None, 5, [], {}, {"url": None}, {"url": 5}, {"url": {}}, {"url": ""}, {"url": []}, {"data": 7})
    yield from ({"url": url} for url in (
        "data:", "data:,", "data:;base64,", "data:image/png;base64,", "data:image/png;base64,=",
        "data:image/png;base64,A", "data:image/png;base64,AAAA", "data:image/png;base64,%%%%",
        "data:image/png;base64,ÀÀÀÀ", "DATA:image/png,%",
        "data:image/png;base64," + "A" * 1_000_000, "data:image/png;base64," + "\ud800",
        "http://127.0.0.1:1/", "http://localhost/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/",
        "http://0x7f000001/", "http://2130706433/", "https://example.com/a.png", "//example.com/a.png",
        "file:///etc/passwd", "file://localhost/etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "../../../etc/passwd",
        "..\\..\\secret", "C:\\secret", "\\\\host\\share", "~/.ssh/id_rsa", "/proc/self/environ", "/dev/zero",
        "gopher://127.0.0.1/", "jar:file:///a!/b", "javascript:alert(1)", "blob:abc", "\0", "\n", " " * 100,
        "a" * 100_000,
    ))  # fmt: skip
    yield {"url": as_uri(bomb_png())}
    for svg in (
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname" width="9" height="9"/></svg>',
        '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&a;',
        '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ) + ']><svg xmlns="http://www.w3.org/2000/svg"><text>&i;</text></svg>',
        "<svg>" * 10_000,
    ):  # fmt: skip
        yield {"url": as_uri(svg.encode(), "image/svg+xml")}
    for name in ("GIF89a", "\xff\xd8\xff\xe0", "BM", "II*\0", "RIFF\0\0\0\0WEBPVP8X"):
        yield {"url": as_uri(name.encode("latin-1") + chance.randbytes(60))}
    for _ in range(count):
        cut = whole[: chance.randrange(len(whole) - 40)]
        yield {"url": as_uri(cut)}
        yield {"url": as_uri(chance.randbytes(chance.randrange(200)))}
        yield {"url": "data:image/png;base64," + "".join(chance.choices(string.printable, k=40)) + "!"}
        yield {"url": as_uri(whole).replace("base64,", "base64,!", 1)}


def bad_parts(chance: random.Random, count: int) -> Iterator[Case]:
    for value in bad_media(chance, count):
        path, fields = chance.choice(((CHAT, "messages"), (TOKENIZE, "content")))
        content = [part(value)]
        changed = [{"role": "user", "content": content}] if path == CHAT else content
        yield f"medium {str(value)[:50]!r}", path, body_of(GOOD[path] | {fields: changed})
    for odd in (
        {}, {"type": None}, {"type": 5}, {"type": ""}, {"type": "smell"},
        {"type": "smell_url", "smell_url": {"url": "data:,"}},
        {"type": "text"}, {"type": "text", "text": None}, {"type": "text", "text": 5}, {"type": "text", "text": ["a"]},
        {"type": "image_url"}, {"type": "image"}, {"type": "input_audio", "input_audio": {"data": ""}},
        {"type": "input_image", "input_image": {"data": "####"}}, {"type": "__class__"}, {"type": "a" * 501},
        {"type": "image_url", "codec": "image", "ids": []}, {"type": "image_url", "codec": "image", "ids": [1, 2, 3]},
        {"type": "image_url", "codec": "image", "ids": [300, 302, 301]}, {"type": "image_url", "ids": [300] * 18},
        "text", 5, None, [],
    ):  # fmt: skip
        yield f"part {odd}"[:60], TOKENIZE, body_of(GOOD[TOKENIZE] | {"content": [odd]})


def mutated(chance: random.Random, count: int) -> Iterator[Case]:
    """Good requests in which one value, at any depth, became something that cannot be there."""
    impossible: list[Any] = [{"\0": {}}, [[[[]]]], -(10**25), {"a": {"a": {"a": []}}}]
    for _ in range(count):
        path = chance.choice([CHAT, COMPLETE, TOKENIZE, DETOKENIZE])
        required = {CHAT: ["model", "messages"], COMPLETE: ["model", "prompt"], TOKENIZE: ["model", "content"]}
        field = chance.choice(required.get(path, ["model", "ids"]))
        value: Any = json.loads(json.dumps(GOOD[path]))
        holder, key = value, field
        while isinstance(holder[key], (dict, list)) and holder[key] and chance.random() < 0.6:
            holder = holder[key]
            key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        holder[key] = chance.choice(impossible)
        yield f"{path} {field} {key}={holder[key]}", path, body_of(value)


def cases(seed: int, media: int, mutations: int) -> list[Case]:
    chance = random.Random(seed)
    return [
        *wrong_numbers(), *broken_json(chance), *wrong_types(), *bad_parts(chance, media), *mutated(chance, mutations)
    ]  # fmt: skip


def check(client: httpx.Client, case: Case) -> str | None:
    """What is wrong with the answer to a malformed request; None when it is as it should be."""
    name, path, body = case
    reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
    if not 400 <= reply.status_code < 500:
        return f"{name}: {reply.status_code} {reply.text[:200]}"
    message = reply.json()["error"]["message"]
    if len(message) < 10 or len(message) > 1000 or "Traceback" in message:
        return f"{name}: no clear message but {message[:300]!r}"
    return None


def memory(server: Any) -> int:
    pids = [psutil.Process().pid, *server.state.workers.pids]
    return sum(psutil.Process(pid).memory_info().rss for pid in pids if psutil.pid_exists(pid))


def run(server: Any, wrong: list[Case], judge: Callable[[list[str]], None]) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        found = [problem for case in wrong if (problem := check(client, case)) is not None]
        judge(found)
        assert client.post(CHAT, json=GOOD[CHAT]).status_code == 200
        for path, good in GOOD.items():
            assert client.post(path, json=good).status_code == 200, path


def test_hundreds_of_malformed_requests(server):
    wrong = cases(seed=1, media=5, mutations=40)
    assert len(wrong) > 300

    def judge(found):
        assert not found, f"{len(found)} of {len(wrong)}: " + "\n".join(found[:30])

    run(server, wrong, judge)


@pytest.mark.slow
def test_2000_malformed_requests_and_flat_memory(server):
    first = cases(seed=2, media=20, mutations=100)
    run(server, first, lambda found: None)
    before = memory(server)
    wrong = cases(seed=3, media=200, mutations=1000)
    assert len(wrong) >= 2000

    def judge(found):
        assert not found, f"{len(found)} of {len(wrong)}: " + "\n".join(found[:30])

    run(server, wrong, judge)
    assert memory(server) < before + 100 * 2**20


@pytest.mark.parametrize("said", [123, ["a"], {"a": 1}, "\ud800"], ids=["number", "list", "object", "half a character"])
def test_a_refusal_that_is_no_text_is_named(server, said):
    case = "refusal", CHAT, body_of(ask([{"type": "refusal", "refusal": said}], max_tokens=2))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert check(client, case) is None
        assert client.post(CHAT, json=ask([{"type": "refusal", "refusal": "no"}], max_tokens=2)).status_code == 200


def test_a_picture_that_is_fine_passes_among_them(server):
    buffer = io.BytesIO(png())
    data = base64.b64encode(buffer.getvalue()).decode()
    good = {"model": "tiny", "content": [{"type": "input_image", "input_image": {"data": data, "format": "png"}}]}
    assert server.post(TOKENIZE, good).status_code == 200
