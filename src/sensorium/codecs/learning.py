"""How codecs learn: a class says it itself, in `Codec.learn`, from media that can be gone through again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sensorium.types import InputError, Signal


@dataclass(frozen=True)
class Media:
    """Media to learn from. Each pass opens them anew, one at a time, so that they need not fit into memory.

    Args:
        named: starts a pass: canonical signals, each with what is said of it, perhaps nothing.
    """

    named: Callable[[], Iterable[tuple[Signal, str]]]

    @classmethod
    def of(cls, signals: Iterable[Signal], words: Iterable[str] = ()) -> Media:
        """Media that are in memory already."""
        kept, said = list(signals), list(words)
        said += [""] * (len(kept) - len(said))
        return cls(lambda: zip(kept, said, strict=True))

    def __iter__(self) -> Iterator[Signal]:
        return (signal for signal, _ in self.named())

    def first(self) -> Signal:
        """InputError when there is none."""
        for signal in self:
            return signal
        raise InputError("there is no medium to learn from; give a folder, a pattern or a JSONL file that has some")


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What a class is given to learn with, beside the media.

    Args:
        minutes: wall time; a family without an open end stops when it is done.
        train: the one training loop: ``train(net, sample, loss, **how)`` trains a network in place for the time, and
            goes on from this run's checkpoint. ``sample(rng, count)`` makes a batch, a tensor or a mapping of tensors;
            ``loss(net, batch)`` gives named terms.
        codes: wished size of a codebook; None for the family's own default.
        say: where progress is told.
    """

    minutes: float
    train: Callable[..., Any]
    codes: int | None = None
    say: Callable[[str], None] = print
