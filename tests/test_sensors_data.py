"""The sensors recipe: reading the files, the split, and scores against values worked out by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.series_baselines import majority
from recipes.sensors.sets import SERIES, SETS, Example, split
from recipes.sensors.sources import read_column, read_ts

from sensorium.evaluate.forecasts import coverage, crps, mase, naive_error, seasonal_naive
from sensorium.generate.forecast import LEVELS
from sensorium.types import InputError

TS = "#a note\n@problemName toy\n@data\n1,2,3:4,5,6:up\n7,8:9,10:down\n"


def test_ts_files_are_read_with_channels_last(tmp_path):
    (tmp_path / "toy.ts").write_text(TS)
    (first, up), (second, down) = read_ts(tmp_path / "toy.ts")
    assert (up, down) == ("up", "down")
    assert first.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert second.shape == (2, 2)


@pytest.mark.parametrize("row", ["1,?:a", "1,2:3:a", "one,2:a", ":a", "1,nan:a"])
def test_a_bad_series_is_named(tmp_path, row):
    (tmp_path / "toy.ts").write_text("@data\n1,2:a\n" + row + "\n")
    with pytest.raises(InputError, match=r"toy\.ts, series 2: "):
        read_ts(tmp_path / "toy.ts")


def test_a_column_is_read_and_a_wrong_one_is_named(tmp_path):
    (tmp_path / "toy.csv").write_text("t,x\n1,2.5\n2,abc\n")
    assert read_column(tmp_path / "toy.csv", "t").tolist() == [1, 2]
    with pytest.raises(InputError, match="no column 'y'; it has t, x"):
        read_column(tmp_path / "toy.csv", "y")
    with pytest.raises(InputError, match="column 'x': could not convert"):
        read_column(tmp_path / "toy.csv", "x")


def make_examples(counts: dict[str, int]) -> list[Example]:
    answers = [answer for answer, count in counts.items() for _ in range(count)]
    return [Example(SETS[0], "train", i, np.zeros((3, 6)), answer) for i, answer in enumerate(answers)]


def test_validation_has_a_fifth_of_every_class_and_does_not_depend_on_the_order():
    examples = make_examples({"standing": 20, "running": 10, "walking": 2})
    train, validation = split(examples)
    assert Counter(one.answer for one in validation) == {"standing": 4, "running": 2, "walking": 1}
    assert {one.digest for one in train} | {one.digest for one in validation} == {one.digest for one in examples}
    again = split(examples[::-1])[1]
    assert {one.digest for one in again} == {one.digest for one in validation}


def test_classes_of_a_set_have_different_words():
    assert all(len(set(one.classes)) == len(one.classes) for one in SETS)
    assert len({one.question for one in SETS}) == len(SETS)


def test_origins_roll_to_the_end_and_never_show_what_comes(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("x\n" + "\n".join(map(str, range(20))) + "\n")
    monkeypatch.setattr("recipes.sensors.sets.folder", lambda wheel: tmp_path)
    series = replace(SERIES[0], file="x.csv", column="x", horizon=3, origins=2, every=2)
    first, last = series.rolling()
    assert first[0].tolist() == [0.5, 2.5, 4.5, 6.5] and first[1].tolist() == [8.5, 10.5, 12.5]
    assert last[1].tolist() == [14.5, 16.5, 18.5]
    assert series.known.tolist() == first[0].tolist()


def test_mase_by_hand():
    scale = naive_error(np.array([1.0, 2, 4, 6]), season=2)  # |4 - 1| and |6 - 2|
    assert scale == 3.5
    assert mase(np.array([7.0, 7]), np.array([7.0, 0]), scale) == 1.0


def test_crps_by_hand():
    actual = np.array([1.0])
    point = np.full((9, 1), 3.0)
    assert crps(actual, point, scale=2) == pytest.approx(1)  # of a point forecast: the absolute error
    spread = np.array(LEVELS)[:, None]  # quantiles of the uniform distribution
    by_hand = 2 * sum(level * (1 - level) for level in LEVELS) / 9
    assert crps(actual, spread, scale=1) == pytest.approx(by_hand)


def test_coverage_counts_the_steps_inside():
    quantiles = np.tile(np.array(LEVELS)[:, None], 4)
    assert coverage(np.array([0.0, 0.1, 0.5, 1.0]), quantiles) == 0.5


def test_seasonal_naive_repeats_the_last_season_with_symmetric_doubt():
    quantiles = seasonal_naive(np.array([0.0, 0, 1, 3, 2, 3]), season=2, horizon=3)
    assert quantiles[4].tolist() == [2, 3, 2]
    assert (np.diff(quantiles, axis=0) >= 0).all()


def test_majority_breaks_ties_by_name():
    train = make_examples({"walking": 2, "running": 2})
    assert majority(train, train[:3]) == ["running"] * 3
