"""Bits an id: does a model know more of held-out streams than an n-gram of the same ids does?

A model has to say which of all ids comes next; the others are told which ids it is among (see
`sensorium.evaluate.foretellers`), so that a model that only knows the form of a stream does not look better than they.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from sensorium.evaluate.clustered import bootstrap
from sensorium.evaluate.foretellers import Foreteller, Halves, OfModel, OfNGram, Uniform
from sensorium.evaluate.lstm import OfLSTM
from sensorium.evaluate.results import Results
from sensorium.evaluate.spans import Books, Spans, spans_of, within
from sensorium.model import context_of
from sensorium.types import TEXT, Conversation, InputError


@dataclass(frozen=True)
class Bits:
    """A quotient of sums with its 95 % interval, by drawing again whole media (cluster bootstrap).

    Args:
        count: ids or characters.
        clusters: media, or conversations without any.
    """

    value: float
    low: float
    high: float
    count: int
    clusters: int

    @classmethod
    def of(cls, bits: Sequence[float], counts: Sequence[int], clusters: Sequence[Hashable]) -> Self:
        """Of the bits and the number of ids of every stream."""
        places: dict[Hashable, int] = {}
        index = [places.setdefault(one, len(places)) for one in clusters]
        bits_C, counts_C = np.bincount(index, bits), np.bincount(index, counts)
        low, high = bootstrap(bits_C, counts_C, seed=0)
        value = float(bits_C.sum() / counts_C.sum())
        return cls(value, min(low, value), max(high, value), int(counts_C.sum()), len(counts_C))

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.count}, {self.clusters} media)"

    def to_json(self) -> dict[str, Any]:
        return {name: round(value, 5) for name, value in asdict(self).items()}


def compare_bits(
    streams: Sequence[Spans], foretellers: Sequence[Foreteller], results: Results, asked: bool = False
) -> Results:
    """Rows for every kind of id: bits an id, of texts a character, and how many fewer the first one needs.

    Rows of the same texts or codes have the same digest (see `Results.add`), whatever ids they were written with.

    Args:
        foretellers: the first is compared with each of the others on the same ids.
        asked: also count what the user says and shows, which models are seldom trained to foretell.

    Raises:
        InputError: nothing is there to count.
    """
    told = [[one.bits(stream) for stream in streams] for one in foretellers]
    kinds = dict.fromkeys((one.kind, one.learned) for stream in streams for one in stream.parts)
    for kind, learned in sorted(kinds, key=lambda one: (not one[1], one[0] != TEXT, one[0])):
        if learned or asked:
            _kind_rows(results, kind, learned, streams, foretellers, told)
    if not results.rows:
        raise InputError("the conversations have no answers whose bits could be counted; give some, or count prompts")
    results.notes["ids learned from"] = {
        one.name: {kind if side else f"{kind}, asked": count for (kind, side), count in one.learned.items()}
        for one in foretellers
    }
    return results


def _kind_rows(
    results: Results,
    kind: str,
    learned: bool,
    streams: Sequence[Spans],
    foretellers: Sequence[Foreteller],
    told: Sequence[Sequence[np.ndarray]],
) -> None:
    own = [[one for one in stream.parts if (one.kind, one.learned) == (kind, learned)] for stream in streams]
    kept = [number for number, parts in enumerate(own) if parts]
    clusters = [streams[number].cluster for number in kept]
    counts = [sum(one.stop - one.start for one in own[number]) for number in kept]
    characters = [sum(one.characters for one in own[number]) for number in kept]
    bits = [
        [sum(float(by[number][one.start : one.stop].sum()) for one in own[number]) for number in kept] for by in told
    ]
    name = kind if learned else f"{kind}, asked"
    items = [one.said for number in kept for one in own[number]]
    for one, found in zip(foretellers, bits, strict=True):
        taught = one.learned.get((kind, learned))
        said = one.name + (f", learned from {taught:,} ids" if taught else "")
        said += ", still learning when its time was over" if one.unfinished else ""
        unit = "token" if kind == TEXT else "code"
        results.add(f"{name}: bits a {unit}", said, Bits.of(found, counts, clusters), items)
        if kind == TEXT and any(characters):
            results.add(f"{name}: bits a character", said, Bits.of(found, characters, clusters), items)
    for one, found in zip(foretellers[1:], bits[1:], strict=True):
        fewer = np.subtract(found, bits[0]).tolist()
        results.add(
            f"{name}: bits saved by the {foretellers[0].name}", f"against {one.name}", Bits.of(fewer, counts, clusters)
        )


def baselines(
    streams: Sequence[Spans],
    taught: Sequence[Spans],
    books: Books,
    order: int = 4,
    minutes: float = 0.0,
    asked: bool = False,
    say: Callable[[str], None] = print,
) -> list[Foreteller]:
    """Whom a model is compared with: an n-gram, an LSTM if it is given minutes, a unigram, and guessing evenly.

    Args:
        streams: that are to be foretold.
        taught: to learn from; if none, each half of ``streams`` is foretold by who learned from the other.
        asked: the LSTM also learns what the user says and shows; the others always do.
        say: hears how far the LSTM is.

    Raises:
        InputError: there is too little to learn from.
    """
    makers: list[Callable[[Sequence[Spans]], Foreteller]] = [lambda own: OfNGram(own, books, order)]
    if minutes:
        share = minutes if taught else minutes / 2
        makers.append(lambda own: OfLSTM(own, books, share, asked=asked, say=say))
    makers.append(lambda own: OfNGram(own, books, 1))
    made = [make(taught) if taught else Halves(streams, make) for make in makers]
    return [*made, Uniform(books)]


def measure_bits(
    model: Any,
    conversations: Iterable[Conversation],
    taught: Iterable[Conversation] = (),
    *,
    order: int = 4,
    minutes: float = 0.0,
    asked: bool = False,
    say: Callable[[str], None] = print,
) -> Results:
    """Bits of held-out conversations under a model (an `Assistant`) and under the `baselines`, kind by kind.

    Conversations with media that the model has no codec for are left out. The note ``base`` names the pretrained model
    that this one grew from, where it says so.

    Raises:
        InputError: see `baselines` and `compare_bits`.
    """
    streams, own = (_of(model, some, say) for some in (conversations, taught))
    foretellers = [OfModel(model), *baselines(streams, own, Books.of(model.vocabulary), order, minutes, asked, say)]
    return compare_bits(streams, foretellers, Results(notes={"base": model.base_name}, say=say), asked)


def _of(model: Any, conversations: Iterable[Conversation], say: Callable[[str], None]) -> list[Spans]:
    given = list(conversations)
    kept = [one for one in given if within(model.senses, one)]
    if len(kept) < len(given):
        say(f"{len(given) - len(kept)} of {len(given)} conversations left out: the model has no codec for their media")
    return spans_of(model.senses, kept, context_of(model.lm))
