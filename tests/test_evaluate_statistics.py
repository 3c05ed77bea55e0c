"""Statistics that stand alone: intervals by medium, exact paired tests, and logs of other harnesses, worked by hand."""

from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.evaluate import Mark, Run, Share, compare, detectable, detectable_between, holm, rate, read_log, table
from sensorium.types import InputError


def run(model: str, scores, media=None, **more) -> Run:
    media = media or range(len(scores))
    marks = [Mark(question=str(n), medium=str(m), score=s) for n, (s, m) in enumerate(zip(scores, media, strict=True))]
    return Run(model=model, task="colours", marks=tuple(marks), **more)


# --- intervals


def test_questions_with_media_of_their_own_have_wilsons_interval():
    found = rate([1] * 8 + [0] * 2, range(10))
    assert (found.low, found.high) == pytest.approx(Share(8, 10).interval)
    assert (found.value, found.count, found.clusters) == (0.8, 10, 10)


def test_questions_that_share_media_have_a_wider_interval():
    scores = [1, 0] * 50
    alone = rate(scores, range(100))
    copied = rate(np.repeat(scores, 5).tolist(), np.repeat(range(100), 5).tolist())
    assert copied.count == 500 and copied.clusters == 100
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.15)
    naive = Share(250, 500).interval
    assert copied.high - copied.low > 2 * (naive[1] - naive[0])
    assert "n = 500, 100 media" in str(copied)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for draw in range(200):
        own = rng.beta(2, 2, 60)  # each medium has its own difficulty; on average a half is right
        scores = (rng.random((60, 4)) < own[:, None]).astype(int).ravel().tolist()
        found = rate(scores, np.repeat(range(60), 4).tolist(), seed=draw)
        covered += found.low <= 0.5 <= found.high
    assert 180 <= covered <= 199


