"""The nouns of a conversation: parts, messages, conversations, replies.

A part is text or a medium of a named modality. The data of a medium may be a path, bytes, or an array; its
modality opens it, which gives a `Signal`. Codes, once known, travel with the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


class TooLong(InputError):
    """A conversation, or a prompt, that the model's context has no room for."""


@dataclass(frozen=True, eq=False)
class Signal:
    """The canonical array of a medium, with what an array cannot say.

    Args:
        array: shape and dtype are the modality's.
        rate_hz: rows (first axis) a second, for media in time.
        channels: names of the last axis; empty when it has none.
        units: one per channel, e.g. ``"m/s2"``; empty when not known.
        frame: (width, height) of what the numbers are measured in, for boxes and points.
        labels: one per row, for media that are lists of named things.
    """

    array: np.ndarray
    rate_hz: float | None = None
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    frame: tuple[float, float] | None = None
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Lists and NumPy's numbers, as users have them, become what JSON can say."""
        object.__setattr__(self, "array", np.asarray(self.array))
        if self.rate_hz is not None:
            object.__setattr__(self, "rate_hz", float(self.rate_hz))
        for name in ("channels", "units", "labels"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))
        if self.frame is not None:
            object.__setattr__(self, "frame", tuple(map(float, self.frame)))

    def with_array(self, array: np.ndarray) -> Signal:
        return replace(self, array=array)

    def meta(self) -> dict[str, Any]:
        """All but the array, as JSON; what is not known is left out."""
        named = {"rate_hz": self.rate_hz, "channels": self.channels, "units": self.units}
        named |= {"frame": self.frame, "labels": self.labels}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in named.items() if v not in (None, ())}

    @classmethod
    def of(cls, array: np.ndarray, meta: Mapping[str, Any]) -> Signal:
        """The inverse of `meta`."""
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in meta.items()}
        return cls(array, **given)

    def __eq__(self, other: object) -> bool:
        """Same numbers and same meaning."""
        if not isinstance(other, Signal):
            return NotImplemented
        return self.meta() == other.meta() and np.array_equal(self.array, other.array)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        meta = "".join(f", {name}={value!r}" for name, value in self.meta().items())
        return f"Signal({_brief(self.array)}{meta})"


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of a message.

    Args:
        modality: ``"text"`` or the name of a registered modality.
        data: a string for text; for a medium a path, bytes, a data URI, an array or a `Signal` (in replies always
            that). None when only codes are known.
        codes: one flat array of integers in the order written (header, then frame by frame, codebook by codebook),
            when the medium has already been encoded.
        codec: name of the codec that made ``codes``.
    """

    modality: str
    data: Any = None
    codes: np.ndarray | None = None
    codec: str | None = None

    @property
    def is_text(self) -> bool:
        return self.modality == TEXT

    @property
    def array(self) -> np.ndarray:
        """The canonical array of a medium whose data is a `Signal` or an array."""
        return self.data.array if isinstance(self.data, Signal) else np.asarray(self.data)

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
        kind = plugins.load(plugins.MODALITIES, self.modality)
        kind.save(kind.open(self.data), path)

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
        if isinstance(self.data, Signal) or isinstance(other.data, Signal):
            return self.data == other.data
        return bool(np.array_equal(self.data, other.data))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Message:
    """What one side says in a turn: text and media, in order.

    Args:
        finished: False where an answer was cut off at a limit; a model learns what it says, but not to end there.
        learned: False where an answer is only read; a model does not learn to say it.
    """

    role: Role
    parts: tuple[Part, ...]
    finished: bool = True
    learned: bool = True

    @property
    def text(self) -> str:
        return "".join(part.data for part in self.parts if part.is_text)


@dataclass(frozen=True)
class Conversation:
    """Messages in the order said."""

    messages: tuple[Message, ...]

    def parts(self) -> Iterable[Part]:
        return (part for message in self.messages for part in message.parts)


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Args:
        parts: text and media in the order written; media hold decoded signals and their codes.
        ids: the sampled token ids.
        finish: ``"stop"`` (the model ended its turn, or the form it was held to is complete) or ``"length"`` (the token
            limit was reached).
        thought: what was thought before the answer, which ``parts`` hold; None where nothing was.
    """

    parts: tuple[Part, ...]
    ids: tuple[int, ...] = ()
    finish: Literal["stop", "length"] = "stop"
    usage: dict[str, int] = field(default_factory=dict)
    thought: str | None = None

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
