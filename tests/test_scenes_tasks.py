"""Tasks about scenes: who looks is right, who does not is not; drawings as things."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from recipes.pictograms.concepts import Picture, folder
from recipes.scenes.atlas import Atlas
from recipes.scenes.drawings import have_drawings, load_drawings, on_white
from recipes.scenes.episodes import Making
from recipes.scenes.tasks import HAPPENINGS, KINDS, YES_NO, answers, tasks

from sensorium.data.table import write_rows
from sensorium.evaluate import Among, Results
from sensorium.types import InputError, Part, Reply, Signal


@pytest.fixture(scope="module")
def made() -> dict:
    making = Making(side="test", side_px=64, atlas=Atlas())
    return dict(zip((*KINDS, *HAPPENINGS), tasks(making, 10, seed=1), strict=True))


class Oracle:
    """Knows the right answer by the media and the words of a question."""

    def __init__(self, task):
        self.known = {self._key(one.messages[:-1]): one.messages[-1] for one in task.conversations}

    def _key(self, messages) -> tuple:
        return tuple(part.data if part.is_text else repr(part.array.tobytes()) for m in messages for part in m.parts)

    def rank(self, prompt, answers, wanted, adapter):
        right = answers.index(self.known[self._key(prompt.messages)].text)
        return [SimpleNamespace(index=right)]

    def chat(self, prompt, want):
        return Reply(self.known[self._key(prompt.messages)].parts)


class Silent:
    """Always says the first answer, and writes no box, or one in a corner."""

    def __init__(self, parts=()):
        self.parts = parts

    def rank(self, prompt, answers, wanted, adapter):
        return [SimpleNamespace(index=0)]

    def chat(self, prompt, want):
        return Reply(self.parts)


@pytest.mark.parametrize("kind", [*KINDS, *HAPPENINGS])
def test_an_oracle_is_always_right(kind, made):
    verdicts = made[kind].run(Oracle(made[kind]), Results())
    assert len(verdicts) == 10
    if kind == "locate":
        assert all(verdict.value == pytest.approx(1) for verdict in verdicts)
    else:
        assert all(verdict.right for verdict in verdicts)


def test_who_does_not_look_is_as_often_right_as_wrong(made):
    for kind, task in made.items():
        if isinstance(task.scorer, Among) and tuple(task.scorer.answers) == YES_NO:
            assert Counter(task.truths) == {"yes": 5, "no": 5}, kind
            assert sum(verdict.right for verdict in task.run(Silent(), Results())) == 5


def test_no_box_and_a_wrong_box_score_nothing(made):
    corner = Part("boxes", Signal(np.array([[0, 0, 1, 1]], np.float32), frame=(64, 64), labels=("x",)))
    for model in (Silent(), Silent((corner,))):
        assert all(verdict.value == 0 for verdict in made["locate"].run(model, Results()))


def test_every_right_answer_can_be_chosen(made):
    for kind, task in made.items():
        if kind != "locate":
            assert set(task.truths) <= set(answers(kind, Making(atlas=Atlas())))


def test_tasks_are_the_same_for_the_same_seed(made):
    again = tasks(Making(side="test", side_px=64, atlas=Atlas()), 10, seed=1, kinds=["relation"])
    assert again[0].conversations == made["relation"].conversations


def test_a_kind_that_is_unknown_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="no scenes are made for 'taste'; there are describe, "):
        tasks(Making(atlas=Atlas()), 1, kinds=["taste"])


# --- drawings


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Five pictures, one red square each; the second has a concept of test, the others may not be used."""
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    assert not have_drawings()
    said = [
        {"label": "cat", "style": "noto"},
        {"label": "dog", "style": "noto", "split": "test"},
        {"label": "red star", "style": "noto"},
        {"label": "cow", "style": "twemoji"},
        {"label": "a very long name", "style": "noto"},
        {"label": "pig", "style": "noto", "held_out": True},
        {"label": "cat", "style": "fluent-flat"},
    ]
    rows = [Picture(medium=number, category="animals-nature", **one) for number, one in enumerate(said)]
    pixels = np.full((len(rows), 64, 64, 3), 255, np.uint8)
    for number in range(len(rows)):
        pixels[number, 8:56, 16:48] = (200, number, 0)
    folder().mkdir(parents=True)
    np.save(folder() / "pixels-64.npy", pixels)
    write_rows(rows, folder() / "pictures.parquet")


def test_drawings_are_free_ones_of_the_side(table):
    assert have_drawings()
    train, test = load_drawings("train"), load_drawings("test")
    assert list(train) == ["cat"] and list(test) == ["dog"]
    assert train["cat"][30, 30].tolist() == [200, 6, 0, 255], "of the style that comes first"
    assert train["cat"][0, 0, 3] == 0
    assert Atlas(train).extent("cat", 48) == (32, 48)


def test_paper_around_a_drawing_becomes_transparent_and_paper_inside_stays():
    page = np.full((20, 20, 3), 255, np.uint8)
    page[5:15, 5:15] = (200, 0, 0)
    page[8:12, 8:12] = 255
    alpha = on_white(page)[..., 3]
    assert alpha[0, 0] == alpha[4, 10] == 0
    assert alpha[10, 10] == alpha[6, 6] == 255


def test_the_rim_of_a_drawing_is_unmixed_from_the_paper():
    page = np.full((20, 20, 3), 255, np.uint8)
    page[5:15, 5:15] = (228, 128, 128)  # half of it paper
    page[6:14, 6:14] = (200, 0, 0)
    found = on_white(page)
    assert found[5, 10, :3].tolist() == [200, 0, 0]
    assert found[5, 10, 3] == pytest.approx(255 / 2, abs=2)
    assert found[10, 10].tolist() == [200, 0, 0, 255]
