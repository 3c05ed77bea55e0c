"""Streams of codecs that give a medium out piece by piece, but take one as a whole."""

from __future__ import annotations

import numpy as np

from sensorium.codecs import Codec, CodecStream
from sensorium.modalities import modality
from sensorium.types import InputError, Signal


class OutStream(CodecStream):
    """From codes to media only.

    Args:
        codec: that it streams.
    """

    def __init__(self, codec: Codec) -> None:
        self._facts = codec.facts

    def push(self, signal: Signal) -> np.ndarray:
        raise self._whole()

    def finish(self) -> np.ndarray:
        raise self._whole()

    def _whole(self) -> InputError:
        noun = modality(self._facts.modality).called
        return InputError(f"codec {self._facts.name!r} takes each {noun} as a whole; give it in one piece")
