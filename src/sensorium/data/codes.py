"""Media to codes, once: codes are kept by content, so the same medium is never encoded twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sensorium.codecs import Codec
from sensorium.files import atomic_file, cache_dir
from sensorium.modalities import modality
from sensorium.types import Conversation, InputError, Message, Part
from sensorium.vocabulary import Span, Vocabulary

BATCH = 64  # media encoded at a time
KEEP = 1024  # media encoded before their codes are written down
FORMAT = "1"  # goes up when a modality opens media differently than before


def content_key(part: Part) -> bytes:
    """32 bytes that say what a medium holds: sha256 of its file's bytes, or of the array and its shape.

    Raises:
        InputError: the file cannot be read.
    """
    data = part.data
    digest = hashlib.sha256(f"{FORMAT} {part.modality} ".encode())
    if isinstance(data, bytes):
        digest.update(data)
    elif isinstance(data, str) and data.startswith("data:"):
        digest.update(data.encode())
    elif isinstance(data, (str, PathLike)):
        digest.update(_read(Path(data)))
    else:
        array = data if isinstance(data, np.ndarray) else modality(part.modality).open(data)
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); put it there or drop the line") from error


class CodeCache:
    """Codes of one codec by content, in a folder of immutable Arrow files that are read by memory map.

    Writers never touch a file that is there, so any number of processes may share the folder. Deleting it is
    safe: what is missing is encoded again.

    Args:
        folder: of this codec; its name should hold the codec's fingerprint.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._rows: dict[bytes, tuple[int, int]] = {}
        self._tables: list[pa.Table] = []
        self._seen: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in files that other processes have written."""
        for path in sorted(self.folder.glob("*.arrow")) if self.folder.is_dir() else ():
            if path.name.startswith(".") or path.name in self._seen:
                continue
            try:
                table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
                keys = table["key"].to_pylist()
            except (pa.ArrowInvalid, KeyError, OSError):
                continue  # cut short or foreign: its media are encoded again
            self._seen.add(path.name)
            for row, key in enumerate(keys):
                self._rows[key] = (len(self._tables), row)
            self._tables.append(table)

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    def __getitem__(self, key: bytes) -> np.ndarray:
        """(frames, codebooks) int64 codes of a content."""
        table, row = self._rows[key]
        codes = np.asarray(self._tables[table]["codes"][row].values, dtype=np.int64)
        return codes.reshape(-1, self._tables[table]["codebooks"][row].as_py())

    def put(self, codes: Mapping[bytes, np.ndarray]) -> None:
        """Keep codes, whole or not at all."""
        if not codes:
            return
        table = pa.table(
            {
                "key": pa.array(list(codes), pa.binary(32)),
                "codebooks": pa.array([value.shape[1] for value in codes.values()], pa.int32()),
                "codes": pa.array([value.astype(np.int32).ravel() for value in codes.values()], pa.list_(pa.int32())),
            }
        )
        name = hashlib.sha256(b"".join(sorted(codes))).hexdigest()[:24]
        with atomic_file(self.folder / f"{name}.arrow") as path, pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
        self.refresh()


@dataclass
class Encoder:
    """Puts codes into conversations: the reading codec's for media in what the user says, else the writing one's.

    Args:
        vocabulary: says which codec reads and which writes a modality.
        codecs: by name.
        cache: folder for codes already computed; None for the one of this user.
    """

    vocabulary: Vocabulary
    codecs: Mapping[str, Codec]
    cache: Path | None = None
    _caches: dict[str, CodeCache] = field(default_factory=dict, repr=False)

    def encode(self, conversations: Sequence[Conversation], first: int = 0) -> list[Conversation]:
        """The conversations with codes in every medium; those that have the right ones keep them.

        Args:
            first: number of the first conversation, counted from 0, for messages about errors.

        Raises:
            InputError: a medium cannot be opened, or the model has no codec for it.
        """
        wanted = self._wanted(conversations, first)
        codes = {codec: self._codes(codec, media) for codec, media in wanted.items()}
        return [self._fill(conversation, codes) for conversation in conversations]

    def _wanted(self, conversations: Iterable[Conversation], first: int) -> dict[str, dict[int, tuple[int, Part]]]:
        """Media to encode: for each codec, number of the conversation and part, by the part's identity."""
        wanted: dict[str, dict[int, tuple[int, Part]]] = {}
        for number, conversation in enumerate(conversations, start=first):
            for message in conversation.messages:
                for part in message.parts:
                    if part.is_text:
                        continue
                    span = _numbered(number, partial(self._span, message=message), part)
                    if part.codes is None or part.codec != span.facts.name:
                        wanted.setdefault(span.facts.name, {})[id(part)] = (number, part)
                    else:
                        _check_frames(part, span, number)
        return wanted

    def _span(self, part: Part, message: Message) -> Span:
        choose = self.vocabulary.writer if message.role == "assistant" else self.vocabulary.reader
        return choose(part.modality)

    def _codes(self, name: str, media: Mapping[int, tuple[int, Part]]) -> dict[int, np.ndarray]:
        """Codes by the part's identity: from the cache, or computed and put there."""
        cache = self._cache(name)
        sources = {identity: self._with_data(number, part) for identity, (number, part) in media.items()}
        keys = {identity: _numbered(media[identity][0], content_key, part) for identity, part in sources.items()}
        missing = {keys[identity]: identity for identity in sources if keys[identity] not in cache}
        todo = [(key, media[identity][0], sources[identity]) for key, identity in missing.items()]
        for at in range(0, len(todo), KEEP):
            cache.put(self._compute(name, todo[at : at + KEEP]))
        return {identity: cache[key] for identity, key in keys.items()}

    def _compute(self, name: str, todo: Sequence[tuple[bytes, int, Part]]) -> dict[bytes, np.ndarray]:
        codec, codes = self.codecs[name], {}
        for at in range(0, len(todo), BATCH):
            batch = todo[at : at + BATCH]
            arrays = [_numbered(number, _open, part) for _, number, part in batch]
            for (key, _, _), found in zip(batch, codec.encode(arrays), strict=True):
                codes[key] = codec.check_codes(found)
        return codes

    def _with_data(self, number: int, part: Part) -> Part:
        """The part with something to encode: its medium, or what another codec's codes decode to."""
        if part.data is not None:
            return part
        if part.codes is None or part.codec is None or part.codec not in self.codecs:
            raise InputError(
                f"conversation {number + 1}: a {part.modality} part has neither a medium nor codes of a known codec"
            )
        return replace(part, data=self.codecs[part.codec].decode([part.codes])[0])

    def _cache(self, name: str) -> CodeCache:
        if name not in self.codecs:
            raise InputError(f"codec {name!r} is needed to encode media but was not given")
        if name not in self._caches:
            folder = self.cache if self.cache is not None else cache_dir() / "codes"
            self._caches[name] = CodeCache(folder / f"{name}-{self.codecs[name].fingerprint()}")
        return self._caches[name]

    def _fill(self, conversation: Conversation, codes: Mapping[str, Mapping[int, np.ndarray]]) -> Conversation:
        return Conversation(tuple(self._fill_message(message, codes) for message in conversation.messages))

    def _fill_message(self, message: Message, codes: Mapping[str, Mapping[int, np.ndarray]]) -> Message:
        if all(part.is_text for part in message.parts):
            return message
        return replace(message, parts=tuple(self._fill_part(part, message, codes) for part in message.parts))

    def _fill_part(self, part: Part, message: Message, codes: Mapping[str, Mapping[int, np.ndarray]]) -> Part:
        if part.is_text:
            return part
        name = self._span(part, message).facts.name
        found = codes.get(name, {}).get(id(part))
        return part if found is None else part.with_codes(found, name)


def _open(part: Part) -> np.ndarray:
    return modality(part.modality).open(part.data)


def _numbered(number: int, function: Any, part: Part) -> Any:
    """``function(part)``, its error telling which conversation the part belongs to."""
    try:
        return function(part)
    except InputError as error:
        raise InputError(f"conversation {number + 1}: {error}") from error


def _check_frames(part: Part, span: Span, number: int) -> None:
    facts, frames = span.facts, len(part.codes) if part.codes is not None else 0
    if not 0 < frames <= facts.max_frames or facts.fixed_frames not in (None, frames):
        wanted = f"up to {facts.max_frames}" if facts.fixed_frames is None else str(facts.fixed_frames)
        raise InputError(f"conversation {number + 1}: {frames} frames of codes where codec {facts.name!r} has {wanted}")
