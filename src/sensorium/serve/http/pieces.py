"""What a chat offers for a modality beside its files: other forms of its media, told piece by piece in a stream.

It is brought for a modality by an entry point ``sensorium.pieces``, e.g. the raw samples that OpenAI's streams have.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sensorium import plugins
from sensorium.modalities import modality
from sensorium.serve.writing.answers import Step
from sensorium.serve.writing.unfolded import Unfolded
from sensorium.types import Signal

PIECES = "sensorium.pieces"


class Encoder(Protocol):
    """Makes bytes of a medium that comes piece by piece."""

    def add(self, signal: Signal) -> bytes: ...

    def end(self) -> bytes: ...


class Pieces(Protocol):
    """What there is for a modality.

    Attributes:
        formats: names that a request may give in place of a kind of file, with an encoder of each.
    """

    formats: Mapping[str, Callable[[], Encoder]]

    def check(self, asked: Mapping[str, Any], streamed: bool) -> None:
        """Refuse what a request says in the field that is named as the modality.

        Raises:
            ApiError: 400 that names what is not offered.
        """
        ...


def pieces_of(name: str) -> Pieces | None:
    """What there is for a modality; None for most."""
    return plugins.load(PIECES, name) if name in plugins.names(PIECES) else None


def encoder_of(name: str, format_: Any) -> Callable[[], Encoder] | None:
    """The encoder of a form that is no file; None where it is one, or what was said is no form."""
    found = pieces_of(name)
    return found.formats.get(format_) if found is not None and isinstance(format_, str) else None


def in_form(signal: Signal, encoder: Encoder) -> bytes:
    """A whole medium."""
    return encoder.add(signal) + encoder.end()


class Telling:
    """The media of a modality in one streamed answer, as OpenAI tells sound: every delta has the medium's id.

    Args:
        encoder: of each medium.
    """

    def __init__(self, name: str, unfolded: Unfolded, encoder: Callable[[], Encoder]):
        self._name, self._unfolded, self._new_encoder = name, unfolded, encoder
        self._encoder = encoder()
        self._field = self._fresh()

    def _fresh(self) -> dict[str, Any]:
        return modality(self._name).file_field("", "")

    def text(self, text: str) -> dict[str, Any]:
        """The delta for text of the answer, which is what a medium says, too."""
        return {self._name: {"id": self._field["id"], "transcript": text}}

    async def feed(self, step: Step) -> list[dict[str, Any]]:
        """The deltas for one more id."""
        piece = await self._unfolded.feed(step)
        if piece is None:
            return []
        data = b"" if piece.signal is None else self._encoder.add(piece.signal)
        told: list[dict[str, Any]] = []
        if piece.ended:
            data += self._encoder.end()
        if data:
            told.append({"id": self._field["id"], "data": base64.b64encode(data).decode("ascii")})
        if piece.ended:
            told.append({"id": self._field["id"], "expires_at": self._field["expires_at"]})
            self._encoder, self._field = self._new_encoder(), self._fresh()
        return [{self._name: one} for one in told]
