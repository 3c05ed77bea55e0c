"""Clips through a codec of pictures: times in seconds, saving with the picture codec inside, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import sensorium as sm
from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.frames import FramesCodec
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.uniform import UniformCodec
from sensorium.types import InputError, Signal

READER = sm.codec("image-read")
PATCHES = KMeansCodec(np.random.default_rng(0).random((16, 48)).astype(np.float32), size_px=16, patch_px=4)


def clip(rate_hz: float | None, seconds: float, seed: int = 0) -> Signal:
    """A new picture of noise every half second."""
    rng, rate = np.random.default_rng(seed), rate_hz or 8.0
    pictures = rng.integers(0, 256, (int(seconds * 2) + 1, 8, 8, 3)).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    return Signal(np.stack([pictures[int(row / rate * 2)] for row in range(round(seconds * rate))]), rate_hz)


@pytest.mark.parametrize("picture", [READER, PATCHES])
def test_the_contract(picture):
    check_codec(FramesCodec(picture, most_frames=8), [clip(8.0, 2), clip(30.0, 1.5, 1), clip(4.0, 1, 2)])


def test_a_moment_is_its_time_and_what_the_picture_codec_sees_then():
    codec = FramesCodec(READER, rate_hz=2, tick_s=0.25)
    film = clip(30.0, 2)
    (codes,) = codec.encode([film])
    assert codec.times_s(codes).tolist() == [0, 0.5, 1, 1.5]
    moments = codec.layout.split(codes)[1][:, 1:]
    np.testing.assert_array_equal(moments, READER.encode([Signal(film.array[row]) for row in (0, 15, 30, 45)]))


@pytest.mark.parametrize("rate", [7.0, 12.5, 29.97, 60.0])
def test_times_are_those_of_the_source_whatever_its_rate(rate):
    codec = FramesCodec(READER, rate_hz=4, tick_s=0.25)
    film = clip(rate, 3)
    (codes,) = codec.encode([film])
    seen = codec.layout.split(codes)[1][:, 1:]
    changed = [row + 1 for row in range(len(seen) - 1) if not np.array_equal(seen[row], seen[row + 1])]
    np.testing.assert_allclose(codec.times_s(codes)[changed], [0.5, 1, 1.5, 2, 2.5], atol=0.25)


def test_codes_of_a_picture_start_as_alike_as_in_its_own_codec():
    codec = FramesCodec(READER)
    for book in range(READER.facts.codebooks):
        np.testing.assert_array_equal(codec.features(book + 1), READER.features(book))
    near, far = (np.linalg.norm(codec.features(0)[4] - codec.features(0)[other]) for other in (5, 40))
    assert near < far, "moments near each other are alike"


def test_a_saved_codec_needs_no_other(tmp_path):
    codec = FramesCodec(READER, name="moments", rate_hz=3, tick_s=0.1, most_frames=20)
    codec.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    np.testing.assert_array_equal(loaded.encode([clip(9.0, 2)])[0], codec.encode([clip(9.0, 2)])[0])
    assert loaded.facts == codec.facts


def test_a_clip_that_is_too_long_says_how_long_one_may_be():
    with pytest.raises(InputError, match=r"the clip lasts 3 s, codec 'video-read' takes at most 2 s"):
        FramesCodec(READER, most_frames=8).encode([clip(8.0, 3)])


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (UniformCodec(2, bins=8), "through a codec of image"),
        (FSQCodec(FSQConfig()), "take one that reads pictures in a few codes"),
    ],
)
def test_what_cannot_see_pictures_in_a_few_codes_is_refused(picture, sentence):
    with pytest.raises(InputError, match=sentence):
        FramesCodec(picture)


@pytest.mark.parametrize(
    "change", [{"rate_hz": 0}, {"most_frames": 10**9}, {"colour": 1}, {"picture": {"family": "frames"}}]
)
def test_a_damaged_config_is_refused_before_memory_is_taken(change):
    codec = FramesCodec(READER)
    with pytest.raises(InputError):
        FramesCodec.build(codec.config() | change, codec.tensors())
