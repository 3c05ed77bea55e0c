"""Two codecs of one medium: whose codes stand where, rows that go on, saving, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import sensorium as sm
from sensorium.codecs import Layout, load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.frames import FramesCodec
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.joined import JoinedCodec
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.lexical import LexicalCodec
from sensorium.families.uniform import UniformCodec
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

READER = sm.codec("image-read")
PATCHES = KMeansCodec(np.random.default_rng(0).random((16, 48)).astype(np.float32), size_px=16, patch_px=4)
PLACES = FSQCodec(FSQConfig(name="places", use="read", levels=(4, 4)))


def pictures(count: int) -> list[Signal]:
    rng = np.random.default_rng(0)
    return [Signal(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)) for _ in range(count)]


@pytest.mark.parametrize("second", [PLACES, PATCHES])
def test_the_contract(second):
    check_codec(JoinedCodec(READER, second), pictures(3))


def test_codes_of_the_first_come_before_those_of_the_second_each_fitted_to_its_own_size():
    codec = JoinedCodec(READER, PATCHES)
    (codes,) = codec.encode(pictures(1))
    head, frames = codec.layout.split(codes)
    np.testing.assert_array_equal(head, READER.encode(pictures(1))[0])
    np.testing.assert_array_equal(frames[:, 0], PATCHES.encode(pictures(1))[0])
    assert codec.facts.grid == PATCHES.facts.grid
    assert codec.facts.wish == Wish(), "they wish for other sizes, so nothing is made small for both"
    assert JoinedCodec(READER, PLACES).facts.wish.size == (64, 64)


def test_a_model_that_knows_the_first_finds_its_ids_where_they_were():
    alone, both = Layout(READER.facts, 1000), Layout(JoinedCodec(READER, PLACES).facts, 1000)
    assert both.starts[: READER.facts.codebooks] == alone.starts
    assert both.stop == alone.stop + 16
    codec = JoinedCodec(READER, PLACES)
    for book in range(READER.facts.codebooks):
        np.testing.assert_array_equal(codec.header_features(book), READER.features(book))
    np.testing.assert_array_equal(codec.features(0), PLACES.features(0))


def test_it_says_what_its_codecs_say_in_words():
    names = LexicalCodec(
        READER, ["a cat", "a dog"], np.eye(2, READER.settings.codes * len(READER.settings.levels)), codes=2
    )
    boxes = UniformCodec(("x", "y"), bins=5, ranges=[(0, 4), (0, 64)], name="places", modality="image", use="read")
    codec = JoinedCodec(names, boxes)
    assert [codec.header_words(book) for book in range(2)] == [["a cat", "a dog"]] * 2
    assert codec.words(1) == ["zero", "sixteen", "thirty two", "forty eight", "sixty four"]
    assert JoinedCodec(READER, PLACES).header_words(0) is None


def test_a_saved_codec_needs_no_other(tmp_path):
    codec = JoinedCodec(READER, PLACES, name="seen")
    codec.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    assert loaded.facts == codec.facts
    np.testing.assert_array_equal(loaded.encode(pictures(2))[1], codec.encode(pictures(2))[1])


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (READER, UniformCodec(2, bins=8), "join codecs of one"),
        (FramesCodec(READER), FramesCodec(READER), "cannot come first: take one that makes at most 64 codes"),
        (FSQCodec(FSQConfig(grid=16, encoder_widths=(8,), encoder_blocks=(0,), decoder_widths=(8,),
                            decoder_blocks=(0,))), PLACES, "cannot come first"),
        (READER, JoinedCodec(READER, PLACES), "has a header of its own"),
    ],
)  # fmt: skip
def test_codecs_that_cannot_be_joined_are_refused(first, second, sentence):
    with pytest.raises(InputError, match=sentence):
        JoinedCodec(first, second)


@pytest.mark.parametrize("change", [{"colour": 1}, {"first": {"family": "joined"}}, {"second": None}, {"name": 5}])
def test_a_damaged_config_is_refused(change):
    codec = JoinedCodec(READER, PLACES)
    with pytest.raises(InputError):
        JoinedCodec.build(codec.config() | change, codec.tensors())
