"""Where a medium comes from: a path, bytes, a data URI, an array. No other file asks what the data of a part is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np

from sensorium.types import InputError, Signal

MAX_BYTES = 256 * 2**20
PIECE = 65536
"""Characters of a data URI that are unpacked at once."""
BLANKS = b" \t\n\r\f\v"
SHOWN = 200
"""Characters of a path in messages."""


@dataclass(frozen=True)
class Source:
    """One medium, not yet opened.

    Args:
        data: bytes, a path, or a `Signal`; anything else is an object that only its modality may know.
        where: what to call it in messages.
    """

    data: Any
    where: str

    @classmethod
    def of(cls, data: Any, noun: str = "medium") -> Source:
        """The source of what a user gave.

        Args:
            data: a path, bytes, a data URI, an array, a `Signal`, an object of another library, or a source.
            noun: what the medium is, e.g. ``"picture"``.

        Raises:
            InputError: a web address, or a data URI that is not base64.
        """
        if isinstance(data, Source):
            return data
        if isinstance(data, np.ndarray):
            return cls(Signal(data), f"the {noun}")
        if isinstance(data, (bytes, bytearray, memoryview)):
            return cls(bytes(data), f"the {noun}")
        if isinstance(data, str) and data.startswith("data:"):
            return cls(from_data_uri(data, noun), f"the {noun} in the data URI")
        if isinstance(data, (str, PathLike)):
            return cls(_path(data, noun), str(data)[:SHOWN])
        return cls(data, f"the {noun}")

    @property
    def is_file(self) -> bool:
        """Whether it has bytes: it is a path, or the bytes themselves."""
        return isinstance(self.data, (bytes, Path))

    @property
    def is_folder(self) -> bool:
        """Whether it is the path of a folder, which a few modalities take."""
        return isinstance(self.data, Path) and os.path.isdir(self.data)

    @property
    def is_plain(self) -> bool:
        """Whether its content can be told without its modality: it is a file, or a signal of numbers."""
        return self.is_file or (isinstance(self.data, Signal) and self.data.array.dtype.kind in "biufc")

    def read(self, noun: str = "medium", limit: int = MAX_BYTES) -> bytes:
        """The bytes of a file.

        Raises:
            InputError: it is missing, empty, not an ordinary file, or larger than ``limit`` bytes.
        """
        found = self.data if isinstance(self.data, bytes) else _read(self.data, noun, limit)
        if not _bounded(found, self.where, limit):
            raise InputError(f"{self.where} is empty (0 bytes); give a {noun} that has content")
        return found

    def add_to(self, digest: Any) -> None:
        """Put the content into a hash: bytes of a file, or a signal's numbers and what they mean."""
        if isinstance(self.data, Signal):
            array = self.data.array
            digest.update(f"{array.dtype.str} {array.shape} {json.dumps(self.data.meta())} ".encode())
            digest.update(np.ascontiguousarray(array).data)
        else:
            digest.update(self.read())

    def stamp(self) -> str:
        """What tells cheaply whether it has changed: files by size and time, as `make` does, the rest by content.

        Only of what `is_plain`.
        """
        if isinstance(self.data, Path):
            try:
                stat = self.data.stat()
            except (OSError, ValueError):  # a name with a null byte, too
                return f"{self.data} missing"
            return f"{self.data} {stat.st_size} {stat.st_mtime_ns}"
        digest = hashlib.sha256()
        self.add_to(digest)
        return digest.hexdigest()


def from_data_uri(uri: str, noun: str = "medium", limit: int = MAX_BYTES) -> bytes:
    """The bytes in a ``data:`` URI (RFC 2397).

    Raises:
        InputError: it is damaged, or holds more than ``limit`` bytes.
    """
    head, comma, body = uri.partition(",")
    where = f"the {noun} in the data URI"
    if not comma:
        raise InputError("a data URI must read data:TYPE;base64,... and this one holds no comma")
    if head.lower().endswith(";base64"):
        return from_base64(body, where, limit)
    try:
        return _unquoted(body, where, limit)
    except UnicodeEncodeError as error:
        raise InputError(f"{where} holds half of a character (a lone surrogate); encode it again") from error


def _unquoted(text: str, where: str, limit: int) -> bytes:
    """What percent signs encode, a piece at a time: a whole would be split into as many objects as it has signs."""
    if len(text) > 3 * limit or len(text) - 2 * text.count("%") > limit:  # each sign saves two characters at most
        raise too_large(where, limit)
    data, start = bytearray(), 0
    while start < len(text):
        end = start + PIECE
        last = text.rfind("%", end - 2, end)  # not within %41
        piece = text[start : last if last > start and end < len(text) else end]
        data += unquote_to_bytes(piece)
        if len(data) > limit:
            raise too_large(where, limit)
        start += len(piece)
    return bytes(data)


def from_base64(text: str, where: str = "the medium", limit: int = MAX_BYTES) -> bytes:
    """The bytes that base64 spells, white space ignored.

    Raises:
        InputError: it is not base64, or spells more than ``limit`` bytes.
    """
    if len(text) > limit * 1.5 + 100:
        raise too_large(where, limit)
    try:
        data = base64.b64decode(text.encode("ascii").translate(None, BLANKS), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"the base64 of {where} is damaged ({error}); encode it again") from error
    return _bounded(data, where, limit)


def _bounded(data: bytes, where: str, limit: int) -> bytes:
    if len(data) > limit:
        raise too_large(where, limit)
    return data


def too_large(where: str, limit: int) -> InputError:
    """The sentence for a medium of too many bytes."""
    return InputError(f"{where} has more than the {limit} bytes that are allowed; make it smaller")


def data_uri(data: bytes, media_type: str) -> str:
    """Bytes as a ``data:`` URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _path(name: str | PathLike[str], noun: str) -> Path:
    if str(name).startswith(("http://", "https://")):
        raise InputError(f"{str(name)[:SHOWN]} is not fetched from the network; save the {noun} and give its path")
    return Path(name)


def _read(path: Path, noun: str, limit: int) -> bytes:
    shown = str(path)[:SHOWN]
    try:
        if path.is_dir():
            raise InputError(f"{shown} is a folder, not a {noun}; give one file in it")
        if not path.exists():
            raise InputError(f"there is no file {shown}; check the path")
        if not path.is_file():
            raise InputError(f"{shown} is not an ordinary file; save the {noun} and give its path")
        size = path.stat().st_size
        if size > limit:
            raise too_large(shown, limit)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown} cannot be read ({reason}); check the path and its rights") from error
