"""Codes with the numbers of their places."""

from __future__ import annotations

import numpy as np
import pytest

import sensorium as sm
from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.placed import PlacedCodec
from sensorium.types import InputError, Signal

CODES = FSQCodec(FSQConfig(name="codes", use="read", levels=(4, 4)))


def pictures(count: int) -> list[Signal]:
    rng = np.random.default_rng(0)
    return [Signal(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)) for _ in range(count)]


def test_the_contract():
    check_codec(PlacedCodec(CODES), pictures(3))


def test_every_code_comes_after_the_number_of_its_place():
    (codes,) = PlacedCodec(CODES).encode(pictures(1))
    places, found = codes.reshape(-1, 2).T
    np.testing.assert_array_equal(places, np.arange(64))
    np.testing.assert_array_equal(found, CODES.encode(pictures(1))[0])


def test_places_of_a_row_and_of_a_column_have_something_in_common():
    features = PlacedCodec(CODES).features(0)
    common = features @ features.T
    assert common[0, 0] == 2 and common[0, 7] == common[0, 8] == 1 and common[0, 9] == 0
    np.testing.assert_array_equal(PlacedCodec(CODES).features(1), CODES.features(0))


def test_a_saved_codec_needs_no_other(tmp_path):
    codec = PlacedCodec(CODES, name="seen")
    codec.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    assert loaded.facts == codec.facts
    np.testing.assert_array_equal(loaded.encode(pictures(2))[1], codec.encode(pictures(2))[1])


def test_codes_without_places_are_refused():
    with pytest.raises(InputError, match="have no places"):
        PlacedCodec(sm.codec("image-read"))
    with pytest.raises(InputError, match="cannot hold another of its kind"):
        PlacedCodec.build({"name": "a", "inner": {"family": "placed", "config": {}}}, {})
