"""The nouns of a conversation: parts, messages, conversations, replies.

A part is text or a medium of a named modality. The data of a medium may be a path, bytes, or an array;
its modality opens it. Codes, once known, travel with the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, Literal

import numpy as np

from sensorium import plugins

TEXT = "text"
Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")


class InputError(ValueError):
    """Bad input from a user: one plain sentence that says what, where, and what to do."""


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of a message.

    Args:
        modality: ``"text"`` or the name of a registered modality.
        data: a string for text; a path, bytes or an array for a medium. None when only codes are known.
        codes: (frames, codebooks) integers, when the medium has already been encoded.
        codec: name of the codec that made ``codes``.
    """

    modality: str
    data: Any = None
    codes: np.ndarray | None = None
    codec: str | None = None

    @property
    def is_text(self) -> bool:
        return self.modality == TEXT

    def with_codes(self, codes: np.ndarray, codec: str) -> Part:
        return replace(self, codes=codes, codec=codec)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the medium to a file; the modality chooses the format from the suffix."""
        if self.is_text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.data)
            return
        if self.data is None:
            raise InputError(f"this {self.modality} part holds codes only; decode it with its codec before saving")
        plugins.load(plugins.MODALITIES, self.modality).save(self.data, path)

    def _repr_png_(self) -> bytes | None:
        """How a notebook shows a medium."""
        if self.is_text or self.data is None:
            return None
        kind = plugins.load(plugins.MODALITIES, self.modality)
        return kind.preview_png(kind.open(self.data))

    def __repr__(self) -> str:
        """Short: arrays by their shape."""
        shown = {"data": self.data, "codes": self.codes, "codec": self.codec}
        fields = [f"{name}={_brief(value)}" for name, value in shown.items() if value is not None]
        return f"Part({', '.join([repr(self.modality), *fields])})"

    def __eq__(self, other: object) -> bool:
        """Same modality and same content: text by characters, media by codes when both have them."""
        if not isinstance(other, Part) or self.modality != other.modality:
            return False
        if self.codes is not None and other.codes is not None:
            return self.codec == other.codec and np.array_equal(self.codes, other.codes)
        return bool(np.array_equal(self.data, other.data))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Message:
    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.data for part in self.parts if part.is_text)


@dataclass(frozen=True)
class Conversation:
    messages: tuple[Message, ...]

    def parts(self) -> Iterable[Part]:
        return (part for message in self.messages for part in message.parts)


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Args:
        parts: text and media in the order written; media hold decoded arrays and their codes.
        ids: the sampled token ids.
        finish: ``"stop"`` (the model ended its turn) or ``"length"`` (the token limit was reached).
    """

    parts: tuple[Part, ...]
    ids: tuple[int, ...] = ()
    finish: Literal["stop", "length"] = "stop"
    usage: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(part.data for part in self.parts if part.is_text)


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {value.shape}>"
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else repr(value)


def as_part(value: Any) -> Part:
    """InputError for anything else: of what modality a bare array or path is, nobody can say."""
    if isinstance(value, Part):
        return value
    if not isinstance(value, str):
        raise InputError(
            f"a message is made of strings and parts, not {type(value).__name__}; "
            "say of what modality a medium is: Part(modality, data)"
        )
    return Part(TEXT, value)


def as_message(role: Role, content: str | Part | Sequence[str | Part]) -> Message:
    """A message from a string, a part, or a mix of both."""
    items: Sequence[Any] = content if isinstance(content, (list, tuple)) else [content]
    return Message(role, tuple(as_part(item) for item in items))
