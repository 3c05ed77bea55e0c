"""Media to codes, once: codes are kept by content, so the same medium is never encoded twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sensorium.codecs import Codec
from sensorium.files import atomic_file, cache_dir
from sensorium.modalities import modality
from sensorium.senses import Senses
from sensorium.source import Source
from sensorium.types import Conversation, InputError, Part, Signal

CHECKSUM = b"checksum"
BATCH = 64  # media encoded at a time
KEEP = 1024  # media encoded before their codes are written down
FORMAT = "2"  # goes up when a modality opens media differently than before


def content_key(part: Part) -> bytes:
    """32 bytes that say what a medium holds: sha256 of its file's bytes, or of the array and what it means.

    Raises:
        InputError: the file cannot be read.
    """
    kind = modality(part.modality)
    source = Source.of(part.data, kind.called)
    if not source.is_plain or source.is_folder:
        source = Source.of(kind.open(part.data))
    digest = hashlib.sha256(f"{FORMAT} {part.modality} ".encode())
    source.add_to(digest)
    return digest.digest()


def stamp(part: Part) -> str:
    """What tells cheaply whether a medium has changed, see `Source.stamp`; an object of another library is opened."""
    source = Source.of(part.data)
    return source.stamp() if source.is_plain else content_key(part).hex()


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
                if (table.schema.metadata or {}).get(CHECKSUM) != _checksum(table):
                    continue
                keys = table["key"].to_pylist()
            except (ValueError, KeyError, OSError, TypeError, IndexError):
                continue  # cut short, damaged or foreign: its media are encoded again
            self._seen.add(path.name)
            for row, key in enumerate(keys):
                self._rows[key] = (len(self._tables), row)
            self._tables.append(table)

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    def __getitem__(self, key: bytes) -> np.ndarray:
        """Flat int64 codes of a content."""
        table, row = self._rows[key]
        return np.asarray(self._tables[table]["codes"][row].values, dtype=np.int64)

    def put(self, codes: Mapping[bytes, np.ndarray]) -> None:
        """Keep codes, whole or not at all."""
        if not codes:
            return
        table = pa.table(
            {
                "key": pa.array(list(codes), pa.binary(32)),
                "codes": pa.array([value.astype(np.int32) for value in codes.values()], pa.list_(pa.int32())),
            }
        )
        table = table.replace_schema_metadata({CHECKSUM: _checksum(table)})
        name = hashlib.sha256(b"".join(sorted(codes))).hexdigest()[:24]
        with atomic_file(self.folder / f"{name}.arrow") as path, pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
        self.refresh()


def _checksum(table: pa.Table) -> bytes:
    """SHA-256 of the keys and codes of a table, in hex."""
    digest = hashlib.sha256(f"{table.num_rows} {table.schema.types}".encode())
    for chunk in table["key"].chunks:
        digest.update(b"".join(chunk.to_pylist()))
    for chunk in table["codes"].chunks:
        chunk.validate(full=True)
        digest.update(np.ascontiguousarray(chunk.offsets).data)
        digest.update(np.ascontiguousarray(chunk.values).data)
    return digest.hexdigest().encode()


@dataclass
class Encoder:
    """Puts codes into conversations, each medium encoded once.

    Args:
        senses: of the model.
        cache: folder for codes already computed; None for the one of this user.
    """

    senses: Senses
    cache: Path | None = None
    _caches: dict[str, CodeCache] = field(default_factory=dict, repr=False)

    def encode(self, conversations: Sequence[Conversation], first: int = 0) -> list[Conversation]:
        """The conversations with codes in every medium; those that have the right ones keep them.

        Args:
            first: number of the first conversation, counted from 0, for messages about errors.

        Raises:
            InputError: a medium cannot be opened, or the model has no codec for it.
        """
        wanted: dict[str, dict[int, tuple[int, Part]]] = {}
        for number, conversation in enumerate(conversations, start=first):
            for layout, part in numbered(number, self.senses.wanting, conversation):
                wanted.setdefault(layout.name, {})[id(part)] = (number, part)
        codes = {}
        for name, media in wanted.items():
            codes |= {(name, identity): found for identity, found in self._codes(name, media).items()}
        return [self.senses.filled(conversation, codes) for conversation in conversations]

    def _codes(self, name: str, media: Mapping[int, tuple[int, Part]]) -> dict[int, np.ndarray]:
        """Codes by the part's identity: from the cache, or computed and put there."""
        cache = self._cache(name)
        sources = {identity: numbered(number, self._with_data, part) for identity, (number, part) in media.items()}
        keys = {identity: numbered(media[identity][0], content_key, part) for identity, part in sources.items()}
        missing = {keys[identity]: identity for identity in sources if keys[identity] not in cache}
        todo = [(key, media[identity][0], sources[identity]) for key, identity in missing.items()]
        for at in range(0, len(todo), KEEP):
            cache.put(self._compute(name, todo[at : at + KEEP]))
        return {identity: cache[key] for identity, key in keys.items()}

    def _compute(self, name: str, todo: Sequence[tuple[bytes, int, Part]]) -> dict[bytes, np.ndarray]:
        codec, codes = self.senses.codec(name), {}
        opened = partial(self.senses.signal, wish=codec.facts.wish)
        for at in range(0, len(todo), BATCH):
            batch = todo[at : at + BATCH]
            signals = [numbered(number, opened, part) for _, number, part in batch]
            for (key, _, _), found in zip(batch, _encoded(codec, batch, signals), strict=True):
                codes[key] = codec.layout.check(found)
        return codes

    def _with_data(self, part: Part) -> Part:
        """The part with something to encode: its medium, or what another codec's codes decode to."""
        return part if part.data is not None else replace(part, data=self.senses.signal(part))

    def _cache(self, name: str) -> CodeCache:
        codec = self.senses.codec(name)
        if name not in self._caches:
            folder = self.cache if self.cache is not None else cache_dir() / "codes"
            self._caches[name] = CodeCache(folder / f"{name}-{codec.fingerprint()}")
        return self._caches[name]


def _encoded(codec: Codec, batch: Sequence[tuple[bytes, int, Part]], signals: Sequence[Signal]) -> list[np.ndarray]:
    """Codes of a batch; where it is refused, one by one, so that the error tells the conversation."""
    try:
        return codec.encode(signals)
    except InputError:
        pairs = zip(batch, signals, strict=True)
        return [numbered(number, lambda one: codec.encode([one])[0], signal) for (_, number, _), signal in pairs]


def numbered(number: int, function: Any, item: Any) -> Any:
    """``function(item)``, its error telling which conversation the item belongs to."""
    try:
        return function(item)
    except InputError as error:
        raise InputError(f"conversation {number + 1}: {error}") from error
