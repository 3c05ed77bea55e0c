"""Data of other forms as conversations: LLaVA and ShareGPT JSON, folders of files with captions."""

from __future__ import annotations

import csv
import json
import logging
import os
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from sensorium.data.conversations import locate, read_lines, write_conversations
from sensorium.data.templates import DESCRIBE, MAKE
from sensorium.modalities import modality, modality_names
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Role

log = logging.getLogger(__name__)

SPEAKERS: dict[str, Role] = {
    "system": "system", "human": "user", "user": "user",
    "gpt": "assistant", "assistant": "assistant", "model": "assistant", "bot": "assistant", "chatgpt": "assistant",
}  # fmt: skip
CAPTION_TABLES = ("captions.csv", "captions.jsonl", "metadata.csv", "metadata.jsonl")
FILE_COLUMNS = ("file_name", "filename", "file", "path", "name")
CAPTION_COLUMNS = ("caption", "text", "label", "description")


def import_file(
    format: str, src: str | PathLike[str], out: str | PathLike[str], media: Path | None = None, make: bool = True
) -> int:
    """Write data of another form as a JSONL file of conversations, and return how many.

    Args:
        format: ``"llava"`` or ``"sharegpt"`` (JSON or JSONL), or ``"folder"``.
        media: folder that media paths of a JSON file are relative to; None for the file's own.
        make: of a folder, whether media are also asked for by their captions, for models that write them.

    Raises:
        InputError: unknown format, or a record cannot be understood (nothing is written then).
    """
    readers = {"llava": read_sharegpt, "sharegpt": read_sharegpt, "folder": read_folder}
    if format not in readers:
        raise InputError(f"no importer named {format!r}; there are: {', '.join(readers)}")
    conversations = read_folder(src, make=make) if format == "folder" else read_sharegpt(src, media)
    return write_conversations(conversations, out)


def read_sharegpt(path: str | PathLike[str], media: Path | None = None) -> Iterator[Conversation]:
    """Conversations of a LLaVA or ShareGPT file, a JSON list or JSONL.

    A record has ``conversations`` (``from``, ``value``) or ``messages`` (``role``, ``content``). For a modality
    ``x``, the files under ``"x"`` or ``"xs"`` stand where the text says ``<x>``, in order; with no such
    placeholder they open the first user message.
    """
    folder = media if media is not None else Path(path).parent
    for number, record in enumerate(_records(path), start=1):
        try:
            yield _conversation(record, folder)
        except InputError as error:
            raise InputError(f"{path}, record {number}: {error}") from error


def _records(path: str | PathLike[str]) -> Iterator[Any]:
    lines = [line for _, line in read_lines(path)]
    if not lines or lines[0].lstrip()[:1] != b"[":
        for number, line in enumerate(lines, start=1):
            yield _json(line, f"{path}, record {number}")
        return
    yield from _json(b"".join(lines), str(path))


def _json(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}); it may be cut short") from error


def _conversation(record: Any, folder: Path) -> Conversation:
    turns = record.get("conversations", record.get("messages")) if isinstance(record, dict) else None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns) or not turns:
        raise InputError('there is no list "conversations" of messages')
    media = _Media(record, folder)
    messages = [_message(turn, media) for turn in turns]
    return Conversation(tuple(media.put_rest(messages)))


def _message(turn: dict[str, Any], media: _Media) -> Message:
    speaker, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    if speaker not in SPEAKERS:
        raise InputError(f"unknown speaker {speaker!r}; known are {', '.join(SPEAKERS)}")
    if not isinstance(text, str):
        raise InputError(f"what {speaker!r} says is not a string")
    return Message(SPEAKERS[speaker], tuple(media.split(text)))


