"""What a modality is: bytes to a signal and back, a preview, measures, and the doors it brings along.

One file per modality, or one folder with its viewer. `sensorium.modalities.contract.check_modality` checks it.
"""

from __future__ import annotations

import base64
import inspect
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import uuid4

import numpy as np

from sensorium import plugins
from sensorium.checked import RATE_HZ, Range, checked
from sensorium.files import atomic_file
from sensorium.opening import apart
from sensorium.source import MAX_BYTES, Source
from sensorium.types import InputError, Signal

COLOURS = ("#c2410c", "#1d4ed8", "#15803d", "#a21caf", "#b45309", "#0e7490")
"""Of lines and marks in previews, in turn."""


FILE_NAME = re.compile(r"\w[\w-]*\.js")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a codec would like to be given; see `Modality.fit`.

    Args:
        rate_hz: rows a second.
        channels: size of the last axis.
        size: of the axes in space, e.g. (height, width).
    """

    rate_hz: RATE_HZ | None = None
    channels: Annotated[int, Range(1, 2**16)] | None = None
    size: Annotated[tuple[Annotated[int, Range(1, 2**16)], ...], Range(1, 8)] | None = None

    def to_json(self) -> dict[str, Any]:
        """What is wished; the rest is left out."""
        size = None if self.size is None else list(self.size)
        named = {"rate_hz": self.rate_hz, "channels": self.channels, "size": size}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Wish:
        """The inverse of `to_json`; wishes of later versions are passed over. InputError for one that is none."""
        known = {field.name for field in fields(cls)}
        given = checked(data, Mapping[str, Any], "wish")
        return checked({name: value for name, value in given.items() if name in known}, cls, "wish")


class Modality(ABC):
    """A kind of medium. Subclasses are stateless; the registry holds one instance.

    Attributes:
        name: as written in a part, e.g. ``Part(name, data)``.
        noun: what to call a medium in messages, where that is not the name.
        extensions: file suffixes it opens, lower case with the dot.
        media_types: MIME types it opens, the first is the one it prefers to write.
        writes: media type of every suffix that it can be saved under; empty for the preferred kind alone.
        max_bytes: of the largest file that is opened.
        folders: whether a folder of files is a medium, too; `adopt` is given its path.
        locates: whether its rows say where things are, left, top, right and bottom in a frame.
        viewer: file name of the JavaScript module that shows it on the page, beside the class's own file; None for
            a link to download.
        words: what the page says of it, by language and key (docs/page.md lists the keys).
    """

    name: ClassVar[str]
    noun: ClassVar[str] = ""
    extensions: ClassVar[tuple[str, ...]]
    media_types: ClassVar[tuple[str, ...]]
    writes: ClassVar[Mapping[str, str]] = {}
    max_bytes: ClassVar[int] = MAX_BYTES
    folders: ClassVar[bool] = False
    locates: ClassVar[bool] = False
    viewer: ClassVar[str | None] = None
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    @abstractmethod
    def read(self, data: bytes, where: str, wish: Wish) -> Signal:
        """A file's bytes as a signal in canonical form.

        Args:
            where: what to call the file in messages.
            wish: may be used while opening, when that is cheaper than `fit` afterwards.

        Raises:
            InputError: one sentence saying what is wrong with the medium, where, and what to do.
        """

    @abstractmethod
    def check(self, signal: Signal) -> Signal:
        """What somebody gave as an array, in canonical form; InputError when it is none of this modality."""

    @abstractmethod
    def write(self, signal: Signal, media_type: str) -> bytes:
        """A canonical signal as a file of one of the media types in `writes`."""

    @abstractmethod
    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """An RGB picture (H, W, 3) uint8 that shows the medium, at most ``size_px`` on its longer side."""

    @abstractmethod
    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """How well ``other`` stands for the original, by named measures with their unit, e.g. ``{"psnr_db": 25.2}``."""

    def overall(self, measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """`measures` of many media in one: their means, and what cannot be told by a mean."""
        return {name: float(np.mean([one[name] for one in measured])) for name in measured[0]}

    def baselines(self, original: Signal, bits: float) -> dict[str, tuple[Signal, float]]:
        """What else would stand for a medium within so many bits, and the bits it takes, by name of the method."""
        return {}

    def adopt(self, thing: Any) -> Signal:
        """An object of another library, or a structure of this modality's own, as a canonical signal."""
        raise InputError(
            f"a {self.called} is a path, bytes, a data URI, an array or a signal, not {type(thing).__name__}"
        )

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        """A canonical signal brought nearer to a wish, e.g. resampled; unchanged where nothing is wished."""
        return signal

    def mend(self, signal: Signal) -> Signal:
        """What a model has written, made canonical, e.g. corners that it swapped; a codec's decode may call it."""
        return signal

    def open(self, data: Any, wish: Wish = Wish()) -> Signal:
        """The canonical signal of a path, bytes, a data URI, an array, a `Signal`, or what `adopt` takes.

        Raises:
            InputError: one sentence saying what is wrong with the medium, where, and what to do.
        """
        source = Source.of(data, self.called)
        if isinstance(source.data, Signal):
            return self.fit(self.check(source.data), wish)
        if not source.is_file or (self.folders and source.is_folder):
            return self.fit(self.adopt(source.data), wish)
        content = source.read(self.called, self.max_bytes)
        if self.is_risky(content) and apart.is_possible() and self._is_installed():
            return apart.open_apart(self.name, content, source.where, wish.to_json())
        return self.fit(self.read(content, source.where, wish), wish)

    def is_risky(self, data: bytes) -> bool:
        """Whether a file may crash its decoder, or hold it up for ever; such files are opened in another process."""
        return False

    def _is_installed(self) -> bool:
        """Whether another process finds this very modality by its name."""
        entry = (plugins.MODALITIES, self.name)
        here = entry not in plugins.registered() and self.name in plugins.names(plugins.MODALITIES)
        return here and plugins.load(*entry) is self

    def to_bytes(self, signal: Signal, media_type: str | None = None) -> bytes:
        """The signal as a file of a media type, by default the preferred one."""
        return self.write(self.check(signal), media_type or self.media_types[0])

    def save(self, signal: Signal, path: str | PathLike[str]) -> None:
        """Write a file of the kind that its suffix says (the preferred one without), whole or not at all.

        Raises:
            InputError: no such kind is written.
        """
        suffix = Path(path).suffix.lower()
        kinds = self.suffixes
        media_type = kinds.get(suffix) if suffix else self.media_types[0]
        if media_type is None:
            raise InputError(f"a {self.called} cannot be saved as {suffix!r}; use one of {', '.join(kinds)}")
        content = self.to_bytes(signal, media_type)
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)

    @property
    def called(self) -> str:
        """What to call a medium in messages."""
        return self.noun or self.name

    @property
    def suffixes(self) -> dict[str, str]:
        """Media type of every suffix it can be saved under: `writes`, or only the preferred kind."""
        return dict(self.writes) or {self.extensions[0]: self.media_types[0]}

    def preview_png(self, signal: Signal, size_px: int = 256) -> bytes:
        """`preview` as a PNG file, e.g. for notebooks."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(self.preview(signal, size_px)).save(buffer, format="PNG")
        return buffer.getvalue()

    def preview_uri(self, signal: Signal, size_px: int = 256) -> str:
        """`preview_png` as a data URI, e.g. for pages that stand alone."""
        return f"data:image/png;base64,{base64.b64encode(self.preview_png(signal, size_px)).decode()}"

    def part_data(self, part: Mapping[str, Any]) -> Any | None:
        """The data in a part of OpenAI's forms, by the part's ``type``; None when the part is of another modality.

        ``{"type": "X_url", "X_url": {"url": ...}}`` gives the address, ``{"type": "X", "X": ...}`` as well, and
        ``{"type": "input_X", "input_X": {"data": base64}}`` a data URI.
        """
        value = part.get(str(part.get("type")))
        if part.get("type") == f"input_{self.name}" and isinstance(value, Mapping):
            return f"data:{self.media_types[0]};base64,{value.get('data', '')}"
        if part.get("type") in (self.name, f"{self.name}_url"):
            return value.get("url", value.get("path")) if isinstance(value, Mapping) else value
        return None

    def in_reply(self, parts: Sequence[Mapping[str, Any]], text: str = "") -> dict[str, Any]:
        """Fields of a chat message in which other programs look for media of this kind, beside ``parts``.

        By default the last one under the modality's name, as OpenAI has it for sound.

        Args:
            parts: media of this modality as ``parts`` has them, at least one.
            text: of the whole message.
        """
        address = (parts[-1].get(f"{self.name}_url") or {}).get("url")
        if address is None:
            return {}
        return {self.name: self.file_field(address.partition(",")[2], text)}

    def file_field(self, data: str, text: str) -> dict[str, Any]:
        """A medium in the form that OpenAI has for sound: its file in base64, and the text of the whole message."""
        return {"id": f"{self.name}-{uuid4().hex[:24]}", "data": data, "expires_at": 0, "transcript": text}

    def from_reply(self, fields: Mapping[str, Any]) -> Sequence[Any]:
        """The inverse: parts in the fields of a message that was sent back without its ``parts``.

        Raises:
            InputError: a medium is named by its id alone, which nobody has kept.
        """
        found, kind = fields.get(self.name), f"input_{self.name}"
        if isinstance(found, Mapping) and found.get("id") and not found.get("data"):
            raise InputError(
                f"a message names its {self.called} by an id, but nothing is stored here; send its data, or its parts"
            )
        return [{"type": kind, kind: found}] if isinstance(found, Mapping) and "data" in found else []


def viewer_file(kind: Modality) -> Path | None:
    """The JavaScript module of a modality; None where it names none, or there is none beside the file of its class."""
    if kind.viewer is None or not FILE_NAME.fullmatch(kind.viewer):
        return None
    try:
        path = Path(inspect.getfile(type(kind))).with_name(kind.viewer)
    except (OSError, TypeError):  # the class was typed into a running program
        return None
    return path if path.is_file() else None
