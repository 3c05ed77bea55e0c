"""A medium goes on: in Python, and through the route in KServe's form."""

from __future__ import annotations

import numpy as np
import pytest
from serving import running, tiny_assistant

from sensorium.families.dct import DCTCodec
from sensorium.families.uniform import UniformCodec
from sensorium.generate.forecast import continuation, forecast
from sensorium.types import InputError, Part, Signal

WAVE = np.sin(np.arange(30.0) / 3)[:, None].astype(np.float32)


def assistant(codec=None):
    return tiny_assistant(codecs=[codec or UniformCodec(1, bins=16, max_frames=40)])


@pytest.fixture(scope="module")
def server():
    with running({"tiny": assistant()}) as found:
        yield found


def test_as_many_rows_come_as_are_asked_for_and_none_ends_early():
    found = forecast(assistant(), Part("series", Signal(WAVE)), 7, levels=(0.1, 0.9), samples=12, seed=3)
    assert (found.mean.shape, found.quantiles.shape) == ((7, 1), (2, 7, 1))
    assert (found.quantiles[0] <= found.quantiles[1]).all()
    assert found.quantiles[0].std() > 0
    assert abs(found.mean).max() <= 1.2, "in the range of what is known"
    again = forecast(assistant(), Part("series", Signal(WAVE)), 7, levels=(0.1, 0.9), samples=12, seed=3)
    np.testing.assert_array_equal(found.mean, again.mean)


def test_the_answer_begins_with_what_is_known():
    model = assistant()
    made = continuation(model, Part("series", Signal(WAVE)), 7)
    (codes,) = model.codecs["series"].encode([Signal(WAVE)])
    spelled = model.vocabulary.layout("series").ids(codes)[:-1]
    assert list(made.turn.prompt[-len(spelled) :]) == spelled


def test_of_a_long_medium_the_last_rows_are_taken():
    made = continuation(assistant(), Part("series", Signal(np.concatenate([WAVE + 100, WAVE]))), 15)
    assert made.known == 25
    assert made.rows([made.turn.rules.allowed()[0][0]] * 15).max() < 2


def test_deviations_are_turned_back():
    codec = UniformCodec(1, bins=64, ranges=((-4.0, 4.0),), max_frames=40)
    found = forecast(assistant(codec), Part("series", Signal(WAVE * 50 + 1000)), 5, samples=8, deviations=True)
    assert 700 < found.mean.min() <= found.mean.max() < 1300


def test_windows_go_on_too():
    codec = DCTCodec(1, window=8, kept=3, bins=15, exact=False, max_frames=6)
    assert forecast(assistant(codec), Part("series", Signal(WAVE)), 11, samples=3).mean.shape == (11, 1)


@pytest.mark.parametrize(("horizon", "sentence"), [(0, "1 to 38 rows, not 0"), (39, "1 to 38 rows, not 39")])
def test_too_far_is_refused(horizon, sentence):
    with pytest.raises(InputError, match=sentence):
        forecast(assistant(), Part("series", Signal(WAVE)), horizon)


def test_what_is_not_written_row_by_row_is_refused():
    with pytest.raises(InputError, match="does not write a medium row by row"):
        continuation(tiny_assistant(), Part("image", np.zeros((16, 16, 3), np.uint8)), 3)


def ask(server, **changes):
    known = {"name": "pump", "series": WAVE[:, 0].tolist(), "frequency": "h", "start_timestamp": "2026-01-01T00:00:00"}
    body = {"model": "tiny", "inputs": [known], "options": {"horizon": 6, "quantiles": [0.2, 0.8], "samples": 8}}
    return server.post("/v1/timeseries/forecast", body | changes)


def test_the_route_has_the_form_of_kserve(server):
    reply = ask(server)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["status"], told["model"]) == ("completed", "tiny")
    (output,) = told["outputs"]
    (content,) = output["content"]
    assert (output["type"], output["name"]) == ("time_series_forecast", "pump")
    assert len(content["mean_forecast"]) == len(content["quantiles"]["0.2"]) == 6
    assert content["quantiles"]["0.2"][0] <= content["quantiles"]["0.8"][0]
    assert told["usage"]["completion_tokens"] == 8 * 6


def test_several_series_are_answered_in_their_order(server):
    both = [{"name": name, "series": (WAVE[:, 0] + level).tolist()} for name, level in (("low", 0), ("high", 50))]
    low, high = ask(server, inputs=both).json()["outputs"]
    assert (low["name"], high["name"]) == ("low", "high")
    assert max(low["content"][0]["mean_forecast"]) < 2 < min(high["content"][0]["mean_forecast"])


def test_by_default_several_series_share_the_answers_that_are_allowed(server):
    both = [{"name": name, "series": WAVE[:, 0].tolist()} for name in ("low", "high")]
    reply = ask(server, inputs=both, options={"horizon": 3})
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"levels": (0.5, 2)}])
def test_no_sample_and_odd_levels_are_refused(wrong):
    with pytest.raises(InputError, match="at least one sample and levels from 0 to 1"):
        forecast(assistant(), Part("series", Signal(WAVE)), 3, **wrong)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"inputs": [{"name": "a", "series": [1.0]}]}, "at least 2 items"),
        ({"inputs": [{"name": "a", "series": [[1.0, 2.0], [3.0]]}]}, "rows of different lengths"),
        ({"inputs": [{"name": "a", "series": [[1.0, 2.0], [3.0, 4.0]]}]}, "2 channels, 1 are needed"),
        ({"options": {"horizon": 6, "quantiles": [1.5]}}, "quantiles lie between 0 and 1"),
        ({"options": {"horizon": 600}}, "series 'pump': codec 'series' goes on for 1 to 38 rows"),
        ({"options": {"horizon": 6, "samples": 999}}, "999"),
    ],
)
def test_bad_requests_get_one_sentence(server, changes, sentence):
    reply = ask(server, **changes)
    assert reply.status_code == 400
    assert sentence in reply.json()["error"]["message"]
