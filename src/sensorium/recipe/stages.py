"""A training history as a typed list: stages that one command runs one after the other, or goes on with.

A stage writes its conversations as token shards, starts from the weights of the stage before, and trains for its time.
Whatever was done before is found again: a stage that has had its time is passed over, one that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensorium.data import PackedLoader, TokenShards, write_shards
from sensorium.files import atomic_file, cache_dir
from sensorium.model import Grown
from sensorium.training import TrainConfig, fit, loss_of
from sensorium.training.checkpoint import Checkpoint, load_latest
from sensorium.training.loop import AVERAGE
from sensorium.training.losses import Among
from sensorium.types import Conversation, InputError

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a history.

    Args:
        shares: odds of the tasks its conversations are made by.
        minutes: time of the training.
        start: name of a model to go on from; "" for the weights of the stage before, or fresh ones in the first.
        conversations: how many are written as shards; training goes round them as long as it has time.
        lr, cooldown: where they differ from the plan's, see `TrainConfig`.
        aligned: turn the reading codec's rows to the words of names first, see `sensorium.model.align`.
        note: why, and what came of it.
    """

    shares: Mapping[str, float]
    minutes: float
    start: str = ""
    conversations: int = 150_000
    lr: Mapping[str, float] | None = None
    cooldown: float | None = None
    aligned: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a model is made.

    Args:
        name: of the model; its runs lie in ``folder``.
        folder: inside the cache folder.
        stages: its history.
        grown: the model to train, given where it starts: "" for fresh weights, else the name of a model.
        conversations: those of a stage, with codes, given the stage and the number of its first conversation; no two
            stages have the same.
        config: of every stage, but for time and what the stage says.
        weights: how much tokens of a kind count in the loss, 1 where not said: a written medium may have 64 codes and
            its name two tokens, which unweighted would hardly be learned.
        keep: weight of words that are kept as the base says them, see `KeptWordsLoss`; 0 for none.
        among: what a token competes with in the loss, see `NextTokenLoss`.
        rows, row_tokens: packed rows a step and tokens a row.
        align: turns rows to words, for stages that want it.
        export: writes the trained model into a folder.
        out: where to, if nobody says.
    """

    name: str
    folder: str
    stages: Sequence[Stage]
    grown: Callable[[str], Grown]
    conversations: Callable[[Stage, int], Iterable[Conversation]]
    config: TrainConfig
    weights: Mapping[str, float]
    keep: float = 0.0
    among: Among = "all"
    rows: int
    row_tokens: int
    align: Callable[[Grown], None] | None = None
    export: Callable[[Grown, Path], Path]
    out: Path

    def run(
        self,
        first: int = 0,
        last: int | None = None,
        minutes: float | None = None,
        start: str = "",
        say: Say = print,
    ) -> None:
        """Train the stages from ``first`` to ``last``.

        Args:
            minutes: for all of them together, each having its part; None for their own times.
            start: name of a model that the first of them goes on from, instead of what it says itself.

        Raises:
            InputError: there is no such stage, or the one before ``first`` has not been trained.
        """
        wanted = range(first, len(self.stages) if last is None else last + 1)
        if not wanted or wanted[-1] >= len(self.stages) or first < 0:
            raise InputError(f"{self.name} has the stages 0 to {len(self.stages) - 1}; choose among them")
        share = 1.0 if minutes is None else minutes / sum(self.stages[number].minutes for number in wanted)
        stages = list(self.stages)
        stages[first] = replace(stages[first], start=start or stages[first].start)
        plan = replace(self, stages=stages)
        for number in wanted:
            if not plan.train(number, share * stages[number].minutes, say):
                return

    def train(self, number: int, minutes: float, say: Say = print) -> bool:
        """Train one stage, or go on from its last checkpoint, until it has had so many minutes in all.

        Returns:
            Whether it has had them; not if a signal stopped it.
        """
        stage, done = self.stages[number], self.run_folder(number) / "minutes"
        if done.exists() and float(done.read_text()) >= minutes:
            say(f"{self.name}, stage {number}: has had its {minutes:g} minutes")
            return True
        say(f"{self.name}, stage {number}: {minutes:g} minutes. {stage.note}".rstrip())
        grown = self.body(number)
        shards = self.shards(number, grown)
        if load_latest(self.run_folder(number) / "checkpoints") is None:
            self._start(number, grown)
        loader = PackedLoader(shards, batch_rows=self.rows, row_tokens=self.row_tokens, seed=self.config.seed)
        config = replace(self.config, minutes=minutes, **_given(lr=stage.lr, cooldown=stage.cooldown))
        loss = loss_of(self.weights, self.among, self.keep)
        result = fit(grown, loader, config, self.run_folder(number), loss)
        say(str(result))
        if result.stopped == "signal":
            say(f"{self.name}, stage {number}: stopped before the end; the same command goes on from here")
            return False
        with atomic_file(done) as path:
            path.write_text(f"{minutes:g}", encoding="utf-8")
        return True

    def body(self, number: int) -> Grown:
        """The model that a stage trains, as it was where its history starts."""
        return self.grown(next((one.start for one in reversed(self.stages[: number + 1]) if one.start), ""))

    def shards(self, number: int, grown: Grown) -> TokenShards:
        """A stage's training conversations; what is written already is found."""
        stage = self.stages[number]
        first = sum(before.conversations for before in self.stages[:number])
        place = self.home / f"shards-{number}"
        write_shards(self.conversations(stage, first), grown.senses, place)
        return TokenShards(place, grown.senses)

    def _start(self, number: int, grown: Grown) -> None:
        stage = self.stages[number]
        if number and not stage.start:
            grown.load_train_state(grown.train_state() | fitting(self.weights_of(number - 1), grown))
        if stage.aligned and self.align is not None:
            self.align(grown)

    @property
    def home(self) -> Path:
        return cache_dir() / self.folder

    def run_folder(self, number: int) -> Path:
        return self.home / f"run-{number}"

    def weights_of(self, number: int) -> dict[str, Any]:
        """What trains, at a stage's last checkpoint."""
        found = load_latest(self.run_folder(number) / "checkpoints")
        if found is None:
            raise InputError(f"there is no checkpoint in {self.run_folder(number)}; train stage {number} first")
        return trained(found)

    def write(self, out: Path | None = None, number: int | None = None, start: str = "") -> Path:
        """Export the model as it is after a stage, the last where none is named; the folder.

        Args:
            start: as `run` was told.
        """
        number = len(self.stages) - 1 if number is None else number
        grown = self.grown(start) if start else self.body(number)
        grown.load_train_state(self.weights_of(number))
        return self.export(grown, out or self.out)


def trained(found: Checkpoint) -> dict[str, Any]:
    """What trains, at a checkpoint; running averages of it are left out."""
    return {name: value for name, value in found.weights.items() if not name.startswith(AVERAGE)}


def fitting(weights: Mapping[str, Any], grown: Grown) -> dict[str, Any]:
    """The weights that have a place in this model; rows of a codec of another shape start anew."""
    own = grown.train_state()
    return {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
