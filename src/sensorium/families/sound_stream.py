"""Streams of codecs that give sound out piece by piece, but hear a sound as a whole."""

from __future__ import annotations

import numpy as np

from sensorium.codecs import Codec, CodecStream
from sensorium.types import InputError, Signal


class SoundStream(CodecStream):
    """From codes to sound only.

    Args:
        codec: that it streams.
    """

    def __init__(self, codec: Codec) -> None:
        self._name = codec.facts.name

    def push(self, signal: Signal) -> np.ndarray:
        raise self._whole()

    def finish(self) -> np.ndarray:
        raise self._whole()

    def _whole(self) -> InputError:
        return InputError(f"codec {self._name!r} hears a sound as a whole; give it in one piece")
