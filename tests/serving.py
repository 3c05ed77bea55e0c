"""A running server with a tiny random model that reads and writes pictures of 4 x 4 grey squares."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import PIL.Image
from toys import ToyCodec, tiny_base, tiny_configs

from sensorium.generate import Assistant
from sensorium.modalities.image import to_square
from sensorium.senses import Senses
from sensorium.serve.app import create_app
from sensorium.serve.http.graceful import GracefulServer, config
from sensorium.serve.settings import Settings
from sensorium.types import Signal

LEVELS = 8


class Greys(ToyCodec):
    """A picture as 4 x 4 levels of grey."""

    family = "greys"

    def __init__(self, name: str = "image", use: str = "both", **rest: Any):
        super().__init__(name, use=use, sizes=(LEVELS,), grid=(4, 4), max_frames=16, modality="image")

    def encode(self, signals: Any) -> list[np.ndarray]:
        small = [to_square(one.array, 16).mean(-1).reshape(4, 4, 4, 4).mean((1, 3)) for one in signals]
        return [(picture / 256 * LEVELS).astype(np.int64).reshape(16) for picture in small]

    def decode(self, codes: Any) -> list[Signal]:
        levels = [((self.layout.check(one) + 0.5) / LEVELS * 256).astype(np.uint8).reshape(4, 4) for one in codes]
        return [Signal(np.repeat(np.kron(one, np.ones((4, 4), np.uint8))[..., None], 3, axis=2)) for one in levels]


def tiny_assistant(kind: str = "llama", codecs: list[ToyCodec] | None = None, seed: int = 0) -> Assistant:
    """A random model whose vocabulary has room for the codecs' tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    codecs = [Greys()] if codecs is None else codecs
    base = tiny_base(kind)
    senses = Senses.of(base.tokenizer, 300, codecs)
    config = tiny_configs()[kind]
    config.vocab_size = senses.vocabulary.size
    torch.manual_seed(seed)
    lm = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in lm.named_parameters():  # small random weights would repeat one id for ever
            if parameter.ndim > 1 and "embed" not in name and "wte" not in name:
                parameter.mul_(12)
    return Assistant(lm, senses)


class Running:
    """A server in a thread.

    Attributes:
        url: where it listens.
        app: its application.
    """

    def __init__(self, models: dict[str, Any], **settings: Any):
        self.app = create_app(models, Settings(**settings))
        options = config(self.app, self.state.settings, port=0, log_level="error")
        self._server = GracefulServer(options, self.state.registry.close)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.02)
            assert self._thread.is_alive(), "the server did not start"
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    @property
    def state(self) -> Any:
        return self.app.state.server

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=60, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, **options)

    def told_to_stop(self) -> None:
        """As Ctrl-C does."""
        self._server.should_exit = True

    def stop(self) -> None:
        self.told_to_stop()
        self._thread.join(60)


@contextmanager
def running(models: dict[str, Any] | None = None, **settings: Any) -> Iterator[Running]:
    server = Running(models or {"tiny": tiny_assistant()}, **settings)
    try:
        yield server
    finally:
        server.stop()


def png(size: int = 16, colour: Any = (200, 100, 0)) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (size, size), colour).save(buffer, format="PNG")
    return buffer.getvalue()


def as_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture(colour: Any = (200, 100, 0)) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": as_uri(png(colour=colour))}}


def ask(content: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": content}], **fields}
