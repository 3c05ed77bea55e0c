"""Tux Paint's stamps as a held-out source: words from captions and files, pictures, and the first of a few names."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from recipes.pictograms import evaluate
from recipes.pictograms.concepts import Gallery, Picture
from recipes.pictograms.phrases import phrase
from recipes.pictograms.sources import SOURCES, STAMPS
from recipes.pictograms.stamps import FirstOf, Stamp, read_stamps, words_of
from recipes.pictograms.tasks import named

from sensorium.engines import Scored
from sensorium.evaluate import Results
from sensorium.types import Part, Reply

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="4" height="4" fill="{}"/></svg>'


@pytest.mark.parametrize(
    ("file", "caption", "words"),
    [
        ("frog-1", "A green frog.\naf.utf8='n Padda.\n", ["green frog", "frog"]),
        ("bear_2", "The bear", ["bear", "bear"]),
        ("penny", "A US 1 cent piece ($.01) called a penny.\n", ["penny"]),
        ("red-kite", "", ["red kite"]),
        ("7", None, ["7"]),
    ],
)
def test_words_are_those_of_short_captions_and_of_files(tmp_path, file, caption, words):
    place = tmp_path / f"{file}.txt"
    if caption is not None:
        place.write_text(caption)
    assert words_of(place) == words


def test_every_stamp_is_read_once_and_fills_its_picture(tmp_path):
    (tmp_path / "animals").mkdir()
    small = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    ImageDraw.Draw(small).rectangle((90, 40, 109, 59), fill=(255, 0, 0, 255))
    small.save(tmp_path / "animals" / "frog-1.png")
    (tmp_path / "animals" / "frog-1.txt").write_text("A green frog.\n")
    (tmp_path / "box.svg").write_text(SVG.format("#0000ff"))
    small.save(tmp_path / "box.png")
    (tmp_path / "sign.svg").write_text(SVG.format("none"))  # nothing to see, so the other file counts
    small.save(tmp_path / "sign.png")
    found = {one.place: one for one in read_stamps(tmp_path, {"frog", "sign"})}
    assert list(found) == ["animals/frog-1", "box", "sign"]
    assert [(one.word, one.known) for one in found.values()] == [("frog", True), ("box", False), ("sign", True)]
    assert found["animals/frog-1"].pixels[4, 4].tolist() == [255, 0, 0], "cut to its ink and made to fill the picture"
    assert found["box"].pixels[32, 32].tolist() == [0, 0, 255]
    assert found["sign"].pixels[32, 32].tolist() == [255, 0, 0]


class Orders:
    """Likes names in an order, whatever it sees; without a picture the other way round."""

    def __init__(self, order):
        self.order = order

    def rank(self, conversation, answers, count, adapter):
        sign = 1 if any(not part.is_text for part in conversation.parts()) else -1
        likely = sorted(range(len(answers)), key=lambda index: sign * self.order.index(answers[index]))
        return [Scored(index, 0.0) for index in likely[:count]]

    def chat(self, conversation, **options):
        return Reply((Part("text", self.order[0]),))


def test_the_first_of_a_few_is_told_from_the_first_of_all():
    names = [f"a {letter}" for letter in "bcdfghjk"]
    talks = [
        named(Part("image", data=np.zeros((64, 64, 3), np.uint8)), name[2:]) for name in (names[0], names[3], names[7])
    ]
    right = [one.right for one in FirstOf(names, 2, seed=0).judge(Orders(names), talks)]
    assert right[0] and not right[2], "the likeliest name is first of any two, the unlikeliest never"
    assert FirstOf(names, 8, seed=0).judge(Orders(names), talks)[1].said == (names[0],)
    assert [one.right for one in FirstOf(names, 8, seed=5).judge(Orders(names), talks)] == [True, False, False]


def test_the_report_has_known_words_and_all():
    pixels = np.stack([np.full((64, 64, 3), 60 * n, np.uint8) for n in range(3)])
    pictures = [
        Picture(medium=n, family="noto", style="noto", label=f"{n} dot", split="train", group=str(n)) for n in range(60)
    ]
    gallery = Gallery(pictures, np.concatenate([pixels] * 20))
    stamps = [
        Stamp(place=str(n), word=word, known=n < 2, pixels=pixels[n])
        for n, word in enumerate(("0 dot", "1 dot", "yak"))
    ]
    order = [*(phrase(f"{n} dot") for n in range(60)), "a yak"]
    results = Results(say=lambda line: None)
    evaluate.stamps_report(results, Orders(order), gallery, stamps, seed=0)
    known, every = "name, tuxpaint stamps, whose word is known", "name, tuxpaint stamps, all"
    assert (results.value(f"{known}, top-1").hits, results.value(f"{known}, top-1").count) == (1, 2)
    assert (results.value(f"{every}, top-1").hits, results.value(f"{every}, top-1").count) == (1, 3)
    assert results.value(f"{every}, top-5").hits == 2
    assert results.value(f"{every}, top-1", "no picture").hits == 1, "blind, it likes the yak"
    assert results.value(f"{known}, top-1", "nearest neighbour on pixels").count == 2
    assert results.value(f"{every}, first of 50").hits in (1, 2)


def test_stamps_are_never_trained_on():
    assert STAMPS.held_out and STAMPS not in SOURCES
