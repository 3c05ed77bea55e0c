"""A modality as an outside package would bring it to the page: beats, a text file of numbers, with a viewer beside."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from toys import Toy, ToyCodec

RATE_HZ = 50
BOOKS = (32, 8)
SCALES = 64


class Pulse(Toy):
    """Small numbers in time."""

    name = "pulse"
    extensions = (".beats",)
    media_types = ("text/x-beats",)
    viewer: ClassVar[str | None] = "pulse.js"
    words: ClassVar[dict[str, dict[str, str]]] = {
        "en": {
            "name": "pulse",
            "names": "pulses",
            "capture": "Feel your pulse",
            "make": "Beat",
            "make.words": "How should it beat?",
            "make.request": "Beat {words}.",
            "try.1": "Beat calmly.",
        }
    }


pulse = Pulse()


def beats_codec() -> ToyCodec:
    """A row of two numbers as a frame."""
    return ToyCodec("beats", sizes=BOOKS, grid=(None,), max_frames=40, min_frames=3, modality="pulse")


def uri_of(beats: list[int]) -> str:
    return f"data:{pulse.media_types[0]};base64,{base64.b64encode(' '.join(map(str, beats)).encode()).decode()}"


def beats_of(uri: str) -> list[int]:
    return [int(word) for word in base64.b64decode(uri.partition(",")[2]).split()]


def written(beats: list[int]) -> dict[str, Any]:
    """A part as a server gives it: with the codes that the model wrote, in one flat list."""
    return {"type": "pulse_url", "pulse_url": {"url": uri_of(beats)}, "codec": "beats", "codes": codes_of(beats)}


def codes_of(beats: list[int]) -> list[int]:
    """A scale first, then two codes for each beat."""
    return [len(beats) % SCALES, *(code for beat in beats for code in (beat % BOOKS[0], beat % BOOKS[1]))]
