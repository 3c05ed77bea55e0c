"""Reading token shards: a map-style data set over memory-mapped files."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sensorium.data.packing import Sample
from sensorium.data.shards import HEAD_FILE, fingerprints, shard_info
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
        self._shards = [_Shard(self.folder / shard["file"], shard["source"]) for shard in self.head["shards"]]
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
    def __init__(self, path: Path, source: str):
        info = shard_info(path)
        if info is None or info.source != source:
            raise _damaged(path)
        try:
            batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        except (OSError, pa.ArrowInvalid) as error:
            raise _damaged(path) from error
        column = batch.column(0)
        self.offsets = np.asarray(column.offsets)
        self.ids = column.values.to_numpy()
        self.mask = batch.column(1).values

    def sample(self, index: int) -> Sample:
        start, stop = self.offsets[index], self.offsets[index + 1]
        mask = self.mask.slice(start, stop - start).to_numpy(zero_copy_only=False)
        return Sample(self.ids[start:stop], mask)


def _damaged(path: Path) -> InputError:
    return InputError(
        f"the shard {path} is missing, damaged or newer than the rest; "
        "run `sensorium data encode` again, it writes what is missing"
    )


def _read_head(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} holds no finished token shards ({HEAD_FILE} is missing); run `sensorium data encode` to the end"
        ) from error
    except json.JSONDecodeError as error:
        raise InputError(f"{folder / HEAD_FILE} is damaged; run `sensorium data encode` again") from error
