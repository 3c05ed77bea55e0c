"""The landmarks family: series to the list of their turns."""

from __future__ import annotations

import numpy as np
import pytest
from recipes.sensors.facts import TRENDS, made, peaks, shape_of

from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.landmarks import BOTTOM, END, KINDS, LEVELS, LOW, MOST, PEAK, START, TOP, LandmarksCodec, turns
from sensorium.types import InputError, Signal

CODEC = LandmarksCodec()
WRITER = LandmarksCodec("series", use="both")


def told(values: object) -> list[tuple[str, int, int]]:
    """What is read from a series (time,) or (time, channels)."""
    array = np.array(values, np.float32)
    (codes,) = CODEC.encode([Signal(array if array.ndim == 2 else array[:, None])])
    return [(KINDS[kind], at, value) for kind, at, value in codes.reshape(-1, 3).tolist()]


def test_it_is_a_codec():
    rng = np.random.default_rng(0)
    check_codec(CODEC, [Signal(rng.normal(size=(length, 2)).cumsum(0).astype(np.float32)) for length in (2, 30, 500)])


def test_a_hill_is_a_start_a_peak_and_an_end():
    up = [*range(11), *range(9, -1, -1)]
    found = told(up)
    assert [kind for kind, *_ in found] == ["start", "bottom", "peak one", "top", "end level"]
    assert [found[2][1:], found[3][1:]] == [(50, 99), (50, 99)]


def test_a_slope_ends_higher_or_lower():
    slope = list(range(40))
    for values, end in ((slope, "end higher"), (slope[::-1], "end lower"), ([1, 2] * 20, "end level")):
        assert told(values)[-1][0] == end


def test_peaks_are_counted_beyond_nine_as_another():
    kinds = [kind for kind, *_ in told(np.sin(np.linspace(0, 24 * np.pi, 400)))]
    assert [kind for kind in kinds if "peak" in kind] == [*KINDS[PEAK:], "another peak", "another peak"]
    assert kinds.count("low") >= 11


def test_what_is_told_is_true_of_made_up_series():
    rng, right = np.random.default_rng(1), []
    for number in range(200):
        values = made(number % 7, TRENDS[number % 3], 60, rng)
        rows = CODEC.encode([Signal(values)])[0].reshape(-1, 3)
        shape, top = shape_of(values), int(rows[rows[:, 0] == TOP][0, 1])
        assert (rows[:, 0] >= PEAK).sum() in (shape.peaks, shape.peaks - 1)
        assert abs(top / 99 - values[:, 0].argmax() / 59) < 0.01
        right.append(TRENDS[rows[-1, 0] - END] == shape.trend)
        assert set(rows[:, 0]) >= {START, TOP, BOTTOM}
    assert np.mean(right) > 0.97


def test_turns_stand_out_on_both_sides():
    x = np.array([0, 5, 4.5, 9, 0, 3, 2, 10.0])
    assert list(turns(x, 4)) == [(True, 3), (False, 4)]
    assert len([is_peak for is_peak, _ in turns(x, 0.9) if is_peak]) == peaks(x) + 1
    assert not list(turns(np.zeros(5), 0.0))


def test_of_many_turns_the_larger_ones_are_told():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=3000) + 30 * (np.arange(3000) == 1500)
    found = told(0.2 * noise)
    assert len(found) <= MOST and ("top", 50, 99) in found
    wild = told(rng.choice([0.0, 1.0], 3000))
    assert len(wild) <= MOST


def test_of_several_channels_the_strongest_is_told():
    both = np.stack([np.arange(20) / 100, -np.arange(20.0)], 1)
    assert told(both)[-1][0] == "end lower"


def test_a_level_series_has_no_turns():
    assert [kind for kind, *_ in told([3.0] * 9)] == ["start", "bottom", "top", "end level"]


def test_it_writes_what_it_reads():
    rng, right = np.random.default_rng(4), []
    signals = [Signal(made(number % 7, TRENDS[number % 3], 60, rng)) for number in range(200)]
    codes = WRITER.encode(signals)
    for signal, written in zip(signals, WRITER.decode(codes), strict=True):
        assert written.array.shape == (LEVELS, 1) and written.array.min() == 0 and written.array.max() == 1
        right.append((shape_of(signal.array), shape_of(written.array)))
    for fact in ("peaks", "place", "trend"):
        assert np.mean([getattr(one, fact) == getattr(other, fact) for one, other in right]) > 0.8, fact


def test_a_series_swings_from_landmark_to_landmark_in_whatever_order():
    frames = [(END, 99, 50), (START, 0, 0), (PEAK, 33, 60), (TOP, 33, 99)]
    x_L = WRITER.decode([np.ravel(frames)])[0].array[:, 0]
    assert [x_L[at] for at in (0, 33, 99)] == pytest.approx([0, 1, 50 / 99])
    assert (np.diff(x_L[:34]) > 0).all() and (np.diff(x_L[33:]) < 0).all()
    (level,) = WRITER.decode([np.array([TOP, 40, 99])])
    assert (level.array == 1).all()


def test_one_that_writes_is_saved_and_fits_the_contract(tmp_path):
    check_codec(WRITER, [Signal(np.arange(length, dtype=np.float32)[:, None]) for length in (9, 30)])
    WRITER.save(tmp_path / "codec")
    assert load_codec(tmp_path / "codec").facts == WRITER.facts


def test_it_only_reads_and_is_saved(tmp_path):
    codes = CODEC.encode([Signal(np.arange(9.0, dtype=np.float32)[:, None])])
    with pytest.raises(InputError, match="only reads"):
        CODEC.decode(codes)
    LandmarksCodec("other", step=0.5).save(tmp_path / "codec")
    other = load_codec(tmp_path / "codec")
    assert (other.facts.name, other.step) == ("other", 0.5)
    assert (other.words(0)[LOW], other.words(1)[42]) == ("low", "forty two")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gaps_are_refused(value):
    with pytest.raises(InputError, match="fill or cut the gap"):
        CODEC.encode([Signal(np.array([[0], [value], [1]], np.float32))])
