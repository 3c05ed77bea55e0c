"""A made-up modality for tests of data: a file holds four small numbers, `1 2 3 4`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import ToyCodec, tiny_tokenizer

from sensorium import plugins
from sensorium.stream import Stream
from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary


class Dots:
    name = "dots"
    extensions = (".dots",)
    media_types = ("text/x-dots",)

    def open(self, source: Any) -> np.ndarray:
        if isinstance(source, np.ndarray):
            return source
        if isinstance(source, str) and source.startswith("data:"):
            source = base64.b64decode(source.partition(",")[2])
        text = source if isinstance(source, bytes) else Path(source).read_bytes()
        try:
            return np.array([int(number) for number in text.split()]).reshape(4, 1)
        except ValueError as error:
            raise InputError(f"{source} holds no dots") from error

    def to_bytes(self, array: np.ndarray) -> bytes:
        return " ".join(map(str, array.ravel())).encode()


class CountingCodec(ToyCodec):
    """Knows how many media it has encoded."""

    family = "counting"

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.encoded = 0

    def encode(self, arrays: Any) -> list[np.ndarray]:
        self.encoded += len(arrays)
        return super().encode(arrays)


def dots_codec(size: int = 8) -> CountingCodec:
    return CountingCodec("dots", sizes=(size,), grid=(2, 2), max_frames=4, modality="dots")


def stream_for(codec: ToyCodec) -> Stream:
    tokenizer = tiny_tokenizer()
    vocabulary = Vocabulary.build(300, [codec.facts])
    vocabulary.extend_tokenizer(tokenizer)
    return Stream(tokenizer, vocabulary)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modality known, as an installed package would."""
    load, names = plugins.load, plugins.names
    dots = Dots()

    def load_or_dots(group: str, name: str) -> Any:
        return dots if (group, name) == (plugins.MODALITIES, "dots") else load(group, name)

    monkeypatch.setattr(plugins, "load", load_or_dots)
    monkeypatch.setattr(plugins, "names", lambda group: ["dots"] if group == plugins.MODALITIES else names(group))
