"""Thinking about a series before answering: the landmarks that matter, in their own words, and what follows from them.

What a thought tells stands in the codes of the family `landmarks` (Perng et al. 2000, see there), word for word: times
and heights are hundredths. Every step is a small one (chain of thought, Wei et al. 2022, arXiv:2201.11903): the time of
the top is held against thirds; peaks are counted through; the ways between them are told and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from recipes.sensors.facts import PLACES, TRENDS, Shape
from recipes.sensors.tasks import told

from sensorium.families.landmarks import COUNTED, END, KINDS, LEVELS, PEAK, TOP
from sensorium.families.numbers import in_words

THIRDS = (33, 66)
"""The last hundredths of the beginning and of the middle."""
EVEN = 1.5
"""Peaks come evenly where the longest way between two is at most so many times the shortest."""
ENDS = ("as many", "one more", "too long")
"""By how many periods longer the ends are than one: what that makes of the periods, which are as many as peaks."""


@dataclass(frozen=True)
class Landmark:
    """What it is, as a number among `KINDS`, when, and how high, both in hundredths, from 0 to 99."""

    kind: int
    time: int
    height: int

    @property
    def what(self) -> str:
        return KINDS[self.kind]

    @property
    def when(self) -> str:
        """ "peak one at forty two"."""
        return f"{self.what} at {in_words(self.time)}"


def thinking(kind: str, codes: np.ndarray, shape: Shape) -> str | None:
    """The thought about a question of a kind of `recipes.sensors.tasks.ASK`; None where the landmarks mislead.

    Args:
        codes: (3 times as many as landmarks,) of the codec `LandmarksCodec`.
        shape: the facts of the series.
    """
    marks = [Landmark(*map(int, row)) for row in codes.reshape(-1, 3)]
    right = told(concluded(marks))[kind] == told(shape)[kind]
    return THOUGHTS[kind](marks) if right else None


def concluded(marks: Sequence[Landmark]) -> Shape:
    """What somebody makes of a series who knows its landmarks alone."""
    top = next(mark.time for mark in marks if mark.kind == TOP)
    return Shape(
        trend=TRENDS[marks[-1].kind - END],
        peaks=len(peaks(marks)),
        cycles=Spacing.of(marks).cycles,
        place=PLACES[sum(top > third for third in THIRDS)],
    )


def peaks(marks: Sequence[Landmark]) -> list[Landmark]:
    return [mark for mark in marks if mark.kind >= PEAK]


def goes(marks: Sequence[Landmark]) -> str:
    """ "start twenty, end higher, eighty"."""
    return f"start {in_words(marks[0].height)}, {marks[-1].what}, {in_words(marks[-1].height)}"


def counted_through(marks: Sequence[Landmark]) -> str:
    """ "peak one at ten, peak two at forty"; beyond `COUNTED` one more is enough."""
    return ", ".join(peak.when for peak in peaks(marks)[: COUNTED + 1]) or "no peak"


def placed(marks: Sequence[Landmark]) -> str:
    """ "top at sixty two, after thirty three, not after sixty six"."""
    top = next(mark for mark in marks if mark.kind == TOP)
    return ", ".join([top.when, *(f"{'' if top.time > third else 'not '}after {in_words(third)}" for third in THIRDS)])


@dataclass(frozen=True)
class Spacing:
    """How the peaks of a series that have a number follow each other, in hundredths of its length.

    Args:
        peaks: those; there may be others.
        others: there are.
    """

    peaks: Sequence[Landmark]
    others: bool

    @classmethod
    def of(cls, marks: Sequence[Landmark]) -> Spacing:
        found = peaks(marks)
        return cls(found[:COUNTED], len(found) > COUNTED)

    @property
    def ways(self) -> list[int]:
        """From each peak to the next."""
        times = [peak.time for peak in self.peaks]
        return [later - before for before, later in zip(times, times[1:], strict=False)]

    @property
    def even(self) -> bool:
        return bool(self.ways) and max(self.ways) <= EVEN * min(self.ways)

    @property
    def ends(self) -> tuple[int, int]:
        """Before the first peak and after the last."""
        return self.peaks[0].time, LEVELS - 1 - self.peaks[-1].time

    @property
    def longer(self) -> int:
        """By how many periods the ends together are longer than one, a place of `ENDS`."""
        return 0 if self.others else min(max(round(sum(self.ends) * len(self.ways) / sum(self.ways)) - 1, 0), 2)

    @property
    def cycles(self) -> int:
        """Periods; 0 where there are none."""
        if not self.even or self.longer == 2:
            return 0
        return len(self.peaks) + (self.others or self.longer)


def spaced(marks: Sequence[Landmark]) -> str:
    """ "peak one at ten, peak two at forty, thirty later; thirty to thirty, even; ten before, ..., one more".

    A peak beyond `COUNTED` ends it: there are many.
    """
    spacing = Spacing.of(marks)
    if not spacing.ways:
        return f"{counted_through(marks)}{', no other' if spacing.peaks else ''}"
    first, *later = spacing.peaks
    said = [first.when, *(f"{one.when}, {in_words(way)} later" for one, way in zip(later, spacing.ways, strict=True))]
    steps = [", ".join([*said, KINDS[-1]] if spacing.others else said)]
    steps.append(f"{in_words(min(spacing.ways))} to {in_words(max(spacing.ways))}, {_evenly(spacing)}")
    if spacing.even and not spacing.others:
        before, after = map(in_words, spacing.ends)
        steps.append(f"{before} before, {after} after, {ENDS[spacing.longer]}")
    return "; ".join(steps)


def _evenly(spacing: Spacing) -> str:
    return "even" if spacing.even else "uneven"


def everything(marks: Sequence[Landmark]) -> str:
    return "; ".join([goes(marks), counted_through(marks), placed(marks)])


THOUGHTS: Mapping[str, Callable[[Sequence[Landmark]], str]] = {
    "trend": goes, "peaks": counted_through, "cycles": spaced, "place": placed, "all": everything,
}  # fmt: skip
"""By kind of question."""
