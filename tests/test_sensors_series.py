"""The sensors recipe: what training conversations hold, and forecasting by going on inside a series."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recipes.scenes.thoughts import ASK, MARK
from recipes.sensors import evaluate, tasks
from recipes.sensors.bits import bits_report, taught, unseen, wished
from recipes.sensors.facts import shape_of
from recipes.sensors.series import (
    CONTEXT,
    HORIZON,
    READER,
    WRITER,
    Media,
    added,
    forecast,
    go_on,
    write,
    written,
)
from recipes.sensors.sets import SERIES, SETS, Example, ForecastSeries

from sensorium.data.views import Views
from sensorium.evaluate import Results
from sensorium.families.kernels import KernelsCodec, groups
from sensorium.generate import Assistant
from sensorium.generate.forecast import LEVELS
from sensorium.model import grow
from sensorium.model.fresh import fresh_base, learn_tokenizer
from sensorium.types import InputError, Signal

HISTORY = np.sin(np.arange(150) / 5) + 3
SERIES_OF_8 = ForecastSeries(name="x", title="x", file="", column="", season=31, horizon=8, origins=1)


@pytest.fixture(scope="module")
def reader() -> KernelsCodec:
    seen = [np.random.default_rng(number).normal(size=(40, 1)).cumsum(0) for number in range(10)]
    return KernelsCodec.fit([groups(one) for one in seen], [number % 5 for number in range(10)], name=READER)


@pytest.fixture(scope="module")
def media(reader) -> Media:
    """Two series of each of two sets, and the 2,000 made-up ones all alike."""
    rng = np.random.default_rng(0)
    examples = tuple(
        Example(source, "train", number, rng.normal(size=(30, 1)).cumsum(0).astype(np.float32), answer)
        for source in SETS
        for number, answer in enumerate(source.classes[:2])
    )
    values = reader.values([Signal(one.values) for one in examples])
    wave = np.sin(np.linspace(0, 9, 50))[:, None].astype(np.float32)
    codes = reader.quantise(reader.values([Signal(wave)]))
    views = Views(codec=READER, values_VND=values[None], quantise=reader.quantise)
    return Media(examples=examples, views=views, made=[wave] * 2000, made_codes=codes.repeat(2000, 0), reader=reader)


@pytest.fixture(scope="module")
def model(reader) -> Assistant:
    tokenizer = learn_tokenizer(["Go on with the changes: x."] * 2, 300)
    base = fresh_base(tokenizer, hidden=16, layers=1, heads=2, intermediate=32)
    whole = grow(base, [reader, WRITER], learn="full").fold()
    return Assistant(whole.lm, whole.senses)


def test_a_name_is_that_of_the_series_shown(media):
    for seed in range(20):
        asked, answer = media.name(Random(seed)).messages
        shown = [
            n for n, one in enumerate(media.examples) if np.array_equal(media.views.plain[n], asked.parts[0].codes)
        ]
        assert answer.text in {media.examples[number].answer for number in shown}


def test_what_is_told_is_true_of_the_series_shown(media):
    wave = tasks.told(shape_of(media.made[0]))
    told = [media.tell(Random(seed)).messages for seed in range(40)]
    of_waves = [one for one in told if np.array_equal(one[0].parts[0].codes, media.made_codes[0])]
    assert len(of_waves) > 20
    assert all(answer.text in wave.values() for _, answer in of_waves)


def test_what_is_told_is_asked_at_once_and_after_a_thought(media):
    wave = replace(media.examples[0], values=np.sin(np.linspace(0, 20, 60))[:, None].astype(np.float32))
    asked, known, results = {SETS[0]: [*media.examples[:3], wave]}, {}, Results(say=lambda line: None)
    for task in evaluate._telling(asked, 4):
        for one in task.conversations:
            known[one.messages[0].text, one.messages[0].parts[0].data.array.tobytes()] = one.messages[1].text

    def chat(prompt, **how):
        series, question = prompt.messages[0].parts
        right = known.get((question.data.removesuffix(f" {ASK}"), series.data.array.tobytes()))
        return SimpleNamespace(text=f"top at ten. {MARK} {right}" if question.data.endswith(ASK) else "It is.")

    evaluate.MEASURED_THINKING["tell"](SimpleNamespace(chat=chat), results, asked, 4)
    for name in ("place, made up", "cycles, real"):
        assert results.value(f"{name}, thinking").hits == 4 and results.value(f"{name}, at once").hits == 0


def test_names_are_not_thought_about():
    with pytest.raises(InputError, match="nothing is thought about 'name'; there are tell"):
        evaluate.evaluate(only="name", thinking=True)


def test_a_series_to_write_fulfils_its_wish():
    """But for what quantisation costs now and then."""
    talks = [write(Random(seed)).messages for seed in range(20)]
    series = [WRITER.decode([answer.parts[0].codes])[0].array for _, answer in talks]
    assert sum(tasks.fulfilled(wish.text, one) for (wish, _), one in zip(talks, series, strict=True)) >= 18


def test_what_goes_on_is_known_before_the_first_origin(monkeypatch):
    monkeypatch.setattr(ForecastSeries, "known", property(lambda series: HISTORY))
    lengths = []
    for seed in range(30):
        asked, answer = go_on(Random(seed)).messages
        assert asked.text.startswith("Go on")
        lengths.append(len(answer.parts[0].codes))
    assert min(lengths) >= 24 and max(lengths) <= CONTEXT + HORIZON


def test_a_series_to_write_is_counted_in_deviations_of_what_came_before():
    before = np.array([[1.0], [3.0]])
    codes = written(np.array([[2.0], [3.0], [100.0]]), before).codes
    assert WRITER.decode([codes])[0].array[:, 0] == pytest.approx([0, 1, 4], abs=8 / 95 / 2)


def test_changes_add_up_season_by_season():
    assert added(np.array([[1.0, 1, 1]]), np.array([10.0, 20])).tolist() == [[11, 21, 12]]


@pytest.mark.parametrize("changes", [False, True])
def test_a_forecast_has_ordered_quantiles_within_what_can_be_written(model, changes):
    quantiles = forecast(model, SERIES_OF_8, changes, HISTORY, samples=5)
    assert quantiles.shape == (len(LEVELS), 8)
    assert (np.diff(quantiles, axis=0) >= 0).all()
    spread = 4 * HISTORY.std() + np.abs(HISTORY).max()
    assert np.abs(quantiles).max() <= 2 * spread


def test_a_forecast_does_not_depend_on_units(model):
    metres = forecast(model, SERIES_OF_8, False, HISTORY, samples=3)
    assert forecast(model, SERIES_OF_8, False, 1000 * HISTORY + 7, samples=3) == pytest.approx(
        1000 * metres + 7, rel=1e-4
    )


def test_every_horizon_can_be_forecast():
    assert all(series.horizon <= HORIZON for series in SERIES)


def test_bits_are_of_what_comes_after_the_first_origin(monkeypatch):
    monkeypatch.setattr(ForecastSeries, "values", property(lambda series: np.arange(400.0) ** 2))
    series = ForecastSeries(name="x", title="x", file="", column="", season=31, horizon=20, origins=9)
    pieces = unseen(series)
    assert [len(one) for one in pieces] == [CONTEXT + HORIZON, 60]
    assert np.array_equal(np.concatenate(pieces), series.values[len(series.known) :])


def test_bits_of_series_are_told_of_both_kinds(model, monkeypatch):
    monkeypatch.setattr(ForecastSeries, "values", property(lambda series: np.sin(np.arange(600) / 3)))
    results = Results(say=lambda line: None)
    bits_report(results, model, taught(12), wishes=3)
    found: dict[str, Any] = {row.measure: row.value for row in results.rows if row.condition == "uniform"}
    assert found["written to a wish, series: bits a code"].count == 3 * 64
    assert found["gone on with, series: bits a code"].value == pytest.approx(np.log2(96))
    assert found["gone on with, series: bits a code"].count == sum(
        len(piece) for series in SERIES for piece in unseen(series)
    )


def test_held_out_wishes_are_not_those_of_training(monkeypatch):
    monkeypatch.setattr(ForecastSeries, "values", property(lambda series: np.sin(np.arange(600) / 3)))
    codes = {one.messages[1].parts[0].codes.tobytes() for one in taught(60)}
    assert not codes & {one.messages[1].parts[0].codes.tobytes() for one in wished(20)}
