"""The sensors recipe: what is said of a series is true of its numbers."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from recipes.sensors import tasks
from recipes.sensors.facts import cycles, peaks, period, shape_of, trend
from recipes.sensors.sets import SETS

TIME = np.linspace(0, 1, 100, endpoint=False)


def test_trend_compares_the_ends_with_the_range():
    assert trend(TIME) == "rises"
    assert trend(-TIME) == "falls"
    assert trend(np.sin(2 * np.pi * 4 * TIME)) == "stays level"
    assert trend(np.zeros(5)) == "stays level"


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_peaks_of_a_wave_are_counted(count):
    assert peaks(-np.cos(2 * np.pi * count * TIME)) == count


def test_a_slope_and_small_wiggles_are_no_peaks():
    assert peaks(TIME) == 0
    assert peaks(TIME + 0.05 * np.sin(60 * TIME)) == 0
    assert peaks(np.ones(10)) == 0


@pytest.mark.parametrize("count", [2, 3, 8])
def test_periods_of_a_wave_on_a_slope(count):
    wave = np.sin(2 * np.pi * count * TIME) + 2 * TIME
    assert cycles(wave) == count
    assert abs(period(wave) - 100 / count) <= 1


def test_a_line_and_noise_have_no_period():
    assert cycles(TIME) == 0
    assert cycles(np.random.default_rng(0).normal(size=100)) == 0


def test_facts_are_those_of_the_channel_that_varies_most():
    shape = shape_of(np.stack([0.1 * TIME, -3 * TIME], 1))
    assert (shape.trend, shape.place) == ("falls", "at the beginning")


def test_answers_say_the_facts():
    answers = tasks.told(shape_of(-np.cos(2 * np.pi * TIME)[:, None]))
    assert answers["peaks"] == "It has one peak."
    assert answers["all"] == "It stays level, has one peak and is highest in the middle."


def test_a_wish_is_checked_by_every_fact_it_names():
    one_peak = -np.cos(2 * np.pi * TIME)[:, None]
    assert tasks.fulfilled("Write a series that has one peak and is highest in the middle.", one_peak)
    assert not tasks.fulfilled("Write a series that has one peak and is highest at the end.", one_peak)
    assert not tasks.fulfilled("Write a series that has no peaks.", one_peak)
    assert not tasks.fulfilled("Write a series that rises and has one peak.", one_peak)


def test_wishes_are_fulfilled_by_the_series_they_were_made_from():
    rng, random = np.random.default_rng(0), Random(0)
    made = [tasks.made_up(rng, 64) for _ in range(200)]
    assert all(tasks.fulfilled(tasks.wish_for(shape_of(one), random), one) for one in made)
    assert len({shape_of(one).peaks for one in made}) >= 6
    assert {shape_of(one).trend for one in made} == {"rises", "falls", "stays level"}


def test_a_question_lists_all_classes_or_none():
    random, source = Random(0), SETS[1]
    asked = [tasks.ask(source, random) for _ in range(50)]
    listed = [one for one in asked if all(name in one for name in source.classes)]
    assert 10 < len(listed) < 40
    assert all(one in listed or one == source.question for one in asked)
