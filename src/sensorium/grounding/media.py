"""Media of questions as inspect_ai carries them, and back as parts; a clip that is a folder of frames is its frames."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from pydantic import TypeAdapter, ValidationError

from sensorium.grounding.question import Question
from sensorium.grounding.views import View, patched
from sensorium.modalities import modality, modality_names, modality_of
from sensorium.types import InputError, Part


def parts(question: Question, folder: Path) -> list[Part]:
    """The media that a question is about.

    Args:
        folder: that its path is relative to.

    Raises:
        InputError: they are missing.
    """
    path = folder / question.medium
    if path.is_dir():
        frames = sorted(one for one in path.iterdir() if one.is_file())
        return [Part(modality_of(frame).name, frame) for frame in frames]
    if not path.is_file():
        raise InputError(f"the medium {path} of the question {question.id!r} is missing")
    name = question.modality if question.modality in modality_names() else modality_of(path).name
    return [Part(name, path)]


def contents(question: Question, folder: Path, view: View, tokens: bool) -> Iterator[Any]:
    """The media of a question under a view, as contents of a message of inspect_ai.

    Args:
        tokens: the model itself replaces tokens; otherwise patches of the medium are replaced here.
    """
    if view.kind == "blind":
        return
    share = view.share if view.kind == "dropped" and not tokens else 0.0
    for part in parts(question, folder):
        yield content(
            part.modality, _inline(part, share, crc32(question.medium.encode())), part.data.suffix.lstrip(".")
        )


def _inline(part: Part, share: float, seed: int) -> str:
    """A file as a data URI, with a share of its patches replaced."""
    kind = modality(part.modality)
    media_type, data = kind.suffixes.get(part.data.suffix.lower(), kind.media_types[0]), part.data.read_bytes()
    if share:
        signal = kind.open(part.data)
        media_type, data = kind.media_types[0], kind.to_bytes(signal.with_array(patched(signal.array, share, seed)))
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def content(name: str, address: str, suffix: str) -> Any:
    """A medium as inspect_ai's own content of that kind, or as plain data where it has none."""
    from inspect_ai.model import Content, ContentData

    try:
        known: Any = TypeAdapter(Content)
        return known.validate_python({"type": name, name: address, "format": suffix})
    except ValidationError:
        return ContentData(data={"modality": name, "address": address})


def part_of(content: Any) -> Part:
    """The inverse of `content`."""
    if content.type == "data":
        return Part(content.data["modality"], content.data["address"])
    return Part(content.type, getattr(content, content.type))
