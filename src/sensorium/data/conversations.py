"""Conversations as JSONL in the OpenAI chat form, read and written.

One object a line: ``{"messages": [{"role": ..., "content": ...}]}``. Content is a string or a list of parts:
``{"type": "text", "text": ...}``, and for any installed modality ``x``

- ``{"type": "x_url", "x_url": {"url": path or data URI}}``,
- ``{"type": "input_x", "input_x": {"data": base64, "format": ...}}``,
- ``{"type": "x", "x": path or data URI}``.

Beside the medium or in its place there may be ``codes``, one flat list, and ``codec``, the name of their codec. A
message with ``"finished": false`` is an answer that was cut off: its end is not learned. One with ``"weight": 0`` is
only read, as in OpenAI's form for fine-tuning.

Paths are relative to the file. One parser serves reading, which stops at the first problem, and ``lint``, which
tells all of them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from sensorium.files import atomic_file
from sensorium.modalities import modality, modality_names
from sensorium.source import Source, data_uri, from_data_uri
from sensorium.types import ROLES, TEXT, Conversation, InputError, Message, Part

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
OTHER_ROLES = {"developer": "system"}  # the name that newer OpenAI clients give the system's messages


def read_conversations(path: str | PathLike[str]) -> Iterator[Conversation]:
    """Conversations of a JSONL file, one at a time. Media are named, not opened.

    Raises:
        InputError: a line is not a conversation; the sentence says which line and what is wrong.
    """
    for number, line in read_lines(path):
        parsed = parse_line(line, Path(path).parent)
        if parsed.problems:
            raise InputError(
                f"{path}, line {number}: {parsed.problems[0]}; `sensorium data lint {path}` lists every problem"
            )
        if parsed.conversation is not None:
            yield parsed.conversation


def write_conversations(conversations: Iterable[Conversation], path: str | PathLike[str]) -> int:
    """Write conversations as JSONL, whole or not at all, and return how many.

    Media that are files are named relative to ``path`` where they lie below its folder; bytes and arrays go into
    the line as data URIs; codes are kept.
    """
    count = 0
    with atomic_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for conversation in conversations:
            record = conversation_to_json(conversation, Path(path).resolve().parent)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_lines(path: str | PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Number, from 1, and bytes of every line that is not blank."""
    path = Path(path)
    if not os.path.isfile(path):  # unlike Path's own it has an answer to every name
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise InputError(f"{path} {what}; give a JSONL file of conversations")
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")  # the byte-order mark that some editors write
            if line.strip():
                yield number, line


@dataclass
class Parsed:
    """What a line holds: a conversation, or sentences that say what is wrong with it."""

    conversation: Conversation | None = None
    record: Any = None
    problems: list[str] = field(default_factory=list)


