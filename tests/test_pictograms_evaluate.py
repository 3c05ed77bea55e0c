"""The pictograms recipe's evaluation and judge, on made-up pictures and a made-up model."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from recipes.pictograms import evaluate, judge
from recipes.pictograms.concepts import Picture
from recipes.pictograms.drawing import contact_sheet, drawing_report
from recipes.pictograms.intervals import Share, top

from sensorium.types import Part, Reply

COLOURS = {"red dot": (230, 30, 30), "green dot": (30, 180, 30), "blue dot": (30, 30, 230), "black dot": (0, 0, 0)}
STYLES = {"noto": "noto", "fluent-flat": "fluent", "openmoji": "openmoji"}


def make_table(split: str = "train") -> tuple[list[Picture], np.ndarray]:
    """Four dots in three families, the third held out; each family draws the dot at another size."""
    pictures, pixels = [], []
    for size, (style, family) in enumerate(STYLES.items()):
        for label, colour in COLOURS.items():
            image = np.full((64, 64, 3), 255, np.uint8)
            image[20 - 4 * size : 44 + 4 * size, 20 : 44 + 3 * size] = colour
            pictures.append(
                Picture(
                    picture=len(pixels), family=family, style=style, label=label, category=f"{label[0]}-things",
                    root=label, split=split, names={}, tags=(), held_out=family == "openmoji",
                )
            )  # fmt: skip
            pixels.append(image)
    return pictures, np.stack(pixels)


def test_wilson_interval_matches_published_values():
    low, high = Share(8, 10).interval
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert Share(0, 50).interval[0] == 0
    assert "n = 50" in str(Share(0, 50))
    assert top([0, 3, 5, 9], 5).hits == 2


class KnowingModel:
    """Says the name of the dot by its colour; draws it too."""

    def __init__(self, pictures, pixels):
        self.table = {pixels[p.picture].tobytes(): p for p in pictures}
        self.by_name = {p.label: pixels[p.picture] for p in pictures if p.style == "fluent-flat"}
        self.device = torch.device("cpu")
        self.lm = self
        self.codecs = {"image": SimpleNamespace(encode=lambda signals: signals, decode=lambda signals: signals)}
        self.vocabulary = SimpleNamespace(writer=lambda modality: SimpleNamespace(name="image"))
        self.senses = SimpleNamespace(encode=lambda conversation: conversation)

    @property
    def stream(self):
        return SimpleNamespace(render=self._render)

    def _render(self, conversation, reply=False):
        media = [p.array for p in conversation.parts() if not p.is_text]
        if media:
            shown = self.table.get(np.asarray(media[0]).tobytes())
            return SimpleNamespace(ids=np.array([ord(shown.label[0]) if shown else 0]))
        words = conversation.messages[-1].text if conversation.messages[-1].role == "assistant" else ""
        ids = [1, *(ord(c) for c in words.removeprefix("a "))]
        return SimpleNamespace(ids=np.array(ids), mask=np.array([False] + [True] * (len(ids) - 1)))

    @property
    def engine(self):
        return self

    def best(self, prompt, answers, wanted):
        """Likeliest are the answers that begin with the picture's letter; all others are equally likely."""
        order = sorted(range(len(answers)), key=lambda i: answers[i][0] != prompt[-1])
        return [SimpleNamespace(index=index) for index in order[:wanted]]

    def media(self, about):
        return nullcontext()

    def chat(self, conversation, **options):
        name = conversation.messages[0].text.removeprefix("Draw a ").removesuffix(".")
        return Reply((Part("image", data=self.by_name[name]),))


def rows(report):
    return {(measure, condition): share for measure, condition, share in report.rows}


def test_a_model_that_knows_is_told_from_blind_runs():
    pictures, pixels = make_table()
    report = evaluate.Report()
    shown = evaluate.held_out_pictures(pictures, 500)
    assert sorted(p.label for p in shown) == sorted(COLOURS)
    assert all(p.held_out for p in shown)
    # "black" and "blue" begin alike for this model, so it takes one for the other.
    evaluate.naming_report(report, KnowingModel(pictures, pixels), pictures, pixels, shown)
    found = rows(report)
    assert found["name, held-out family, top-1", "model"].hits == 3
    assert found["name, held-out family, top-5", "model"].hits == 4
    assert found["name, held-out family, top-1", "nearest neighbour on pixels"].hits == 4
    assert found["name, held-out family, top-1", "no picture"].hits <= 1
    assert "| name, held-out family, top-1 | model |" in report.to_markdown()


def test_unseen_concepts_are_judged_by_category():
    known, pixels = make_table()
    unseen, more = make_table("test")
    moved = [Picture(**{**p.__dict__, "picture": p.picture + len(known), "label": f"{p.label} X"}) for p in unseen]
    pictures, pixels = known + moved, np.concatenate([pixels, more])
    shown = evaluate.unseen_pictures(pictures, 500)
    assert len(shown) == 4
    report = evaluate.Report()
    evaluate.category_report(report, KnowingModel(pictures, pixels), pictures, pixels, shown, "here")
    found = rows(report)
    assert found["category of an unseen concept, here, top-1", "nearest neighbour on pixels"].hits == 4
    assert found["category of an unseen concept, here, top-1", "model"].hits == 4
    assert report.notes["chance of the category"] == pytest.approx(1 / 3, abs=1e-3)


def test_judge_learns_is_saved_and_judges_drawings(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "BATCH", 16)
    pictures, pixels = make_table()
    options = {"width": 8, "peak_rate": 5e-3, "drawings": 800}
    made = judge.train(pictures, pixels, minutes=5, folder=tmp_path / "judge", **options)
    loaded = judge.Judge.load(tmp_path / "judge")
    images = [pixels[p.picture] for p in pictures]
    np.testing.assert_allclose(made.log_probs(images), loaded.log_probs(images), atol=1e-5)
    first, _ = judge.held_out_accuracy(loaded, pictures, pixels)["openmoji"]
    assert first.hits >= 3

    written = {"temperature": 1.0, "guidance": 1.0, "best_of": 1, "scorer": "reading"}
    options = SimpleNamespace(names=10, seed=0, out=tmp_path, **written)
    report = evaluate.Report()
    drawing_report(report, KnowingModel(pictures, pixels), loaded, pictures, pixels, options)
    found = rows(report)
    assert found["drawing of a seen name, judged top-1", "model"].hits >= 3
    assert Image.open(tmp_path / "drawings-seen.png").width == 960


def test_missing_judge_says_how_to_get_one(tmp_path):
    with pytest.raises(ValueError, match="judge train"):
        judge.Judge.load(tmp_path)


def test_contact_sheet_holds_every_drawing(tmp_path):
    images = [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(12)]
    contact_sheet(images, [("a rather long name of a thing", True)] * 12, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (960, 2 * 122)
        assert sheet.getpixel((48, 48)) == (0, 0, 0)
        assert sheet.getpixel((48 + 96, 48 + 122)) == (110, 110, 110)
