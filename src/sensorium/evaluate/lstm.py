"""A small LSTM (Hochreiter and Schmidhuber 1997) of ids: what a network learns from the given streams alone.

Legend: B rows, T ids of a row, N places that are counted, H width, V ids of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.evaluate.foretellers import Foreteller
from sensorium.evaluate.spans import Books, Spans, counted
from sensorium.train_config import TrainConfig
from sensorium.training import Drawn, Terms, fit
from sensorium.types import InputError

WIDTH = 192
BATCH = 16
ROUNDS = 6
LR = 1e-2
HELD_OUT = 10
"""Every tenth stream is not learned from; it tells when to stop."""


class IdNet(nn.Module):
    """Input and output rows are one table; an id competes with those of its book alone."""

    def __init__(self, ids: int, width: int = WIDTH):
        super().__init__()
        self.rows = nn.Embedding(ids, width)
        nn.init.normal_(self.rows.weight, std=0.05)
        self.bias = nn.Parameter(torch.zeros(ids))
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.drop = nn.Dropout(0.3)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """(B, T, H): what foretells the id after each."""
        return self.drop(self.lstm(self.drop(self.rows(ids_BT)))[0])

    def nats(self, hidden_NH: Tensor, ids_N: Tensor, book_N: Tensor, books: Books) -> Tensor:
        """(N,) of the id that comes after each hidden state, among those of its book."""
        found_N = hidden_NH.new_zeros(len(ids_N))
        for book in book_N.unique().tolist():
            here, start = (book_N == book).nonzero()[:, 0], books.starts[book]
            stop = start + books.sizes[book]
            logits = F.linear(hidden_NH[here], self.rows.weight[start:stop], self.bias[start:stop])
            found_N = found_N.index_copy(0, here, F.cross_entropy(logits, ids_N[here] - start, reduction="none"))
        return found_N


class OfLSTM(Foreteller):
    """An LSTM trained for some minutes, in rounds that end when held-out streams are foretold worse than before.

    Args:
        streams: to learn from.
        minutes: at most. steps: of each round instead, so that it can be repeated exactly.
        asked: also learn what the user says and shows.
        say: hears how well held-out streams are foretold after each round.

    Raises:
        InputError: there are too few streams to hold some out.
    """

    name = "LSTM"

    def __init__(
        self,
        streams: Sequence[Spans],
        books: Books,
        minutes: float,
        steps: int | None = None,
        width: int = WIDTH,
        asked: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ):
        self._sides = (True, False) if asked else (True,)
        told = [one for one in streams if self._places(one)]
        tested, taught = told[::HELD_OUT], [one for n, one in enumerate(told) if n % HELD_OUT]
        if not taught:
            raise InputError(
                f"an LSTM needs at least 2 conversations with something to foretell, not {len(told)}; give more"
            )
        torch.manual_seed(0)
        self._books, self._net = books, IdNet(books.size, width)
        self.learned = {key: count for key, count in counted(taught).items() if key[1] in self._sides}
        best, kept = self._mean(tested), self._state()
        for number in range(ROUNDS):
            done = self._train(taught, minutes / ROUNDS, steps, number)
            mean = self._mean(tested)
            say(f"LSTM, round {number + 1} of {ROUNDS}, {done} steps: {mean:.3f} bits an id held out")
            if mean >= best:
                break
            best, kept = mean, self._state()
        else:
            self.unfinished = True
        self._net.load_state_dict(kept)

    def _train(self, streams: Sequence[Spans], minutes: float, steps: int | None, seed: int) -> int:
        """One round; the steps it took."""
        config = TrainConfig(
            minutes=None if steps else minutes, max_steps=steps, optimizer="adamw", lr=LR, schedule="linear",
            warmup=0.05, dtype="float32", device="cpu", seed=seed,
        )  # fmt: skip
        with TemporaryDirectory() as place:
            batches = Drawn(lambda rng, count: self._batch(rng, count, streams), BATCH, seed)
            return fit(self._net, batches, config, place, Terms(self._terms)).steps

    def _state(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self._net.state_dict().items()}

    def _batch(self, rng: np.random.Generator, count: int, streams: Sequence[Spans]) -> dict[str, Tensor]:
        """Ids, and the book of every id to foretell, -1 elsewhere."""
        chosen = [streams[int(rng.integers(len(streams)))] for _ in range(count)]
        ids_BT, book_BT = np.zeros((2, count, max(len(one.ids) for one in chosen)), np.int64) - [[[0]], [[1]]]
        for row, one in enumerate(chosen):
            ids_BT[row, : len(one.ids)] = one.ids
            where = self._places(one)
            book_BT[row, where] = self._books.book_V[one.ids[where]]
        return {"ids": torch.from_numpy(ids_BT), "book": torch.from_numpy(book_BT)}

    def _places(self, stream: Spans) -> list[int]:
        return [at for side in self._sides for at in stream.at(side)]

    def _terms(self, net: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        ids, book = batch["ids"][:, 1:], batch["book"][:, 1:]
        counted = book >= 0
        return {"nats": net.nats(net(batch["ids"][:, :-1])[counted], ids[counted], book[counted], self._books).mean()}

    def _mean(self, streams: Sequence[Spans]) -> float:
        return float(np.concatenate([self.bits(one)[self._places(one)] for one in streams]).mean())

    @torch.inference_mode()
    def bits(self, stream: Spans) -> np.ndarray:
        self._net.eval()
        found, ids = np.full(len(stream.ids), np.nan), torch.from_numpy(stream.ids)
        book_N = torch.from_numpy(self._books.book_V[stream.ids[1:]])
        where = book_N >= 0
        nats = self._net.nats(self._net(ids[None, :-1])[0][where], ids[1:][where], book_N[where], self._books)
        found[1:][where.numpy()] = nats.numpy() / np.log(2)
        return found
