"""The loader: packed batches in a fixed order that can stop and go on at any batch.

A plain iterator with a counter, rather than torchdata's StatefulDataLoader: batches are slices of
memory-mapped shards, cheap enough to make beside the training step, so there are no worker processes whose
states would have to be gathered. What a batch holds follows from (seed, epoch, window, row), which is the
whole state and exact by construction; it counts rows over all ranks, so a run may go on with another number
of ranks or rows per batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from sensorium.data.mixture import Dataset, lengths_of
from sensorium.data.packing import PackedBatch, Sample, assign_rows, fill_rows
from sensorium.types import InputError

log = logging.getLogger(__name__)


class PackedLoader:
    """Endless packed batches, or ``epochs`` of them.

    Each epoch has its own order. It is cut into windows of ``window`` samples; within a window samples are
    packed by best fit and the rows shuffled. Every sample comes exactly once an epoch, cut to ``row_tokens``
    if it is longer (a warning says how many are).

    Args:
        dataset: samples by number, see `Dataset`.
        batch_rows: rows of a batch of this rank.
        row_tokens: tokens of a row.
        seed: of the order.
        rank, world_size: this process and how many there are; each gets its own rows of every batch.
        epochs: stop after so many, the last batch filled up with empty rows; None never stops.
        window: samples packed at a time.
        pack: False gives every sample a row of its own.
        late: which samples come after the others in the first window of the first epoch; None for no such order.

    Raises:
        InputError: there are no samples, or a number is out of range.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_rows: int,
        row_tokens: int,
        seed: int = 0,
        *,
        rank: int = 0,
        world_size: int = 1,
        epochs: int | None = None,
        window: int = 8192,
        pack: bool = True,
        late: Callable[[Sample], bool] | None = None,
    ):
        if len(dataset) == 0:
            raise InputError("there are no samples to train on; encode some conversations first")
        if min(batch_rows, row_tokens - 1, window) < 1 or not 0 <= rank < world_size:
            raise InputError(
                f"a loader takes at least 1 row of 2 tokens and a rank below world_size; "
                f"got batch_rows={batch_rows}, row_tokens={row_tokens}, window={window}, rank {rank} of {world_size}"
            )
        self.dataset, self.batch_rows, self.row_tokens, self.seed = dataset, batch_rows, row_tokens, seed
        self.rank, self.world_size, self.epochs, self.window, self.pack = rank, world_size, epochs, window, pack
        self.late = late
        self._epoch, self._window, self._row = 0, 0, 0
        self._open_epoch()
        self._warn_of_cuts()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> PackedBatch:
        first = self.rank * self.batch_rows
        own: list[list[Sample]] = []
        for number in range(self.batch_rows * self.world_size):
            row = self._next_row()
            if row is None and number == 0:
                raise StopIteration
            if first <= number < first + self.batch_rows:
                own.append([self.dataset[index].cut(self.row_tokens) for index in row or ()])
        return fill_rows(own, self.row_tokens)

    @property
    def progress(self) -> float:
        """Epochs done, e.g. 1.25."""
        first = self._window * self.window
        here = min(self.window, len(self.dataset) - first)
        return self._epoch + (first + here * self._row / len(self._rows)) / len(self.dataset)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch starts, as JSON-able numbers; the same on every rank."""
        return {"epoch": self._epoch, "window": self._window, "row": self._row, "made_for": self._made_for()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken.

        Raises:
            InputError: it was taken with other data, another seed or another row length.
        """
        own, other = self._made_for(), state["made_for"]
        if own != other:
            different = ", ".join(
                f"{key} {other.get(key)} then and {own.get(key)} now"
                for key in own | other
                if own.get(key) != other.get(key)
            )
            raise InputError(
                f"the data have changed since the checkpoint ({different}); start a new run in another folder"
            )
        self._epoch, self._window, self._row = state["epoch"], state["window"], state["row"]
        self._open_epoch()

    def _made_for(self) -> dict[str, Any]:
        made_for = {
            "samples": len(self.dataset),
            "row_tokens": self.row_tokens,
            "window": self.window,
            "seed": self.seed,
        }
        made_for |= {} if self.late is None else {"late samples": True}
        return made_for | {"fingerprint": getattr(self.dataset, "fingerprint", None)}

    def _next_row(self) -> list[int] | None:
        """Samples of the next row, across windows and epochs; None after the last epoch."""
        while self.epochs is None or self._epoch < self.epochs:
            if self._row < len(self._rows):
                self._row += 1
                return self._rows[self._row - 1]
            self._window, self._row = self._window + 1, 0
            if self._window * self.window >= len(self.dataset):
                self._epoch, self._window = self._epoch + 1, 0
                self._open_epoch()
            else:
                self._open_window()
        return None

    def _open_epoch(self) -> None:
        go_to = getattr(self.dataset, "set_epoch", None)
        if go_to is not None:
            go_to(self._epoch)
        self._lengths = lengths_of(self.dataset)
        self._order = np.random.default_rng([self.seed, self._epoch]).permutation(len(self.dataset))
        self._open_window()

    def _open_window(self) -> None:
        members = self._order[self._window * self.window : (self._window + 1) * self.window]
        self._rows = [row for group in self._groups(members) for row in self._packed(group)]

    def _groups(self, members: np.ndarray) -> list[np.ndarray]:
        """What is packed and shuffled together, in the order in which it comes."""
        if self.late is None or self._epoch or self._window:
            return [members]
        late = np.array([self.late(self.dataset[index]) for index in members.tolist()], dtype=bool)
        return [members[~late], members[late]]

    def _packed(self, members: np.ndarray) -> list[list[int]]:
        lengths = np.minimum(self._lengths[members], self.row_tokens)
        rows = assign_rows(lengths, self.row_tokens) if self.pack else [[n] for n in range(len(members))]
        shuffled = np.random.default_rng([self.seed, self._epoch, self._window]).permutation(len(rows))
        return [members[rows[index]].tolist() for index in shuffled]

    def _warn_of_cuts(self) -> None:
        cut = int((self._lengths > self.row_tokens).sum())
        if cut:
            log.warning(
                "%d of %d samples are longer than a row of %d tokens (the longest has %d) and are cut; "
                "use longer rows to keep them whole",
                cut, len(self.dataset), self.row_tokens, self._lengths.max(),
            )  # fmt: skip
