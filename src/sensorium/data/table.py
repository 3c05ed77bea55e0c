"""The table of a data set: what every medium shows, on which side of the split it lies, how often it is sampled.

The split is leak-free: media of one *group* (whatever would give an answer away: one concept, one recording, one
person) lie on the same side, by a hash of the group, so that the split never changes when media are added.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import accumulate
from os import PathLike
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, get_origin, get_type_hints, overload

import numpy as np

from sensorium.files import atomic_file
from sensorium.types import InputError

Side = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One medium. A recipe adds fields of its own in a subclass: texts, numbers, tuples of texts, mappings.

    Args:
        medium: its number (the row of an array beside the table), or a path.
        label: what it shows; "" where nobody says.
        group: what may lie on one side of the split only.
        split: see `split_of`, or the data set's own.
        held_out: of a source that is never trained on, whatever the split.
        weight: how often it is sampled beside others.
        source, licence: where it is from, and under which terms.
    """

    medium: Any
    label: str = ""
    group: str = ""
    split: str = "train"
    held_out: bool = False
    weight: float = 1.0
    source: str = ""
    licence: str = ""

    @property
    def trainable(self) -> bool:
        """Whether a model, codec or judge may be trained on it: the one question to ask before training."""
        return self.split == "train" and not self.held_out


R = TypeVar("R", bound=Row)
T = TypeVar("T")


def split_of(group: str, test: float = 0.08, val: float = 0.04) -> Side:
    """The side of a group: always the same, whatever else there is.

    Args:
        test, val: shares of the groups.
    """
    place = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if place < test:
        return "test"
    return "val" if place < test + val else "train"


def write_rows(rows: Iterable[Row], path: str | PathLike[str]) -> None:
    """Write a table as Parquet, whole or not at all; mappings become JSON."""
    import pyarrow
    import pyarrow.parquet as parquet

    plain = [{key: _plain(value) for key, value in asdict(row).items()} for row in rows]
    with atomic_file(path) as out:
        parquet.write_table(pyarrow.Table.from_pylist(plain), out)


def read_rows(path: str | PathLike[str], kind: type[R], make: str) -> list[R]:
    """The rows of a table that `write_rows` wrote.

    Args:
        make: the command that makes the table, for the message.

    Raises:
        InputError: the table is missing, or lacks a column.
    """
    import pyarrow.parquet as parquet

    if not Path(path).exists():
        raise InputError(f"there is no table at {path}; make it with `{make}`")
    table = parquet.read_table(path)
    missing = [one.name for one in fields(kind) if one.name not in table.column_names]
    if missing:
        raise InputError(f"the table {path} lacks the columns {', '.join(missing)}; make it again with `{make}`")
    origins = {name: get_origin(hint) for name, hint in get_type_hints(kind).items()}
    names = [one.name for one in fields(kind)]
    return [kind(**{name: _typed(row[name], origins[name]) for name in names}) for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value


def _typed(value: Any, origin: Any) -> Any:
    if origin is tuple:
        return tuple(value or ())
    return json.loads(value) if isinstance(origin, type) and issubclass(origin, Mapping) else value


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Any, list[T]]:
    """Items by their key, in the order in which keys first occur."""
    groups: dict[Any, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def even_weights(
    items: Sequence[T], outer: Callable[[T], Hashable], inner: Callable[[T], Hashable], evenness: float = 1.0
) -> np.ndarray:
    """Weights with which every outer value comes equally often, and within it every inner value.

    Args:
        outer, inner: for instance what a medium shows, and where it is from.
        evenness: 1 as said; 0 makes an outer value as frequent as it has inner values.
    """
    paths = [(outer(item), inner(item)) for item in items]
    inside, same = Counter(path[0] for path in set(paths)), Counter(paths)
    return np.array([inside[path[0]] ** -evenness / same[path] for path in paths])


class Pool(Sequence[T], Generic[T]):
    """Items that are sampled by weight.

    Raises:
        InputError: there are none.
    """

    def __init__(self, items: Iterable[T], weights: Iterable[float]):
        self._items = list(items)
        if not self._items:
            raise InputError("there is nothing to sample from: the table holds no training rows; make it again")
        odds = list(weights)
        total = sum(odds)
        self._cumulative = list(accumulate(weight / total for weight in odds))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._items[index]

    def pick(self, uniform: float) -> T:
        """The item at ``uniform`` (0 to 1) of the weighted list."""
        return self._items[min(bisect_right(self._cumulative, uniform), len(self) - 1)]

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """(size,) numbers of items, sampled independently."""
        found = np.searchsorted(self._cumulative, rng.random(size), side="right")
        return found.clip(max=len(self) - 1)
