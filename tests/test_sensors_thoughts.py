"""Thoughts about series: every word stands in the codes or follows from those before it, and the answer from all."""

from __future__ import annotations

import re

import numpy as np
import pytest
from recipes.sensors.facts import MOST, PLACES, TRENDS, Shape, shape_of
from recipes.sensors.tasks import COUNTS, counted, made_up, periodic, told
from recipes.sensors.thoughts import ENDS, EVEN, THIRDS, THOUGHTS, thinking

from sensorium.families.landmarks import COUNTED, KINDS, LEVELS, TOP, LandmarksCodec
from sensorium.families.numbers import in_words
from sensorium.types import Signal

NUMBER = {in_words(number): number for number in range(LEVELS)}
READ = LandmarksCodec()


def series(count: int) -> list[np.ndarray]:
    rngs = [np.random.default_rng(seed) for seed in range(count)]
    return [made_up(rng, 100) if seed % 2 else periodic(rng, 150)[0][:, None] for seed, rng in enumerate(rngs)]


def trend(thought: str) -> str:
    found = re.fullmatch("start ([a-z ]+), end (lower|level|higher), ([a-z ]+)", thought)
    assert found and {found[1], found[3]} <= {*NUMBER}, thought
    return f"It {TRENDS[('lower', 'level', 'higher').index(found[2])]}."


def times(peaks: list[str]) -> list[int]:
    """Of "peak one at ten", "peak two at forty", which are counted without a gap."""
    names, found = zip(*(one.split(" at ") for one in peaks), strict=True)
    assert list(names) == [f"peak {in_words(number + 1)}" for number in range(len(names))]
    return [NUMBER[one] for one in found]


def peaks(thought: str) -> str:
    if thought == "no peak":
        return "It has no peaks."
    found = thought.split(", ")
    many = found[-1].startswith("another peak at ")
    count = MOST + 1 if many else len(times(found))
    assert not many or len(times(found[:-1])) == COUNTED
    return f"It has {counted(count, 'peak')}."


def place(thought: str) -> str:
    found = re.fullmatch("top at ([a-z ]+?), (not )?after thirty three, (not )?after sixty six", thought)
    assert found, thought
    after = [not found[2], not found[3]]
    assert after == [NUMBER[found[1]] > third for third in THIRDS]
    return f"It is highest {PLACES[sum(after)]}."


def cycles(thought: str) -> str:
    first, *steps = thought.split("; ")
    if not steps:
        assert first == "no peak" or re.fullmatch("peak one at [a-z ]+, no other", first)
        return "It has no periods."
    told_peaks = first.removesuffix(", another peak").split(", ")
    at = times([told_peaks[0], *told_peaks[1::2]])
    ways = [NUMBER[one.removesuffix(" later")] for one in told_peaks[2::2]]
    assert ways == [later - before for before, later in zip(at, at[1:], strict=False)]
    shortest, longest, even = re.fullmatch("([a-z ]+) to ([a-z ]+), (even|uneven)", steps[0]).groups()
    assert (NUMBER[shortest], NUMBER[longest]) == (min(ways), max(ways))
    assert (even == "even") == (max(ways) <= EVEN * min(ways))
    if even == "uneven":
        return "It has no periods."
    if first.endswith(", another peak"):
        return "It has many periods."
    before, after, longer = re.fullmatch("([a-z ]+) before, ([a-z ]+) after, ([a-z ]+)", steps[1]).groups()
    assert (NUMBER[before], NUMBER[after]) == (at[0], LEVELS - 1 - at[-1])
    return "It has no periods." if longer == ENDS[2] else f"It has {counted(len(at) + ENDS.index(longer), 'period')}."


CONCLUDED = {"trend": trend, "peaks": peaks, "place": place, "cycles": cycles}


@pytest.mark.parametrize("kind", CONCLUDED)
def test_the_answer_follows_from_the_thought(kind):
    answers, silent = set(), 0
    for values in series(150):
        shape = shape_of(values)
        thought = thinking(kind, READ.encode([Signal(values)])[0], shape)
        silent += thought is None
        if thought is not None:
            assert CONCLUDED[kind](thought) == told(shape)[kind]
            answers.add(told(shape)[kind])
    assert len(answers) >= 3 and silent < (50 if kind == "cycles" else 10)


def test_all_is_told_by_three_thoughts():
    (values,) = series(1)
    codes, shape = READ.encode([Signal(values)])[0], shape_of(values)
    apart = [thinking(kind, codes, shape) for kind in ("trend", "peaks", "place")]
    assert thinking("all", codes, shape) == "; ".join(map(str, apart))


def test_what_is_copied_stands_in_the_codes_as_words():
    assert list(NUMBER) == list(READ.words(1)) == list(READ.words(2))
    for values in series(20):
        codes = READ.encode([Signal(values)])[0]
        words = [[READ.words(book)[code] for book, code in enumerate(row)] for row in codes.reshape(-1, 3)]
        thought = thinking("peaks", codes, shape_of(values))
        for one in (thought or "no peak").split(", "):
            assert one == "no peak" or one.split(" at ") in [row[:2] for row in words]


def test_nothing_is_thought_where_the_landmarks_mislead():
    codes = np.array([0, 0, 50, TOP, 33, 99, 5, 99, 50])
    shape = Shape("stays level", 0, 0, "in the middle")
    assert KINDS[5] == "end level" and COUNTS[0] == "no"
    assert thinking("place", codes, shape) is None
    assert thinking("all", codes, shape) is None
    assert thinking("trend", codes, shape) == "start fifty, end level, fifty"
    assert thinking("peaks", codes, shape) == "no peak"


def test_every_kind_of_question_has_its_thought():
    assert {*THOUGHTS} == {*told(shape_of(series(1)[0]))}
