"""A stand-in for `sensorium serve`: the same addresses and forms of answer, canned content.

The page's tests drive it, so that they neither load a model nor depend on what one says.

By hand: ``python tests/page_server.py`` prints an address to open.
"""

from __future__ import annotations

import base64
import io
import json
import mimetypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from pulse import BOOKS, RATE_HZ, SCALES, beats_of, codes_of, pulse, written

from sensorium.modalities import modality
from sensorium.serve.http import doors

PAGE = Path(__file__).resolve().parent.parent / "src" / "sensorium" / "serve" / "page"
COLOURS = {"red": (214, 48, 49), "green": (46, 160, 67), "blue": (52, 101, 214), "yellow": (240, 190, 40)}
SIDE_PX = 64
GRID = 8
CODES = 512
FIRST_ID = 1000
MODALITIES: dict[str, Any] = {"image": modality("image"), "pulse": pulse}


class Bad(Exception):
    def __init__(self, message: str, status: int = 400):
        super().__init__(message)
        self.status = status


class FakeServer(ThreadingHTTPServer):
    """Serves the page and the API on a free port of loopback.

    Attributes:
        asked: (path, body) of every POST so far.
        key: the API key that is asked for, if any.
        pace_s: seconds between two events of a stream.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any]] = []
        self.key: str | None = None
        self.pace_s = 0.002
        self.url = f"http://127.0.0.1:{self.server_port}"


def asked(server: FakeServer, path: str) -> list[dict]:
    return [body for where, body in server.asked if where == path]


def made_by(server: FakeServer) -> list[dict]:
    """The requests of the panel and the board that make media."""
    return [body for body in asked(server, "/v1/chat/completions") if not body.get("stream")]


class Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/v1/models":
            self.answer(lambda _: {"object": "list", "data": MODELS})
        elif path == "/v1/modalities":
            cards = [doors.card(kind).model_dump() for kind in MODALITIES.values()]
            self.answer(lambda _: {"object": "list", "data": cards})
        elif (name := path.removeprefix("/page/viewers/").partition("/")[0]) in MODALITIES:
            self.file(doors.viewer_file(MODALITIES[name]))
        elif path == "/" or path.startswith("/page/"):
            inside = (PAGE / ("index.html" if path == "/" else path.removeprefix("/page/"))).resolve()
            self.file(inside if inside.is_relative_to(PAGE) else PAGE / "missing")
        else:
            self.reply(404, {"error": {"message": "Not Found"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        self.answer(lambda _: tokenized(body) if self.path == "/v1/tokenize" else answered(body))

    def answer(self, make: Any) -> None:
        try:
            if self.server.key and self.headers.get("authorization") != f"Bearer {self.server.key}":
                raise Bad("the API key is missing or wrong", 401)
            made = make(None)
        except Bad as bad:
            kind = "invalid_request_error"
            self.reply(bad.status, {"error": {"message": str(bad), "type": kind, "param": None, "code": None}})
            return
        if isinstance(made, dict):
            self.reply(200, made)
        else:
            self.stream(made)

    def stream(self, events: list[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            for event in [*(json.dumps(event) for event in events), "[DONE]"]:
                self.wfile.write(f"data: {event}\r\n\r\n".encode())
                self.wfile.flush()
                time.sleep(self.server.pace_s)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the person pressed Stop

    def reply(self, status: int, body: dict[str, Any]) -> None:
        self.send(status, "application/json", json.dumps(body).encode())

    def file(self, path: Path) -> None:
        if not path.is_file():
            self.reply(404, {"error": {"message": "Not Found"}})
            return
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        self.send(200, kind, path.read_bytes())

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


MODELS = [
    {"id": "fake", "object": "model", "reads": ["text", "image"], "writes": ["text", "image"]},
    {"id": "nose", "object": "model", "reads": ["text"], "writes": ["text", "smell"]},
    {"id": "heart", "object": "model", "reads": ["text", "pulse"], "writes": ["text", "pulse"]},
    {
        "id": "both",
        "object": "model",
        "reads": ["text", "image", "pulse"],
        "writes": ["text", "image", "pulse"],
        "thinks": True,
    },
    {"id": "blind", "object": "model", "reads": ["text"], "writes": ["text"]},
]


def answered(body: dict[str, Any]) -> Any:
    """As a stream of events, or several whole answers."""
    if body.get("stream"):
        return chat(body)
    (kind,) = body["modalities"]
    (message,) = body["messages"]
    if not message["content"].strip():
        raise Bad("the request is empty; say what to make")
    first = body["attempt"] * (body["n"] - 1)  # the last of those before is made again: a copy
    parts = [made(kind, f"{message['content']} {first + number}") for number in range(body["n"])]
    return {"choices": [{"index": at, "message": {"content": None, "parts": [part]}} for at, part in enumerate(parts)]}


def made(kind: str, words: str) -> dict[str, Any]:
    return part_of(picture_of(words)) if kind == "image" else written([ord(letter) % 32 for letter in words])


def chat(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Names the colour of a picture, counts beats, makes what it is asked to make, else counts the turns."""
    content = body["messages"][-1]["content"]
    pictures = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    pulses = [part["pulse_url"]["url"] for part in content if part["type"] == "pulse_url"]
    words = " ".join(part["text"] for part in content if part["type"] == "text")
    if words == "be busy":
        raise Bad("the queue is full", 503)
    if words == "long story":
        deltas = [{"content": f"word {number} "} for number in range(3000)]
    elif words == "smell":
        deltas = [{"parts": [{"type": "smell_url", "smell_url": {"url": "data:application/x-smell;base64,Um9zZQ=="}}]}]
    elif body.get("modalities") == ["image"] or words.lower().startswith(("draw", "dessine")):
        deltas = making("image", words + " again" * (body["attempt"] // 2))  # attempt 1 is a copy of attempt 0
    elif body.get("modalities") == ["pulse"] or words.startswith("Beat"):
        deltas = making("pulse", words)
    elif pictures:
        name = colour_name(opened(pictures[-1], len(body["messages"])))
        deltas = [{"content": piece} for piece in ("a ", name, " square")]
    elif pulses:
        deltas = [{"content": f"{len(beats_of(pulses[-1]))} beats"}]
    else:
        deltas = [{"content": piece} for piece in (f"You said: {words} ", f"({len(body['messages'])} messages)")]
    if body.get("reasoning_effort"):
        thought = ("All", " corners", " are alike.") if words != "never mind" else ("You said:", " never mind")
        deltas = [*({"reasoning_content": piece} for piece in thought), *deltas]
    events = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "energy_wh": 0.0021}
    return [*events, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]


def making(kind: str, words: str) -> list[dict[str, Any]]:
    """How a stream tells of a medium: that it is being written, then the whole."""
    progress = [{"progress": {"modality": kind, "done": done, "total": 64}} for done in range(0, 65, 8)]
    return [*progress, {"parts": [made(kind, words)]}]


def boxed(picture: Image.Image) -> Image.Image:
    return picture.resize((GRID, GRID), Image.Resampling.BOX)


def square_codes(small: Image.Image) -> list[int]:
    """The codes of a picture of 8 x 8 pixels."""
    colours = np.asarray(small).reshape(-1, 3).tolist()
    return [(r // 32) * 64 + (g // 32) * 8 + b // 32 for r, g, b in colours]


def tokenized(body: dict[str, Any]) -> dict[str, Any]:
    (part,) = body["messages"][0]["content"]
    if part["type"] == "pulse_url":
        return tokenized_pulse(part)
    roles = [message["role"] for message in body["messages"]]
    return tokenized_picture(part, len(roles))


def tokenized_pulse(part: dict[str, Any]) -> dict[str, Any]:
    """A scale, then two codes for each beat."""
    beats = beats_of(part["pulse_url"]["url"])
    codes = codes_of(beats)
    span = {
        "codec": "beats", "modality": "pulse", "start": 0, "stop": len(codes) + 2, "bits": 6.0 + 8.0 * len(beats),
        "grid": [None], "header": {"scale": SCALES}, "codebook_sizes": list(BOOKS), "frame_rate_hz": RATE_HZ,
        "codes": codes, "reconstruction": written(beats),
    }  # fmt: skip
    ids = list(range(len(codes) + 2))
    return {"ids": ids, "tokens": [f"<|beats {id_}|>" for id_ in ids], "spans": [span]}


def tokenized_picture(part: dict[str, Any], spans: int) -> dict[str, Any]:
    """Of what a person says, a gist that only reads; of what the model says, 8 x 8 squares."""
    small = boxed(opened(part["image_url"]["url"], 1))
    codes = square_codes(small)
    ids = [5, 6, 7, 6, FIRST_ID - 2, *(FIRST_ID + code for code in codes), FIRST_ID - 1]
    tokens = ["user", "<|gist:6|>", "<|gist:7|>", "<|gist:6|>", "<|image|>", *(f"<|image:{code}|>" for code in codes)]
    tokens.append("<|/image|>")
    again = part_of(small.resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST))
    shared = {"modality": "image", "header": {}, "frame_rate_hz": None}
    read = shared | {"codec": "gist", "start": 1, "stop": 4, "bits": 9.0, "codebook_sizes": [8, 8, 8], "grid": [1]}
    squares = shared | {"codec": "squares", "start": 4, "stop": len(ids), "bits": 9.0 * len(codes)}
    both = [
        read | {"codes": [[6, 7, 6]], "reconstruction": None},  # in frames, as earlier servers told codes
        squares | {"codes": codes, "codebook_sizes": [CODES], "grid": [GRID, GRID], "reconstruction": again},
    ]
    return {"ids": ids, "tokens": tokens, "spans": both[:spans]}


def opened(url: str, message: int) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2])))
        return picture.convert("RGB")
    except OSError as error:
        raise Bad(f"message {message}, part 1 (image_url) is a damaged picture; give another one") from error


def colour_name(picture: Image.Image) -> str:
    seen = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], seen, strict=True)))


def picture_of(words: str) -> Image.Image:
    """A disc in a colour and place that depend on the words."""
    seed = sum(map(ord, words))
    named = [name for name in COLOURS if name in words]
    colour = COLOURS[named[0]] if named else list(COLOURS.values())[seed % len(COLOURS)]
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    left, top = 4 + seed % 12, 4 + seed // 3 % 12
    ImageDraw.Draw(picture).ellipse((left, top, left + 40, top + 40), fill=colour)
    return picture


def png_of(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def part_of(picture: Image.Image) -> dict[str, Any]:
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{png_of(picture)}"},
        "codec": "squares",
        "codes": square_codes(boxed(picture)),
    }


@contextmanager
def running() -> Iterator[FakeServer]:
    """The server, in a thread, until the block ends."""
    server = FakeServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with running() as fake:
        print(fake.url, flush=True)
        threading.Event().wait()
