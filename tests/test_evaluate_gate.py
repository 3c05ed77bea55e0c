"""The gate: scores that fell by more than chance explains, worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.evaluate import Gap, Mean, Rate, Results, Share, top
from sensorium.evaluate.gate import check
from sensorium.types import InputError

pytest.importorskip("scipy")


def saved(folder: Path, name: str, *rows) -> Path:
    results = Results(say=lambda line: None)
    for row in rows:
        results.add(*row)
    return results.save(folder, name)


def ranks(right: int, wrong: int) -> list[int]:
    return [0] * right + [1] * wrong


def verdicts(stored: Path, fresh: Path, **more) -> dict[str, str]:
    return {one.measure: one.verdict for one in check(stored, fresh, **more)}


def test_newcombes_interval_as_in_his_paper():
    """Table II (a) of Newcombe 1998, method 10: 56/70 against 48/80."""
    gap = Gap.of(Share(56, 70), Share(48, 80))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_the_same_items_are_compared_one_by_one(tmp_path):
    """Six items worse, none better: p = 2 / 2**6 = 0.03; five: 0.06. The intervals of the shares overlap widely."""
    names = [str(n) for n in range(100)]
    stored = saved(tmp_path, "old", ("naming", "model", top(ranks(50, 50), 1), names))
    six = saved(tmp_path, "six", ("naming", "model", top([1] * 6 + ranks(44, 50), 1), names))
    five = saved(tmp_path, "five", ("naming", "model", top([1] * 5 + ranks(45, 50), 1), names))
    (found,) = check(stored, six)
    assert found.fails
    assert found.sentence == (
        "naming | model fell: 44.0 %, stored 50.0 % (6 of the same 100 items worse, 0 better, exact test p = 0.031)"
    )
    assert verdicts(stored, five) == {"naming": "holds"}
    assert verdicts(six, stored) == {"naming": "holds"}, "what gets better does not fall"


def test_other_items_are_compared_by_the_interval_of_the_difference(tmp_path):
    stored = saved(tmp_path, "old", ("naming", "model", top(ranks(50, 50), 1), ["old"] * 100))
    near = saved(tmp_path, "near", ("naming", "model", top(ranks(44, 56), 1), ["new"] * 100))
    # Wilson: 0.2189 to 0.3958 and 0.4038 to 0.5962; -0.2 - hypot(0.0811, 0.0962), -0.2 + hypot(0.0958, 0.0962)
    far = saved(tmp_path, "far", ("naming", "model", top(ranks(30, 70), 1), ["new"] * 100))
    assert verdicts(stored, near) == {"naming": "holds"}
    (found,) = check(stored, far)
    assert found.fails and "difference -32.6 to -6.42 points, other items" in found.sentence


def test_errors_are_better_low(tmp_path):
    stored = saved(tmp_path, "old", ("character error", "model", Mean(0.1, 0.09, 0.11, 50)))
    fresh = saved(tmp_path, "new", ("character error", "model", Mean(0.2, 0.18, 0.22, 50)))
    assert verdicts(stored, fresh) == {"character error": "holds"}
    assert verdicts(stored, fresh, lower=["*error*"]) == {"character error": "fell"}
    assert verdicts(fresh, stored) == {"character error": "fell"}


def test_what_is_gone_fails_and_what_is_new_does_not(tmp_path):
    both = ("a", "model", Share(5, 10))
    stored = saved(tmp_path, "old", both, ("b", "model", Share(5, 10)))
    fresh = saved(tmp_path, "new", both, ("c", "model", Share(0, 10)), ("d", "model", Mean.of([1.0])))
    found = {one.measure: one for one in check(stored, fresh)}
    assert {name: one.verdict for name, one in found.items()} == {
        "a": "holds", "b": "missing", "c": "new", "d": "new",
    }  # fmt: skip
    assert [name for name, one in found.items() if one.fails] == ["b"]
    assert verdicts(saved(tmp_path, "one", ("d", "model", Mean.of([2.0]))), fresh)["d"] == "unknown"


def test_reports_on_grounding(tmp_path):
    def report(name: str, value: float) -> Path:
        score = Rate(value, value - 0.02, value + 0.02, 400, 200).to_json()
        tasks = {"choice": {"score": score, "chance": 0.25, "circular": score}}
        rows = [{"model": "nano", "condition": "model", "tasks": tasks}]
        (tmp_path / name).write_text(json.dumps({"about": {}, "rows": rows}))
        return tmp_path / name

    old, new = report("old.json", 0.5), report("new.json", 0.4)
    assert {one.measure: one.verdict for one in check(old, new)} == {"choice": "fell", "choice, circular": "fell"}
    assert not any(one.fails for one in check(old, old))


def test_logs_are_paired_by_question(tmp_path):
    def log(name: str, scores: list[int]) -> Path:
        lines = [{"doc_id": n, "target": "x", "acc": score} for n, score in enumerate(scores)]
        (tmp_path / name).mkdir()
        path = tmp_path / name / "samples_pope.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    old = log("old", [1] * 10 + [0] * 10)
    assert verdicts(old, log("new", [0] * 6 + [1] * 4 + [0] * 10)) == {"pope": "fell"}
    assert verdicts(old, log("other", [0] * 6 + [1] * 4 + [1] * 3 + [0] * 7)) == {"pope": "holds"}


def test_bad_files_are_told(tmp_path):
    good = saved(tmp_path, "old", ("a", "model", Share(5, 10)))
    with pytest.raises(InputError, match="no results at"):
        check(good, tmp_path / "nothing.json")
    with pytest.raises(InputError, match="none of the scores"):
        check(good, saved(tmp_path, "other", ("b", "model", Share(5, 10))))
    twice = saved(tmp_path, "twice", ("a", "model", Share(5, 10)), ("a", "model", Share(6, 10)))
    with pytest.raises(InputError, match=r"two scores called a \| model"):
        check(good, twice)
    (tmp_path / "cut.json").write_text('{"rows": [')
    with pytest.raises(InputError, match="no JSON"):
        check(good, tmp_path / "cut.json")
    (tmp_path / "odd.json").write_text('{"rows": [{"measure": 1, "low": 0, "high": 0, "count": 3}]}')
    with pytest.raises(InputError, match="not in the form of results"):
        check(good, tmp_path / "odd.json")


def test_the_commands_exit_code(tmp_path):
    stored = saved(tmp_path, "old", ("naming", "model", Share(90, 100)))
    fresh = saved(tmp_path, "new", ("naming", "model", Share(60, 100)))
    fallen = CliRunner().invoke(app, ["eval", "gate", str(stored), str(fresh)])
    assert fallen.exit_code == 1 and "naming | model fell" in fallen.output and "1 of 1 scores" in fallen.output
    held = CliRunner().invoke(app, ["eval", "gate", str(stored), str(stored)])
    assert held.exit_code == 0 and "1 scores hold" in held.output
