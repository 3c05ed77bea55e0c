"""Figures of results: what they say of curves and bits, and that they can be drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
import typer
from benchmarks import bits_figure, learning_curve
from benchmarks.figures import amount
from benchmarks.learning_curve import Curve, Point, fit, read_curve, saturation

from sensorium.evaluate import Share
from sensorium.types import InputError

MEASURE = "names written freely and exactly"
TOKENS = np.geomspace(1e5, 1e7, 8)


def run(main: Any, *words: Any) -> Any:
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, [str(word) for word in words])


def rows(shares: Any, tokens: Any = TOKENS, n: int = 4000) -> list[dict[str, Any]]:
    told = []
    for at, share in zip(tokens, shares, strict=True):
        exact = Share(round(share * n), n)
        low, high = exact.interval
        told.append({"tokens": round(at), "share": exact.value, "n": n, "lower": low, "upper": high, "minutes": 1})
    return told


def curve(shares: Any, tokens: Any = TOKENS, n: int = 4000) -> Curve:
    told = [
        Point(*(one[name] for name in ("tokens", "share", "n", "lower", "upper"))) for one in rows(shares, tokens, n)
    ]
    return Curve("smol", MEASURE, tuple(told))


def written(path: Path, told: list[dict[str, Any]], label: str = "smol", measure: str = MEASURE) -> Path:
    path.write_text(json.dumps({"label": label, "measure": measure, "rows": told}))
    return path


# --- where more training stops paying


def saturating(tokens: Any = TOKENS) -> np.ndarray:
    return 0.5 - 0.45 * (tokens / 1e5) ** -1.2


def test_a_law_is_found_again_and_tells_where_a_doubling_gains_a_point():
    law = fit(TOKENS, saturating()[None], np.full(8, 0.01))
    assert (law.ceiling[0], law.drop[0], law.exponent[0]) == pytest.approx((0.5, 0.45, 1.2), rel=0.02)
    until = law.pays_until()[0]
    assert saturating(2 * until) - saturating(until) == pytest.approx(0.01, rel=0.05)
    assert law.gain(until)[0] == pytest.approx(0.01)


def test_a_curve_that_has_levelled_off_is_told():
    found = saturation(curve(saturating()))
    assert found.told == "reached" and found.points == 8
    assert found.low < 1.48e6 < found.high < TOKENS[-1]


def test_a_curve_that_still_rises_has_not_reached_it():
    found = saturation(curve(0.05 + 0.06 * np.log2(TOKENS / 1e5)))
    assert found.told == "not reached" and found.low > TOKENS[-1]
    assert "more than 10 times the last tokens" in found.said


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (curve([0.1, 0.2, 0.3], TOKENS[:3]), "3 points are too few"),
        (curve([0.005] * 8, n=200), "less than one point above the first"),
        (curve(0.5 - 0.4 * (TOKENS / 1e5) ** -0.5, n=60), "may be less than one point already or not"),
        (curve([0.1, 0.6, 0.1, 0.6, 0.1, 0.6, 0.1, 0.6]), "no saturating power law"),
    ],
)
def test_what_the_points_do_not_tell_is_not_told(told, reason):
    found = saturation(told)
    assert found.told == "cannot be told" and reason in found.said


def test_a_slow_start_is_left_out_of_the_law():
    shares = np.concatenate([[0, 0, 0.002], saturating()])
    found = saturation(curve(shares, np.concatenate([[2e4, 4e4, 7e4], TOKENS])))
    assert found.told == "reached" and found.points == 8


# --- its figure


def test_curves_are_drawn_with_what_was_fitted_beside_them(tmp_path):
    one = written(tmp_path / "one.json", rows(saturating())[::-1])
    other = written(tmp_path / "other.json", rows([0.1, 0.2], TOKENS[:2]), "nano")
    done = run(learning_curve.main, one, other, "--out", tmp_path / "curve.png")
    assert done.exit_code == 0, done.output
    said = (tmp_path / "curve.md").read_text()
    assert "- smol: **reached**" in said and "Law of the last 8 of 8 points: a = 50 %" in said
    assert "- nano: **cannot be told**; 2 points are too few" in said
    assert Image.open(tmp_path / "curve.png").width == 900
    drawing = (tmp_path / "curve.svg").read_text()
    assert "smol (from 1.47 M)" in drawing and "nano (cannot be told)" in drawing and MEASURE in drawing
    first = (tmp_path / "curve.png").read_bytes()
    learning_curve.draw([read_curve(one), read_curve(other)], tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes() == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 0}, r"rows\[1\].tokens must be a number of 1 to"),
        ({"share": 0.9}, r"rows\[1\] has its share 0.9 outside"),
        ({"tokens": 100_000}, "two rows of the same tokens"),
        ({"n": None}, r"rows\[1\].n must be a whole number"),
    ],
)
def test_rows_that_are_none_are_refused(tmp_path, change, message):
    told = rows([0.1, 0.2, 0.3], TOKENS[:3])
    told[1] |= change
    with pytest.raises(InputError, match=message):
        read_curve(written(tmp_path / "bad.json", told))


def test_curves_of_several_measures_and_other_endings_are_refused(tmp_path):
    one = written(tmp_path / "one.json", rows(saturating()))
    other = written(tmp_path / "other.json", rows(saturating()), measure="names among fifty")
    assert "one measure, these curves have 2" in run(learning_curve.main, one, other, "--out", "x.png").output
    assert "must end in .png" in run(learning_curve.main, one, "--out", tmp_path / "x.jpg").output


def test_amounts_have_three_digits():
    assert [amount(one) for one in (950, 326_000, 999_900, 1.37e6)] == ["950", "326 k", "1 M", "1.37 M"]


# --- bits


def bits(folder: Path, model: str, base: str, told: dict[str, dict[str, float]], items: str) -> Path:
    found = [
        dict(measure=measure, condition=who, value=value, low=value - 0.1, high=value + 0.1, count=9, clusters=3)
        | {"items": items}
        for measure, values in told.items()
        for who, value in values.items()
    ]
    folder.mkdir()
    path = folder / "bits.json"
    path.write_text(json.dumps({"rows": found, "notes": {"model": model, "base": base}}))
    return path


def names(model: float, counted: float) -> dict[str, dict[str, float]]:
    others = {"Kneser-Ney 4-gram, learned from 9 ids": counted, "unigram": 4.0, "uniform": 5.0}
    lstm = {"LSTM, learned from 8 ids, still learning when its time was over": 2.0}
    return {"text: bits a character": {"model": model} | others | lstm, "text: bits a token": {"model": 9.0}}


def test_models_that_wrote_the_same_texts_share_a_panel_in_the_order_of_history(tmp_path):
    nano = bits(tmp_path / "nano", "nano", "", names(1.5, 3.0), "same")
    smol = bits(tmp_path / "smol", "/somewhere/smol", "SmolLM2", names(1.0, 3.5), "same")
    (panel,) = bits_figure.panels([smol, nano])
    assert (panel.about, panel.unit, panel.evenly) == ("text", "character", 5.0)
    assert [(bar.name, bar.value) for bar in panel.in_order] == [
        ("unigram", 4.0),
        ("Kneser-Ney 4-gram", 3.5),
        ("Kneser-Ney 4-gram, ids of nano", 3.0),
        ("LSTM (still learning)", 2.0),
        ("nano", 1.5),
        ("smol", 1.0),
    ]
    assert panel.in_order[-1].kind == "pretrained network" and panel.in_order[-2].kind == "network from nothing"


def test_other_texts_have_a_panel_of_their_own_and_what_is_asked_has_none(tmp_path):
    asked = {"image, asked: bits a code": {"model": 9.0}, "image: bits a code": {"model": 3.0}}
    nano = bits(tmp_path / "nano", "nano", "", names(1.5, 3.0) | asked, "one")
    smol = bits(tmp_path / "smol", "smol", "SmolLM2", names(1.0, 3.5), "other")
    done = run(bits_figure.main, nano, smol, "--out", tmp_path / "bits.png")
    assert done.exit_code == 0, done.output
    assert [(one.about, one.files) for one in bits_figure.panels([nano, smol])] == [
        ("text", [nano]),
        ("image", [nano]),
        ("text", [smol]),
    ]
    assert Image.open(tmp_path / "bits.png").width == 900
    drawing = (tmp_path / "bits.svg").read_text()
    assert drawing.count("bits a character (fewer is better)") == 2 and "pretrained network" in drawing


def test_a_file_without_bits_is_refused(tmp_path):
    none = bits(tmp_path / "none", "nano", "", {"text: bits a token": {"model": 1.0}}, "")
    done = run(bits_figure.main, none, "--out", tmp_path / "bits.png")
    assert done.exit_code == 1 and "has no bits a code or a character" in done.output


def test_the_figure_of_the_results_is_of_their_numbers():
    folder = Path(__file__).parents[1] / "results" / "bits"
    drawing = (folder / "history.svg").read_text()
    for panel in bits_figure.panels(sorted([*folder.rglob("bits.json"), *folder.rglob("evaluation.json")])):
        assert panel.about in drawing
        assert all(f"{bar.value:.2f}" in drawing for bar in panel.bars)
