"""Facts and the layout that follows from them: header, free axis, several codebooks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyCodec, random_codes

from sensorium.codecs import Facts, Layout, Place
from sensorium.codecs.contract import check_codec
from sensorium.modalities import Wish
from sensorium.types import InputError

CLIP = Facts(
    name="clip",
    modality="clip",
    codebook_sizes=(3, 2),
    header=(("rate", 4), ("gain", 5)),
    grid=(None, 2, 2),
    max_frames=12,
    frame_rate_hz=2.0,
    wish=Wish(rate_hz=8.0, channels=1, size=(16, 16)),
)
LAYOUT = Layout(CLIP, open_id=100)


def test_ids_lie_one_behind_the_other():
    assert (LAYOUT.open_id, LAYOUT.close_id, LAYOUT.starts, LAYOUT.stop) == (100, 101, (102, 106, 111, 114), 116)
    assert len(list(LAYOUT.tokens())) == LAYOUT.stop - LAYOUT.open_id
    assert list(LAYOUT.tokens())[2:7] == [
        "<|clip:rate:0|>",
        *(f"<|clip:rate:{n}|>" for n in (1, 2, 3)),
        "<|clip:gain:0|>",
    ]


def test_a_medium_ends_only_after_a_whole_step():
    assert (LAYOUT.min_codes, LAYOUT.max_codes, LAYOUT.step_codes) == (10, 26, 8)
    assert [n for n in range(27) if LAYOUT.may_close(n)] == [10, 18, 26]
    assert LAYOUT.allowed(0) == ((102, 106),)
    assert LAYOUT.allowed(1) == ((106, 111),)
    assert LAYOUT.allowed(2) == ((111, 114),)
    assert LAYOUT.allowed(10) == ((101, 102), (111, 114))
    assert LAYOUT.allowed(11) == ((114, 116),)
    assert LAYOUT.allowed(26) == ((101, 102),)


def test_every_code_has_its_place():
    assert LAYOUT.place(1) == Place(header="gain")
    assert LAYOUT.place(2) == Place(frame=0, axes=(0, 0, 0), codebook=0)
    assert LAYOUT.place(2 + 8 + 2 * 3 + 1) == Place(frame=7, axes=(1, 1, 1), codebook=1)


@given(steps=st.integers(1, 3), seed=st.integers(0, 99))
def test_codes_survive_ids_and_splitting(steps, seed):
    codec = ToyCodec("clip", sizes=(3, 2), header=CLIP.header, grid=(None, 2, 2), max_frames=12)
    codes = random_codes(codec, seed, 4 * steps)
    ids = LAYOUT.ids(codes)
    assert (ids[0], ids[-1]) == (100, 101)
    np.testing.assert_array_equal(LAYOUT.codes(ids[1:-1]), codes)
    header, frames = LAYOUT.split(codes)
    assert (header.shape, frames.shape) == ((2,), (4 * steps, 2))
    np.testing.assert_array_equal(LAYOUT.join(header, frames), codes)


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        ([0] * 9, "takes 4 to 12 frames in steps of 4 of 2 codes after 2 of the header, not 9 codes"),
        ([0] * 12, r"not 12 codes \(5 frames\)"),
        ([4] + [0] * 9, r"code 4 at place 0 is out of range for codec 'clip' \(0 to 3\)"),
        ([0] * 9 + [2], r"code 2 at place 9 is out of range"),
    ],
)
def test_wrong_codes_get_one_sentence(codes, sentence):
    with pytest.raises(InputError, match=sentence):
        LAYOUT.check(codes)


def test_facts_survive_json_and_write_down_only_what_differs():
    assert Facts.from_json(CLIP.to_json()) == CLIP
    plain = Facts(name="a", modality="a", codebook_sizes=(4,), max_frames=3)
    assert plain.to_json() == {"name": "a", "modality": "a", "codebook_sizes": [4], "max_frames": 3}
    assert Facts.from_json(plain.to_json() | {"a_later_field": 1, "grid": None}) == plain


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"grid": (2, None)}, "only the first axis"),
        ({"grid": ()}, "only the first axis"),
        ({"max_frames": 13}, "whole steps of 4 frames"),
        ({"name": "a b"}, "cannot be named"),
        ({"header": (("a:b", 2),)}, "cannot be named"),
    ],
)
def test_impossible_facts_are_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        Facts(**{**CLIP.__dict__, **changes})


@pytest.mark.parametrize(
    "codec",
    [
        ToyCodec(sizes=(3, 2), header=[("rate", 4), ("gain", 5)], grid=(None, 2, 2), max_frames=12),
        ToyCodec(sizes=(7,), grid=None, max_frames=9, min_frames=3),
        ToyCodec(sizes=(5, 4)),
    ],
    ids=["steps and header", "free", "fixed"],
)
def test_the_contract_holds_for_every_shape(codec):
    media = [codec.decode([random_codes(codec, seed, frames)])[0] for seed, frames in ((1, 4), (2, 4), (3, None))]
    check_codec(codec, media)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ".."}, "cannot be named"),  # codecs lie in folders of their names
        ({"min_frames": 9}, "fewest frames 9, most 4"),
        ({"header": (("a", 2), ("a", 3))}, "must differ"),
        ({"header": (("0", 2),)}, "not be numbers"),
    ],
)
def test_facts_that_make_no_layout_are_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        Facts(**{"name": "a", "modality": "toy", "codebook_sizes": (2, 2), "max_frames": 4} | changes)