def parse_line(line: bytes, folder: Path) -> Parsed:
    """A line of JSONL as a conversation; media paths are relative to ``folder``."""
    try:
        record = json.loads(line.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        return Parsed(problems=[f"byte {error.start + 1} is not UTF-8 text; save the file as UTF-8"])
    except json.JSONDecodeError as error:
        return Parsed(problems=[f"this is not JSON ({error.msg} at character {error.pos + 1}){_hint(line)}"])
    except (RecursionError, ValueError):
        return Parsed(problems=["this is not a conversation but deeply nested or oversized JSON"])
    return parse_record(record, folder)


def _hint(line: bytes) -> str:
    if line.lstrip()[:1] == b"[":
        return "; the file looks like one JSON list over several lines, write one conversation a line instead"
    return "; write one whole conversation a line"


def parse_record(record: Any, folder: Path) -> Parsed:
    """A decoded JSON object as a conversation."""
    parser = _Parser(folder)
    messages = parser.messages(record)
    whole = None if parser.problems else Conversation(tuple(messages))
    return Parsed(whole, record, parser.problems)


class _Parser:
    """Goes through a record and notes every problem in a sentence."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.problems: list[str] = []
        self.names = [name for name in modality_names() if name != TEXT]

    def messages(self, record: Any) -> list[Message]:
        if not isinstance(record, dict):
            self.problems.append(f'a line must hold a JSON object with "messages", not {_kind(record)}')
            return []
        items = record.get("messages")
        if items is None and "conversations" in record:
            self.problems.append("this is the ShareGPT form; turn it with `sensorium data import sharegpt` first")
            return []
        if not isinstance(items, list) or not items:
            what = '"messages" is missing' if items is None else f'"messages" is {_kind(items)}'
            self.problems.append(f"{what}; it must be a list of at least one message")
            return []
        found = [self._message(item, f"message {n}") for n, item in enumerate(items, 1)]
        return [message for message in found if message is not None]

    def _message(self, item: Any, where: str) -> Message | None:
        if not isinstance(item, dict):
            self.problems.append(f"{where} is {_kind(item)}; it must be an object with a role and content")
            return None
        role = OTHER_ROLES.get(str(item.get("role")), item.get("role"))
        if role not in ROLES:
            what = "has no role" if role is None else f"has role {role!r}"
            self.problems.append(f"{where} {what}; the roles are {', '.join(ROLES)}")
            role = None
        finished = item.get("finished", True)
        if not isinstance(finished, bool):
            self.problems.append(f'{where} has a "finished" that is {_kind(finished)}; it is true or false')
        weight = item.get("weight", 1)
        if weight not in (0, 1):
            self.problems.append(f'{where} has a "weight" that is {weight!r}; it is 1, or 0 for what is only read')
        parts = self._parts(item.get("content"), where)
        return Message(role, tuple(parts), finished=bool(finished), learned=bool(weight)) if role else None

    def _parts(self, content: Any, where: str) -> list[Part]:
        if isinstance(content, str):
            content = [{"type": TEXT, "text": content}]
        elif not isinstance(content, list):
            what = "no content" if content is None else f"content that is {_kind(content)}"
            self.problems.append(f"{where} has {what}; write a string or a list of parts")
            return []
        found = [self._part(item, f"{where}, part {n}") for n, item in enumerate(content, 1)]
        return [part for part in found if part is not None]

    def _part(self, item: Any, where: str) -> Part | None:
        if isinstance(item, str):
            return self._text(item, where)
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str):
            self.problems.append(f'{where} has no "type"')
            return None
        if kind == TEXT:
            return self._text(item.get("text"), where)
        for name in self.names:
            if kind in (name, f"{name}_url", f"input_{name}"):
                return self._medium(name, item, where)
        known = ", ".join(["text", *(form for name in self.names for form in (name, f"{name}_url"))])
        self.problems.append(f"{where} has the unknown type {kind!r}; known types: {known}")
        return None

    def _text(self, text: Any, where: str) -> Part | None:
        if not isinstance(text, str):
            self.problems.append(f'{where} is a text part whose "text" is {_kind(text)}, not a string')
            return None
        if _HALF_CHARACTER.search(text):
            self.problems.append(f"{where} holds half of a character (a lone surrogate); write the text again as UTF-8")
            return None
        return Part(TEXT, text)

    def _medium(self, name: str, item: dict[str, Any], where: str) -> Part | None:
        try:
            codes = None if item.get("codes") is None else flat_codes(item["codes"])
            if not isinstance(item.get("codec"), (str, type(None))):
                raise InputError('has a "codec" that is not the name of one')
            data = modality(name).part_data(item)
            if data is None and codes is not None:
                return Part(name, None, codes, item.get("codec"))
            if not isinstance(data, str) or not data:
                raise InputError(f'needs a path or a data URI in "{item["type"]}"')
            located = locate(data, self.folder)
            if isinstance(located, str):
                from_data_uri(located)  # base64 that is damaged is told here
        except InputError as error:
            self.problems.append(f"{where} ({item['type']}) {error}")
            return None
        return Part(name, located, codes, item.get("codec") if codes is not None else None)


def locate(url: str, folder: Path) -> str | Path:
    """A data URI as it is, a path or ``file:`` URL as a path, relative ones below ``folder``.

    Raises:
        InputError: a web address, or a string that cannot be a path.
    """
    if url.startswith("data:"):
        return url
    if url.startswith(("http://", "https://")):
        raise InputError(f"is a web address ({url[:80]}); download it and give its path")
    if url.startswith("file://"):
        try:
            url = unquote(urlsplit(url).path)
        except ValueError as error:
            raise InputError(f"is no address of a file ({url[:40]!r}...)") from error
    unwritable = "\0" in url or _HALF_CHARACTER.search(url) is not None
    if unwritable or any(len(name.encode()) > 255 for name in url.split("/")):  # what file systems take
        raise InputError(f"is neither a path nor a data URI ({url[:40]!r}...)")
    return folder / url


def flat_codes(value: Any) -> np.ndarray:
    """Written codes as one flat array; files of version 1 have a list per frame.

    Raises:
        InputError: they are not integers.
    """
    try:
        codes = np.array(value)
    except ValueError:
        codes = np.empty(0)
    if codes.ndim not in (1, 2) or codes.dtype.kind != "i":
        raise InputError('has "codes" that are not a list of integers')
    return codes.astype(np.int64).ravel()


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    words = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return ("an empty list" if value == [] else words.get(type(value))) or "an object"


def conversation_to_json(conversation: Conversation, folder: Path) -> dict[str, Any]:
    """The JSON form of a conversation; files below ``folder`` are named relative to it."""
    return {"messages": [_message_to_json(message, folder) for message in conversation.messages]}


def _message_to_json(message: Message, folder: Path) -> dict[str, Any]:
    plain = len(message.parts) == 1 and message.parts[0].is_text
    content = message.parts[0].data if plain else [_part_to_json(part, folder) for part in message.parts]
    found = {"role": message.role, "content": content}
    return found | ({} if message.finished else {"finished": False}) | ({} if message.learned else {"weight": 0})


def _part_to_json(part: Part, folder: Path) -> dict[str, Any]:
    if part.is_text:
        return {"type": TEXT, "text": part.data}
    kind = f"{part.modality}_url"  # as the server's replies have it
    record: dict[str, Any] = {"type": kind}
    if part.data is not None:
        record[kind] = {"url": _url(part, folder)}
    if part.codes is not None:
        record |= {"codes": np.asarray(part.codes).tolist(), "codec": part.codec}
    return record


def _url(part: Part, folder: Path) -> str:
    kind = modality(part.modality)
    source = Source.of(part.data, kind.called)
    if isinstance(source.data, Path):
        path = Path(os.path.realpath(source.data))
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    if isinstance(part.data, str):
        return part.data
    content = source.data if source.is_file else kind.to_bytes(kind.open(part.data))
    return data_uri(content, kind.media_types[0])