class _Media:
    """The files of a record, handed out to the placeholders of its text in order."""

    def __init__(self, record: dict[str, Any], folder: Path):
        self.files: dict[str, list[Part]] = {}
        for name in modality_names():
            found = record.get(name, record.get(f"{name}s"))
            if name != TEXT and found:
                paths = found if isinstance(found, list) else [found]
                if not all(isinstance(path, str) for path in paths):
                    raise InputError(f'"{name}" must be a path or a list of paths')
                self.files[name] = [Part(name, locate(path, folder)) for path in paths]
        self.placeholder = re.compile(rf"\n?<({'|'.join(map(re.escape, self.files))})>\n?") if self.files else None
        self.used = 0

    def split(self, text: str) -> Iterator[Part]:
        """Text and media of a message; a line break that only sets a placeholder apart is dropped."""
        if self.placeholder is None:
            yield Part(TEXT, text)
            return
        for n, piece in enumerate(self.placeholder.split(text)):
            if n % 2:
                if not self.files[piece]:
                    raise InputError(f"there are more <{piece}> placeholders than files")
                self.used += 1
                yield self.files[piece].pop(0)
            elif piece:
                yield Part(TEXT, piece)

    def put_rest(self, messages: list[Message]) -> list[Message]:
        """Files without a placeholder open the first user message, if no placeholder occurs at all."""
        rest = [part for parts in self.files.values() for part in parts]
        if rest and self.used:
            raise InputError(f"{len(rest)} files have no placeholder in the text")
        for n, message in enumerate(messages):
            if rest and message.role == "user":
                return [*messages[:n], Message("user", (*rest, *message.parts)), *messages[n + 1 :]]
        if rest:
            raise InputError("there are files but no user message to put them in")
        return messages


def read_folder(
    folder: str | PathLike[str], language: str = "en", describe: bool = True, make: bool = True
) -> Iterator[Conversation]:
    """Two conversations for each captioned file of a folder: describe the file, and make it from its caption.

    A caption stands in ``name.txt`` beside ``name.ext``, or in a table ``captions.csv`` / ``captions.jsonl`` (or
    ``metadata``) with the columns ``file_name`` and ``caption`` (or ``text``). Files without one are left out with
    a warning.

    Args:
        language: of the captions; the question is put in the same.
        describe, make: which of the two directions to write.

    Raises:
        InputError: no folder, no file of a known modality, or no captions.
    """
    folder = Path(folder)
    files = _media_files(folder)
    captions = _captions(folder, files)
    missing = [path for path, _ in files if not captions.get(path)]
    if len(missing) == len(files):
        raise InputError(f"no file in {folder} has a caption; write name.txt beside it, or a captions.csv")
    if missing:
        log.warning("%d of %d files have no caption and are left out, e.g. %s", len(missing), len(files), missing[0])
    for path, name in files:
        if captions.get(path):
            fields = {"medium": Part(name, path), "caption": captions[path]}
            seed = path.relative_to(folder).as_posix()
            if describe:
                yield DESCRIBE.fill(fields, seed, language)
            if make:
                yield MAKE.fill(fields, seed, language)


def _media_files(folder: Path) -> list[tuple[Path, str]]:
    """Files of known modalities below a folder, sorted, with the modality of each."""
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is not a folder")
    suffixes = {suffix: name for name in modality_names() if name != TEXT for suffix in modality(name).extensions}
    found = (path for path in folder.rglob("*") if os.path.isfile(path) and path.suffix.lower() in suffixes)
    files = sorted(path for path in found if path.name not in CAPTION_TABLES)
    if not files:
        raise InputError(f"{folder} holds no file of a known kind ({', '.join(sorted(suffixes))})")
    return [(path, suffixes[path.suffix.lower()]) for path in files]


def _captions(folder: Path, files: list[tuple[Path, str]]) -> dict[Path, str]:
    captions: dict[Path, str] = {}
    for name in CAPTION_TABLES:
        if os.path.isfile(folder / name):
            captions |= _caption_table(folder / name)
    for path, _ in files:
        beside = path.with_suffix(".txt")
        if os.path.isfile(beside):
            captions[path] = beside.read_text(encoding="utf-8-sig", errors="replace").strip()
    return captions


def _caption_table(path: Path) -> dict[Path, str]:
    if path.suffix == ".jsonl":
        rows = [_json(line, f"{path}, line {number}") for number, line in read_lines(path)]
    else:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = list(csv.DictReader(file))
    captions = {}
    for number, row in enumerate(rows, start=1):
        row = row if isinstance(row, dict) else {}
        file_name = next((row[key] for key in FILE_COLUMNS if row.get(key)), None)
        caption = next((row[key] for key in CAPTION_COLUMNS if row.get(key)), None)
        if not isinstance(file_name, str):
            raise InputError(f"{path}, entry {number} names no file; give it a column {FILE_COLUMNS[0]!r}")
        if isinstance(caption, str):
            captions[path.parent / file_name] = caption.strip()
    return captions
