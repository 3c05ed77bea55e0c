"""The room `evaluate`: values with intervals, tasks with their controls, judges, tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sensorium.engines import Scored
from sensorium.evaluate import (
    Among,
    Judge,
    Mean,
    Measured,
    Results,
    Share,
    Task,
    Written,
    distinctness,
    nearest,
    paired,
    spread,
    top,
)  # fmt: skip
from sensorium.types import Conversation, InputError, Part, Reply, as_message, as_part

NAMES = ("low", "middle", "high")


class Knowing:
    """Says how large the number in the toy medium is; without one it says "low"."""

    def __init__(self):
        self.asked = 0

    def rank(self, content, answers, count, adapter):
        assert adapter, "also for blind runs"
        self.asked += 1
        media = [int(part.data) for part in content.parts() if not part.is_text]
        said = NAMES[media[0]] if media else "low"
        order = sorted(range(len(answers)), key=lambda index: answers[index] != said)
        return [Scored(index, 0.0) for index in order[:count]]

    def chat(self, content, **options):
        return Reply((as_part(f" {NAMES[self.rank(content, NAMES, 1, adapter=True)[0].index]}\n"),))


def task(scorer, numbers=(0, 1, 2, 2), **options) -> Task:
    talks = [
        Conversation((as_message("user", [Part("toy", n), "How large?"]), as_message("assistant", NAMES[n])))
        for n in numbers
    ]
    return Task(name="size", conversations=talks, scorer=scorer, **options)


def quiet() -> Results:
    return Results(say=lambda line: None)


def test_wilson_interval_matches_published_values():
    low, high = Share(8, 10).interval
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert Share(0, 50).interval[0] == 0
    assert Share(0, 0).interval == (0, 1)
    assert "n = 50" in str(Share(0, 50))
    assert top([0, 3, 5, 9], 5).hits == 2


def test_means_and_paired_tests_match_their_textbook_values():
    mean = Mean.of([1, 2, 3, 4, 5], "dB")
    assert (mean.value, mean.low, mean.high) == (3, pytest.approx(1.037, abs=1e-3), pytest.approx(4.963, abs=1e-3))
    assert str(mean).startswith("3 dB (")
    assert Mean.of([2.0]).low == 2
    with pytest.raises(InputError, match="at least one value"):
        Mean.of([])
    found = paired([True] * 10 + [False] * 2, [False] * 9 + [True] * 3)
    assert (found.only_one, found.only_other) == (9, 2)
    assert found.p_value == pytest.approx(0.0654, abs=1e-4)
    assert paired([True], [True]).p_value == 1


def test_one_who_knows_is_told_from_its_controls():
    results, model = quiet(), Knowing()
    size = task(Among(NAMES, (1, 2)), groups=["size, low"] + ["size, other"] * 3)
    verdicts = size.run(model, results)
    assert [verdict.right for verdict in verdicts] == [True] * 4
    size.blind().run(model, results)
    size.blank(0, "a zero").run(model, results)
    size.wrong().run(model, results)
    assert results.value("size, top-1") == Share(4, 4)
    assert results.value("size, low, top-1") == Share(1, 1)
    assert results.value("size, other, top-2") == Share(3, 3)
    assert results.value("size, top-1", "no medium") == results.value("size, top-1", "a zero") == Share(1, 4)
    assert results.value("size, top-1", "another's medium") == Share(0, 4)


def test_a_question_that_comes_again_is_asked_once():
    model = Knowing()
    task(Among(NAMES)).blind().run(model, quiet())
    assert model.asked == 1


def test_the_right_answer_is_not_shown_and_is_what_training_sees():
    size = task(Among(NAMES))
    assert size.truths == ["low", "middle", "high", "high"]
    assert size.conversations[0].messages[-1].text == "low"
    assert [message.role for message in size.blind().conversations[0].messages] == ["user", "assistant"]


def test_free_answers_are_right_only_as_a_whole():
    results = quiet()
    task(Written()).run(Knowing(), results)
    task(Written()).compare("a guess", [["low"], ["lo"], ["high"], ["very high"]], results)
    assert results.value("size") == Share(4, 4)
    assert results.value("size", "a guess") == Share(2, 4)


def test_measures_have_a_mean():
    results = quiet()
    task(Measured(lambda model, prompt, answer: len(answer.text), "letters")).run(Knowing(), results)
    assert results.value("size").value == pytest.approx((3 + 6 + 4 + 4) / 4)


def test_tasks_that_cannot_be_asked_are_refused():
    with pytest.raises(InputError, match="must end with the assistant's right answer"):
        Task(name="x", conversations=[Conversation((as_message("user", "?"),))], scorer=Written())
    with pytest.raises(InputError, match="4 conversations, but 1 groups"):
        task(Written(), groups=["a"])
    with pytest.raises(InputError, match="no medium is another's"):
        task(Written(), numbers=(1, 1)).wrong()


def test_a_table_is_markdown_and_json(tmp_path):
    results = quiet()
    with pytest.raises(InputError, match="nothing was measured"):
        results.save(tmp_path)
    results.add("size, top-1", "model", Share(3, 4))
    results.add("error", "model", Mean.of([1.0, 3.0]))
    results.notes["seed"] = 0
    path = results.save(tmp_path)
    assert "| size, top-1 | model | 75.0 % (30.1 to 95.4, n = 4) |" in (tmp_path / "evaluation.md").read_text()
    found = json.loads(path.read_text())
    assert found["rows"][0] == {
        "measure": "size, top-1", "condition": "model", "hits": 3, "count": 4, "share": 0.75, "low": 0.3006,
        "high": 0.9544,
    }  # fmt: skip
    assert found["notes"] == {"seed": 0}


def test_judges_rank_and_neighbours_are_different_labels():
    class Fixed(Judge):
        labels = NAMES

        def log_probs(self, media):
            return np.stack([np.roll([0.0, -1.0, -2.0], int(one[0])) for one in media])

    media = [np.array([0]), np.array([1])]
    assert Fixed().ranks(media, ["middle", "middle"]) == [1, 0]
    assert Fixed().top(media, 2) == [["low", "middle"], ["middle", "high"]]
    known = np.array([[0.0, 0], [0, 1], [5, 5], [9, 9]])
    assert nearest(np.array([[0, 0.1], [8, 8]]), known, ["a", "a", "b", "c"], 2) == [["a", "b"], ["c", "b"]]


def test_attempts_that_are_copies_are_not_distinct():
    one, other = np.zeros((2, 2)), np.ones((2, 2))
    assert distinctness([one, one, one]) == 0
    assert distinctness([one, other, one]) == 0.5
    assert distinctness([one, other]) == 1
    assert spread([one, other, one], lambda a, b: float(np.abs(a - b).mean())) == pytest.approx(2 / 3)
