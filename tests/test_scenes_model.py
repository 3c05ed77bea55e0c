"""nano goes on with more to see: what it knew it knows, and pictures are told by more codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recipes.pictograms import nano
from recipes.scenes.codec import SHAPE
from recipes.scenes.model import BOXES, widened

import sensorium as sm
from sensorium.families.fsq import FSQCodec
from sensorium.model import Model
from sensorium.types import Conversation, Part, Signal, as_message


@pytest.fixture(scope="module")
def grown():
    torch.manual_seed(0)
    return widened("nano", FSQCodec(SHAPE))


def test_words_get_the_same_answers_and_known_codes_the_same_rows(grown):
    old, new = Model.load("nano"), grown.fold()
    ids = old.tokenizer("Tags of a red heart?", add_special_tokens=False)["input_ids"]
    assert ids == new.tokenizer("Tags of a red heart?", add_special_tokens=False)["input_ids"]
    text = old.senses.text_size
    for side in ("get_input_embeddings", "get_output_embeddings"):
        before, after = (getattr(one.lm, side)().weight for one in (old, new))
        stop = old.vocabulary.layout(nano.WRITER).stop
        torch.testing.assert_close(after[:stop], before[:stop], atol=1e-4, rtol=1e-3)
    layout = old.vocabulary.layout(nano.READER)
    before, after = (one.lm.get_input_embeddings().weight[layout.open_id : layout.stop] for one in (old, new))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)
    with torch.no_grad():
        known, found = (one.lm(torch.tensor([ids])).logits[0, -1, :text] for one in (old, new))
    torch.testing.assert_close(found, known, atol=1e-3, rtol=1e-3)


def test_a_picture_is_told_by_nano_s_codes_and_then_by_those_of_places(grown):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    asked = Conversation((as_message("user", [Part("image", pixels), "What is it?"]),))
    part = grown.senses.encode(asked).messages[0].parts[0]
    np.testing.assert_array_equal(part.codes[:8], sm.codec("image-read").encode([Signal(pixels)])[0])
    assert len(part.codes) == 8 + 64


def test_boxes_on_whole_pixels_of_a_scene_come_back_exactly():
    rows = np.array([[0, 0, 64, 64], [3, 7, 21, 40]], np.float32)
    (codes,) = BOXES.encode([Signal(rows, frame=(64.0, 64.0), labels=("red star", "moon"))])
    np.testing.assert_array_equal(BOXES.decode([codes])[0].array, rows)
