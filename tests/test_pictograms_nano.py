"""Codes in place of pictures: fresh noise for what is read, none for what is written."""

from __future__ import annotations

from random import Random

import numpy as np
from recipes.pictograms.nano import READER, WRITER, Codes

from sensorium.families.semantic import SemanticCodec, SemanticConfig
from sensorium.types import Conversation, Message, Part, as_message

SHAPE = SemanticConfig(size_px=16, codes=3, widths=(8, 8), blocks=(1, 1), channels=8, hidden=16)


def codes(noise: tuple[float, ...]) -> Codes:
    generator = np.random.default_rng(0)
    values = generator.standard_normal((2, 5, SHAPE.codes * len(SHAPE.levels))).astype(np.float16)
    return Codes(generator.integers(0, 9, (5, 4, 1), np.int32), values, SemanticCodec(SHAPE), noise)


def filled(made: Codes, seed: int) -> list[Part]:
    asked = as_message("user", [Part("image", data=3), "What is this?"])
    drawn = Message("assistant", (Part("image", data=2),))
    return list(made.fill(Conversation((asked, drawn)), Random(seed)).parts())


def test_codes_take_the_place_of_picture_numbers():
    made = codes((0.0,))
    read, words, written = filled(made, 1)
    looks = [made.reader.quantise(values[3:4].astype(np.float32))[0] for values in made.values]
    assert any(np.array_equal(read.codes, look) for look in looks)
    assert read.codec == READER
    assert words.data == "What is this?"
    assert np.array_equal(written.codes, made.written[2].ravel())
    assert written.codec == WRITER
    assert np.array_equal(made.read[3], looks[0])


def test_noise_is_drawn_anew_for_every_reading_and_repeats_with_the_seed():
    made = codes((0.5,))
    seen = {filled(made, seed)[0].codes.tobytes() for seed in range(40)}
    assert len(seen) > 10
    assert np.array_equal(filled(made, 7)[0].codes, filled(made, 7)[0].codes)
    few = codes((0.0,))
    assert len({filled(few, seed)[0].codes.tobytes() for seed in range(40)}) <= 2
