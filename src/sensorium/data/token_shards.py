"""Reading token shards: a map-style data set over memory-mapped files."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from sensorium import seals
from sensorium.checked import Range, checked, told
from sensorium.data.packing import Sample
from sensorium.data.shards import FORMAT, HEAD_FILE, Count, ShardInfo, checksum_of, fingerprints, opened, shard_info
from sensorium.files import is_file
from sensorium.senses import Senses
from sensorium.types import InputError


class TokenShards:
    """Samples of a folder that `write_shards` wrote, by number. Ids are read where they lie on disk.

    Args:
        folder: with a ``shards.json``.
        senses: of the model that will be trained; given, shards made for another are refused. A model that has got
            more codecs since is the same: no id has moved.

    Raises:
        InputError: the folder is unfinished, damaged, or was made with another tokenizer or codec.
    """

    def __init__(self, folder: str | PathLike[str], senses: Senses | None = None):
        self.folder = Path(folder)
        self.head = _read_head(self.folder)
        if senses is not None:
            self.check(senses)
        self._shards = [_Shard(self.folder / _name(shard), _info(shard)) for shard in self.head["shards"]]
        self._stops = np.cumsum([len(shard.offsets) - 1 for shard in self._shards]).tolist()

    def check(self, senses: Senses) -> None:
        """InputError if the shards were made for another model."""
        own, other = fingerprints(senses), self.head["fingerprints"]
        wrong = ["another tokenizer or chat template"] if own["text"] != other["text"] else []
        used = [name for name in other["codecs"] if self.head["kinds"].get(name)]
        wrong += [f"another codec {name!r}" for name in used if own["codecs"].get(name) != other["codecs"][name]]
        if wrong:
            raise InputError(
                f"the shards in {self.folder} were made with {' and '.join(wrong)} than this model's; "
                "encode the conversations again into another folder"
            )

    @property
    def fingerprint(self) -> str:
        """Changes whenever a shard does."""
        return hashlib.sha256("".join(shard["source"] for shard in self.head["shards"]).encode()).hexdigest()[:16]

    @property
    def lengths(self) -> np.ndarray:
        """(samples,) int64 tokens of every sample."""
        return np.concatenate([np.diff(shard.offsets) for shard in self._shards]).astype(np.int64)

    def __len__(self) -> int:
        return self._stops[-1]

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index = index % len(self)
        shard = bisect_right(self._stops, index)
        return self._shards[shard].sample(index - (self._stops[shard - 1] if shard else 0))


class _Shard:
    """A shard; its bytes are compared with their checksum when the first sample is read, which reads them anyway."""

    def __init__(self, path: Path, info: ShardInfo):
        self._path, self._info, self._checked = path, info, False
        if shard_info(path) != info:
            raise _damaged(path)
        try:
            self._batch = opened(path)
        except (OSError, ValueError, TypeError, IndexError) as error:
            raise _damaged(path) from error
        column = self._batch.column(0)
        self.offsets = np.asarray(column.offsets)
        self.ids = column.values.to_numpy()
        self.mask = self._batch.column(1).values
        if self._batch.num_rows != info.samples or len(self.mask) != len(self.ids):
            raise _damaged(path)

    def sample(self, index: int) -> Sample:
        if not self._checked:
            if checksum_of(self._batch) != self._info.checksum:
                raise _damaged(self._path)
            self._checked = True
        start, stop = self.offsets[index], self.offsets[index + 1]
        mask = self.mask.slice(start, stop - start).to_numpy(zero_copy_only=False)
        return Sample(self.ids[start:stop], mask)


def _damaged(path: Path) -> InputError:
    return InputError(
        f"the shard {path} is missing, damaged or newer than the rest; "
        "run `sensorium data encode` again, it writes what is missing"
    )


def _read_head(folder: Path) -> dict[str, Any]:
    path = folder / HEAD_FILE
    if not is_file(path):
        raise InputError(
            f"{folder} holds no finished token shards ({HEAD_FILE} is missing); run `sensorium data encode` to the end"
        )
    with told(f"{path} is damaged", "; run `sensorium data encode` again"):
        head = seals.read(path)
        if head.get("format") != FORMAT:
            raise InputError(f"it has format {head.get('format')!r:.40}, this version reads {FORMAT}")
        checked({name: value for name, value in head.items() if name not in OTHERS}, _Head, "it")
    return head


@dataclass(frozen=True, kw_only=True)
class _Prints:
    text: str
    codecs: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What ``shards.json`` says, see `sensorium.data.shards`."""

    samples: Count
    tokens: Count
    learned: Count
    kinds: dict[str, Count]
    fingerprints: _Prints
    shards: Annotated[list[dict[str, Any]], Range(1, 2**24)]


OTHERS = ("format", seals.CHECKSUMS, seals.SEAL)


def _name(shard: dict[str, Any]) -> str:
    """Of a shard's file, which lies in the folder."""
    name = checked(shard.get("file"), Annotated[str, Range(1, 100)], "a shard's file")
    if not re.fullmatch(r"shard-\d{5,}\.arrow", name):
        raise InputError(f"a shard is called shard-00000.arrow and so on, not {name!r}")
    return name


def _info(shard: dict[str, Any]) -> ShardInfo:
    return checked({name: value for name, value in shard.items() if name != "file"}, ShardInfo, "a shard")