def test_a_perfect_score_is_not_certain():
    found = rate([1.0] * 40, [n // 4 for n in range(40)])
    assert (found.low, found.high) == pytest.approx(Share(10, 10).interval), "as for ten media, not forty"
    with pytest.raises(InputError, match="nothing was marked"):
        rate([], [])


def test_what_a_sample_could_show():
    assert detectable(100, 0.5) == pytest.approx(0.1401, abs=1e-4)  # 2.802 * 0.5 / 10
    assert detectable(400, 0.25) == pytest.approx(2.802 * (0.1875 / 400) ** 0.5)
    assert detectable_between(200, 25) == pytest.approx(2.802 * 5 / 200)


# --- paired tests


def test_mcnemar_is_exact_and_gains_are_counted_by_hand():
    one = run("one", [1] * 9 + [0] * 2 + [1] * 5)
    other = run("other", [0] * 9 + [1] * 2 + [1] * 5)
    (found,) = compare([one, other])
    assert (found.only_one, found.only_other) == (9, 2)
    assert found.p_value == pytest.approx(2 * sum(comb(11, k) for k in range(3)) / 2**11)
    assert found.gain.value == pytest.approx(7 / 16)
    assert found.gain.low <= 7 / 16 <= found.gain.high
    assert not found.differ and "cannot be told apart" in found.sentence


def test_an_unpaired_look_would_have_missed_a_paired_difference():
    base = [1, 0] * 100
    better = [1 if n % 10 == 1 else score for n, score in enumerate(base)]
    (found,) = compare([run("better", better), run("base", base)])
    assert (found.only_one, found.only_other) == (20, 0)
    assert found.differ and found.sentence.startswith("better is better than base (10.0 points")
    low, high = rate(better, range(200)), rate(base, range(200))
    assert low.low < high.high, "the intervals of the two overlap"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_counts_all_comparisons_of_all_tasks():
    runs = [run(name, scores) for name, scores in (("a", [1] * 6), ("b", [0] * 6), ("c", [1] * 6))]
    found = {(one.one, one.other): one for one in compare(runs)}
    assert found["a", "b"].p_value == pytest.approx(2 / 2**6)
    assert found["a", "b"].adjusted == pytest.approx(3 * 2 / 2**6)
    assert found["a", "c"].p_value == 1


def test_only_questions_that_both_were_asked_are_compared():
    one, other = run("one", [1, 1, 0]), run("other", [0, 1])
    assert compare([one, other])[0].gain.count == 2
    with pytest.raises(InputError, match="share no question"):
        compare([one, Run(model="third", task="colours", marks=(Mark(question="x", medium="x", score=1),))])


# --- logs


def inspect_file(path, model: str, values, **more):
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
    from inspect_ai.scorer import Score

    samples = [
        EvalSample(
            id=f"q{n}", epoch=1, input="?", target="A", metadata={"medium": f"m{n // 2}", "aspect": "colour"},
            scores={"choice": Score(value=value, answer="A", metadata={"chance": 0.25})},
        )
        for n, value in enumerate(values)
    ]  # fmt: skip
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00", task="colours", model=model, dataset=EvalDataset(), config=EvalConfig()
    )
    write_eval_log(EvalLog(eval=spec, samples=samples, status="success"), str(path))
    return path


@pytest.mark.parametrize("suffix", [".eval", ".json"])
def test_logs_of_inspect_ai(tmp_path, suffix):
    found = read_log(inspect_file(tmp_path / f"log{suffix}", "a/b", ["C", "I", "C", 0.5]))
    assert (found.model, found.task) == ("a/b", "colours")
    assert [mark.score for mark in found.marks] == [1, 0, 1, 0.5]
    assert [mark.medium for mark in found.marks] == ["m0", "m0", "m1", "m1"]
    assert found.chance == 0.25 and found.marks[0].aspect == "colour"


def lmms_file(folder, scores):
    folder.mkdir()
    path = folder / "20260101_120000_samples_pope.jsonl"
    lines = [
        {"doc_id": n, "doc": {"image_id": n // 3, "category": "popular"}, "target": "yes", "filtered_resps": ["Yes."],
         "pope_accuracy": {"question_id": n, "score": score, "prediction": "yes"}, "pope_f1_score": {"score": 0.0}}
        for n, score in enumerate(scores)
    ]  # fmt: skip
    lines.append({"doc_id": 99, "doc": {}, "success": False})
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_samples_of_lmms_eval(tmp_path):
    path = lmms_file(tmp_path / "llava__7b", [1.0, 0.0, 1.0])
    found = read_log(path)
    assert (found.model, found.task, found.failed) == ("llava__7b", "pope", 1)
    assert [mark.score for mark in found.marks] == [1, 0, 1]
    assert {mark.medium for mark in found.marks} == {"0"}
    assert found.marks[0].said == "Yes." and found.marks[0].truth == "yes"
    assert [mark.score for mark in read_log(path, "pope_f1_score").marks] == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.eval", None, "there is no log"),
        ("x.csv", "a,b", "no log that is known"),
        ("x.eval", "garbage", "cannot be read as a log of inspect_ai"),
        ("x.jsonl", '{"a": 1}\n', "line 1 of .* is no sample of lmms-eval"),
        ("x.jsonl", '{"doc_id": 1, "acc": "much"}\n', "no measure that is a number"),
    ],
)
def test_what_is_no_log_is_told(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_log(tmp_path / name)


def test_the_command_compares_logs_of_both(tmp_path):
    logs = [inspect_file(tmp_path / "a.eval", "good", ["C"] * 8), inspect_file(tmp_path / "b.eval", "bad", ["I"] * 8)]
    said = CliRunner().invoke(app, ["eval", "compare", *map(str, logs), "--out", str(tmp_path / "all.json")])
    assert said.exit_code == 0, said.output
    assert "| colours | good | 100.0 %" in said.output
    assert "good is better than bad (100.0 points, p = 0.0078 after Holm, n = 8)" in said.output
    assert json.loads((tmp_path / "all.json").read_text())["comparisons"][0]["only_one"] == 8


def test_refusals_and_failures_are_counted_apart():
    marks = (
        Mark(question="1", medium="1", score=0, outcome="refused"),
        Mark(question="2", medium="2", score=0, outcome="unparsable"),
        Mark(question="3", medium="3", score=1),
    )
    said = table([Run(model="m", task="t", marks=marks, failed=4)], [])
    assert said.splitlines()[2].endswith("| 1 | 1 | 4 |")
