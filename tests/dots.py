"""A made-up modality for tests of data: a file holds four small numbers, `1 2 3 4`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toys import Toy, ToyCodec, tiny_tokenizer

from sensorium import plugins
from sensorium.modalities import Wish
from sensorium.senses import Senses
from sensorium.types import InputError, Signal


class Dots(Toy):
    name = "dots"
    extensions = (".dots",)
    media_types = ("text/x-dots",)

    def read(self, data: bytes, where: str, wish: Wish) -> Signal:
        try:
            return Signal(np.array([int(number) for number in data.split()]).reshape(4, 1))
        except ValueError as error:
            raise InputError(f"{where} holds no dots") from error

    def write(self, signal: Signal, media_type: str) -> bytes:
        return " ".join(map(str, signal.array.ravel())).encode()


class CountingCodec(ToyCodec):
    """Knows how many media it has encoded."""

    family = "counting"

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.encoded = 0

    def encode(self, signals: Any) -> list[np.ndarray]:
        self.encoded += len(signals)
        return super().encode(signals)


def dots_codec(size: int = 8) -> CountingCodec:
    return CountingCodec("dots", sizes=(size,), grid=(2, 2), max_frames=4, modality="dots")


def senses_for(*codecs: ToyCodec) -> Senses:
    return Senses.of(tiny_tokenizer(), 300, codecs)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modality known for one test."""
    monkeypatch.setitem(plugins._registered, (plugins.MODALITIES, "dots"), Dots())
