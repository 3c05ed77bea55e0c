"""The pictograms recipe's evaluation and judge, on made-up pictures and a made-up model."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from recipes.pictograms import evaluate, judge
from recipes.pictograms.concepts import Gallery, Picture
from recipes.pictograms.drawing import Drawing, attempts_report, drawing_report

from sensorium.engines import Scored
from sensorium.evaluate import Results
from sensorium.modalities.sheet import contact_sheet
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
                    medium=len(pixels), family=family, style=style, label=label, category=f"{label[0]}-things",
                    group=label, split=split, held_out=family == "openmoji",
                )
            )  # fmt: skip
            pixels.append(image)
    return pictures, np.stack(pixels)


class Knowing:
    """Knows a dot by its first letter, so it takes one of "black" and "blue" for the other. Draws them too."""

    def __init__(self, pictures, pixels):
        self.letters = {pixels[p.medium].tobytes(): p.label[0] for p in pictures}
        self.by_name = {p.label: pixels[p.medium] for p in pictures if p.style == "fluent-flat"}
        self.codecs = {"image": SimpleNamespace(encode=list, decode=list)}
        self.vocabulary = SimpleNamespace(writer=lambda modality: SimpleNamespace(name="image"))

    def rank(self, conversation, answers, count, adapter):
        """Likeliest are the answers that begin with the picture's letter; all others are equally likely."""
        shown = [self.letters.get(part.data.tobytes()) for part in conversation.parts() if not part.is_text]
        right = [answer.removeprefix("a ")[0] == (shown or [None])[0] for answer in answers]
        return [Scored(index, 0.0) for index in sorted(range(len(answers)), key=lambda index: -right[index])[:count]]

    def score(self, conversation, answers):
        return [0.0 for _ in answers]

    def chat(self, conversation, seed, temperature, **options):
        name = conversation.messages[0].text.removeprefix("Draw a ").removesuffix(".")
        return Reply((Part("image", data=np.minimum(self.by_name[name], 255 - round(temperature * seed % 3))),))

    def candidates(self, conversation, want, count, seed):
        """The first is right, the others vary."""
        return [self.chat(conversation, number, float(number > 0)) for number in range(count)]


def quiet():
    return Results(say=lambda line: None)


def test_a_model_that_knows_is_told_from_blind_runs():
    pictures, pixels = make_table()
    results = quiet()
    gallery = Gallery(pictures, pixels)
    shown = gallery.held_out(500)
    assert sorted(p.label for p in shown) == sorted(COLOURS)
    assert all(p.held_out for p in shown)
    evaluate.naming(results, Knowing(pictures, pixels), gallery, shown)
    assert results.value("name, held-out family, top-1").hits == 3
    assert results.value("name, held-out family, top-5").hits == 4
    assert results.value("name, openmoji, top-1").hits == 3
    assert results.value("name, held-out family, top-1", "nearest neighbour on pixels").hits == 4
    assert results.value("name, held-out family, top-1", "no picture").hits <= 1
    assert results.value("name, held-out family, top-1", "a white picture").hits <= 1
    assert results.notes["name, held-out family: model against nearest neighbour"]["only_other"] == 1
    assert [one["true"] for one in results.notes["misnamed"]] == ["black dot"]


def test_unseen_concepts_are_judged_by_category():
    known, pixels = make_table()
    unseen, more = make_table("test")
    moved = [replace(p, medium=p.medium + len(known), label=f"{p.label} X") for p in unseen]
    pictures, pixels = known + moved, np.concatenate([pixels, more])
    gallery = Gallery(pictures, pixels)
    shown = gallery.unseen(500)
    assert len(shown) == 4
    results = quiet()
    evaluate.sorting(results, Knowing(pictures, pixels), gallery, shown, "here")
    assert results.value("category of an unseen concept, here, top-1", "nearest neighbour on pixels").hits == 4
    assert results.value("category of an unseen concept, here, top-1").hits == 4
    assert results.notes["chance of the category"] == pytest.approx(1 / 3, abs=1e-3)


def test_judge_learns_is_saved_and_judges_drawings(tmp_path):
    pictures, pixels = make_table()
    gallery = Gallery(pictures, pixels)
    made = judge.train(5, gallery=gallery, place=tmp_path / "judge", width=8, steps=50, batch=16)
    loaded = judge.load(tmp_path / "judge", width=8)
    images = [pixels[p.medium] for p in pictures]
    np.testing.assert_allclose(made.log_probs(images), loaded.log_probs(images), atol=1e-5)
    first, _ = judge.held_out_accuracy(loaded, gallery)["openmoji"]
    assert first.hits >= 3

    options = Drawing(
        names=10, seed=0, out=tmp_path, temperature=0, guidance=1, best_of=1, attempts=3, scorer="reading"
    )
    results, model = quiet(), Knowing(pictures, pixels)
    drawing_report(results, model, loaded, Gallery(pictures, pixels), options)
    assert results.value("drawing of a seen name, judged top-1").hits >= 3
    assert results.value("drawing of a seen name, judged top-5", "the drawing of another name").count == 4
    assert Image.open(tmp_path / "drawings-seen.png").width == 960

    for temperature, share in ((0, 0.0), (1, 1.0)):  # copies, then three that differ
        attempts_report(results, model, loaded, Gallery(pictures, pixels), replace(options, temperature=temperature))
        condition = f"temperature {temperature}, guidance 1"
        assert results.value("attempts that differ, share", condition).value == share
        assert (results.value("difference of two attempts", condition).value > 0) == bool(share)
        assert results.value("attempt, judged top-1", condition).count == 12
    own = replace(options, temperature=None, guidance=None)
    attempts_report(results, model, loaded, Gallery(pictures, pixels), own)
    assert results.value("attempts that differ, share", "as the model has it").value == 1


def test_missing_judge_says_how_to_get_one(tmp_path):
    with pytest.raises(ValueError, match="train judge"):
        judge.load(tmp_path)


def test_contact_sheet_holds_every_drawing(tmp_path):
    images = [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(12)]
    parts = [Part("image", data=image) for image in images]
    contact_sheet(parts, ["a rather long name of a thing"] * 12, tmp_path / "sheet.png", [True] * 12)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (960, 2 * 122)
        assert sheet.getpixel((48, 48)) == (0, 0, 0)
        assert sheet.getpixel((48 + 96, 48 + 122)) == (110, 110, 110)
