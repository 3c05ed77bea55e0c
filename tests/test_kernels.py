"""The kernels family: series to the known kinds they are most like."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import tiny_base

from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.kernels import CHANNELS, LEVELS, LOOKED, POINTS, KernelsCodec, groups, stretched
from sensorium.model import grow
from sensorium.types import InputError, Signal

KINDS = 5
TIME = np.linspace(0, 1, 80, endpoint=False)


def waves(kind: int, number: int) -> np.ndarray:
    """Kind 0 is a slope, the others have so many periods; (80, 1) with a little noise."""
    rng = np.random.default_rng(100 * kind + number)
    wave = np.sin(2 * np.pi * (3 * kind * TIME + rng.random())) if kind else 4 * TIME
    return (wave + rng.normal(0, 0.05, 80))[:, None].astype(np.float32)


@pytest.fixture(scope="module")
def codec() -> KernelsCodec:
    seen = [(kind, waves(kind, number)) for kind in range(KINDS) for number in range(6)]
    return KernelsCodec.fit([groups(one) for _, one in seen], [kind for kind, _ in seen])


def test_contract(codec):
    check_codec(codec, [Signal(waves(kind, 50)) for kind in range(KINDS)])


def test_a_series_is_first_of_all_like_its_own_kind(codec):
    codes = codec.encode([Signal(waves(kind, 60 + number)) for kind in range(KINDS) for number in range(4)])
    assert [int(one[0]) for one in codes] == [kind for kind in range(KINDS) for _ in range(4)]


def test_the_kinds_of_a_series_are_different_ones(codec):
    (codes,) = codec.encode([Signal(waves(2, 70))])
    assert len(set(codes[:LOOKED].tolist())) == LOOKED


def test_codes_tell_the_course_of_the_strongest_channel(codec):
    both = np.stack([0.1 * np.sin(6 * TIME), TIME], 1).astype(np.float32)
    (codes,) = codec.encode([Signal(both)])
    header, frames = codec.layout.split(codes)
    assert header[LOOKED] == 1
    points = np.column_stack(np.divmod(frames[:, 0], LEVELS)).ravel()
    assert np.abs(points / (LEVELS - 1) - np.linspace(0, 1, POINTS)).max() <= 0.5 / (LEVELS - 1) + 1e-6


def test_short_series_and_many_channels_are_read(codec):
    codes = codec.encode([Signal(np.eye(3, CHANNELS, dtype=np.float32)), Signal(waves(1, 1)[:2])])
    assert all(codec.layout.check(one).size for one in codes)


def test_more_channels_than_it_knows_are_refused(codec):
    with pytest.raises(InputError, match="up to 12 channels can be read, this has 13"):
        codec.encode([Signal(np.zeros((9, 13), np.float32))])


def test_it_only_reads(codec):
    codes = codec.encode([Signal(waves(1, 1))])
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codes)


def test_a_saved_codec_reads_the_same(codec, tmp_path):
    codec.save(tmp_path / "codec")
    media = [Signal(waves(3, 9))]
    assert np.array_equal(load_codec(tmp_path / "codec").encode(media)[0], codec.encode(media)[0])


def test_kinds_may_have_words_at_which_rows_start(codec, tmp_path):
    said = ("slope", "one wave", "two waves", "three waves", "four waves", "five waves")[:KINDS]
    told = KernelsCodec(codec.mean_D, codec.weights_DP, words=said)
    told.save(tmp_path / "codec")
    assert load_codec(tmp_path / "codec").header_words(0) == said
    assert told.header_words(LOOKED) is None and codec.header_words(0) is None
    with pytest.raises(InputError, match="do not go with"):
        KernelsCodec(codec.mean_D, codec.weights_DP, words=said[:-1])
    grown = grow(tiny_base(), [told])
    layout, table = grown.vocabulary.layout(told.facts.name), grown.embedding.weight
    first = layout.open_id + 2 - grown.vocabulary.text_size
    for rank in range(2):
        row = grown.embedding.rows()[first + rank * KINDS + 1]
        ids = grown.tokenizer(" one wave", add_special_tokens=False)["input_ids"]
        assert torch.allclose(row, table[ids].mean(0), atol=1e-5)


def test_a_fit_does_not_depend_on_units(codec):
    """Kernels see a series without its level and size; only a small part of the features tells them."""
    values = waves(2, 80)
    assert int(codec.encode([Signal(1.05 * values)])[0][0]) == 2


def test_stretched_keeps_the_ends():
    assert stretched(np.array([[0.0, 5], [1, 6]]), 3).tolist() == [[0, 5], [0.5, 5.5], [1, 6]]
