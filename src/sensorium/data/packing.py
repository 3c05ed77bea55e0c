"""Packing: many short documents in few rows of equal length, none of which sees another.

Legend: B rows, T tokens of a row, N positions with a target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sensorium.types import InputError

NO_LOSS = -100  # what PyTorch's cross-entropy ignores


@dataclass(frozen=True)
class Sample:
    """One rendered conversation.

    Args:
        ids: (T,) int32 token ids.
        mask: (T,) bool, True where the model should learn to predict the id.
    """

    ids: np.ndarray
    mask: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, tokens: int) -> Sample:
        """Its first ``tokens`` tokens."""
        return self if len(self) <= tokens else Sample(self.ids[:tokens], self.mask[:tokens])


class Batch(NamedTuple):
    """A packed batch on the training device.

    Args:
        where_N: positions with a target, as indices into the flattened (B * T) tokens; worked out on the host,
            so that no step waits for the device.
        targets_N: their targets.
    """

    ids_BT: Tensor
    position_ids_BT: Tensor
    where_N: Tensor
    targets_N: Tensor

    @classmethod
    def of(cls, packed: PackedBatch, rows: slice, device: torch.device) -> Batch:
        """The given rows of a `PackedBatch`."""
        targets = packed.targets[rows].ravel()
        where = np.flatnonzero(targets >= 0)
        arrays = (packed.ids[rows], packed.position_ids[rows], where, targets[where])
        return cls(*(torch.from_numpy(np.ascontiguousarray(a)).to(device, non_blocking=True) for a in arrays))


@dataclass(frozen=True)
class PackedBatch:
    """Args:
    ids: (B, T) int64 token ids; 0 where a row is empty.
    targets: (B, T) int64; logits at t predict ``targets[t]``, which is the next id of the same document, or
        -100 where nothing is learned.
    position_ids: (B, T) int64, from 0 in every document. An empty place has position 0, so it is a document
        of its own and nothing attends to it.
    documents: number of documents in the batch.
    """

    ids: np.ndarray
    targets: np.ndarray
    position_ids: np.ndarray
    documents: int

    @property
    def learned(self) -> int:
        """Number of targets."""
        return int((self.targets != NO_LOSS).sum())

    @property
    def rows(self) -> int:
        return len(self.ids)

    @property
    def tokens(self) -> int:
        """Empty places included."""
        return self.ids.size

    def to(self, device: torch.device, rows: slice = slice(None)) -> Batch:
        """The given rows on a device."""
        return Batch.of(self, rows, device)


def assign_rows(lengths: Sequence[int] | np.ndarray, tokens: int) -> list[list[int]]:
    """Indices of the documents of each row, by best fit, longest document first.

    Every document goes to the row whose free space it fills best (best-fit decreasing; Johnson 1974,
    doi:10.1137/0203025). Rows are kept by free space, and the bits of one integer say which spaces occur, so a
    document costs about a microsecond.

    Raises:
        InputError: a document is longer than a row.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if len(lengths) and lengths.max() > tokens:
        raise InputError(
            f"a sample of {lengths.max()} tokens does not fit a row of {tokens}; use longer rows or cut it"
        )
    rows: list[list[int]] = []
    rows_by_space: list[list[int]] = [[] for _ in range(tokens + 1)]
    spaces = 0
    for index in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[index])
        fitting = spaces >> length
        if fitting:
            space = length + (fitting & -fitting).bit_length() - 1
            row = rows_by_space[space].pop()
            if not rows_by_space[space]:
                spaces ^= 1 << space
        else:
            space, row = tokens, len(rows)
            rows.append([])
        rows[row].append(index)
        rows_by_space[space - length].append(row)
        spaces |= 1 << (space - length)
    return rows


def fill_rows(rows: Iterable[Sequence[Sample]], tokens: int) -> PackedBatch:
    """Rows of samples, already assigned, as arrays."""
    rows = list(rows)
    shape = (len(rows), tokens)
    ids, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    targets = np.full(shape, NO_LOSS, np.int64)
    counting = np.arange(tokens)
    documents = 0
    for row, samples in enumerate(rows):
        at = 0
        for sample in samples:
            end = at + len(sample)
            ids[row, at:end] = sample.ids
            positions[row, at:end] = counting[: end - at]
            targets[row, at : max(at, end - 1)] = np.where(sample.mask[1:], sample.ids[1:], NO_LOSS)
            at = end
        documents += len(samples)
    return PackedBatch(ids, targets, positions, documents)


def pack(samples: Sequence[Sample], tokens: int) -> PackedBatch:
    """All samples in as few rows of ``tokens`` tokens as best fit finds.

    Every masked id is a target exactly once, except a first id, which nothing precedes.

    Raises:
        InputError: a sample is longer than a row.
    """
    rows = assign_rows([len(sample) for sample in samples], tokens)
    return fill_rows(([samples[index] for index in row] for row in rows), tokens)
