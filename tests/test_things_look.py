"""Lists of things that are drawn: outlines, tones and patterns learned apart, put together as training never showed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.things import Found, ThingsCodec, ThingsConfig
from sensorium.families.tracks import Row, TracksCodec
from sensorium.learning.learn import learning
from sensorium.types import InputError, Signal

TONES = {"red": ((230, 30, 30), (120, 0, 0)), "blue": ((30, 60, 230), (0, 0, 120))}
SHAPE = ThingsConfig(
    values={"name": ("square", "stair"), "colour": tuple(TONES), "material": ("plain", "halved")},
    surface=("colour", "material"),
    size_px=32,
    bins=33,
    most=3,
    threshold=0.02,
    widths=(8, 8),
    blocks=(0, 0),
    patch_width=8,
)
GROUND = (250, 250, 250)


def drawn(name: str, colour: str, material: str, side_px: int = 40) -> np.ndarray:
    """A thing in a box of 4 to 36 px: a stair lacks its upper right quarter, what is halved is darker below."""
    picture = np.full((side_px, side_px, 3), GROUND, np.uint8)
    picture[4:36, 4:36] = TONES[colour][0]
    if material == "halved":
        picture[20:36, 4:36] = TONES[colour][1]
    if name == "stair":
        picture[4:20, 20:36] = GROUND
    return picture


def found(name: str, colour: str, material: str, box: tuple[float, float, float, float]) -> Found:
    said = {"name": name, "colour": colour, "material": material}
    return Found(1.0, box, {aspect: SHAPE.values[aspect].index(value) for aspect, value in said.items()})


SHOWN = [
    ("square", "red", "plain"),
    ("square", "blue", "plain"),
    ("square", "red", "halved"),
    ("square", "blue", "halved"),
    ("stair", "red", "plain"),
]


@pytest.fixture(scope="module")
def codec() -> ThingsCodec:
    pictures = [(Signal(drawn(*said)), [found(*said, (3.2, 3.2, 28.8, 28.8))]) for said in SHOWN]
    how = learning(minutes=1, say=lambda line: None)
    steps = replace(how, train=lambda net, sample, loss, **more: how.train(net, sample, loss, steps=300, **more))
    return ThingsCodec(SHAPE).with_look(pictures, steps, points=17, side_px=40, grounds=(GROUND, (10, 10, 10)))


def test_it_keeps_the_contract_and_says_that_it_writes(codec):
    assert (codec.facts.use, ThingsCodec(SHAPE).facts.use) == ("both", "read")
    rng = np.random.default_rng(0)
    check_codec(codec, [Signal(rng.integers(0, 255, (32, 32, 3), np.uint8)) for _ in range(3)])


def test_what_was_never_shown_together_is_drawn(codec):
    new = found("stair", "blue", "halved", (3, 3, 29, 29))
    (picture,) = codec.decode([codec.codes([new])])
    wanted = drawn("stair", "blue", "halved").astype(int)
    inner = np.ones((40, 40), bool)
    inner[2:7] = inner[33:38] = inner[:, 2:7] = inner[:, 33:38] = inner[17:23] = inner[:, 17:23] = False
    off = np.abs(picture.array.astype(int) - wanted)[inner]
    assert off.mean() < 12
    assert np.abs(drawn(*SHOWN[0]).astype(int) - wanted)[inner].mean() > 40, "others would not do"


def test_the_last_lies_on_top_and_boxes_say_where(codec):
    red, blue = (
        found("square", colour, "plain", box) for colour, box in (("red", (0, 0, 16, 16)), ("blue", (8, 8, 24, 24)))
    )
    one, other = (codec.drawn([[*things]])[0] for things in ((red, blue), (blue, red)))
    assert one[15, 15, 2] > 150 and other[15, 15, 0] > 150
    assert (one[32:, 32:] == GROUND).all()
    assert one[2, 2, 0] > 150 and one[28, 28, 2] > 150


def test_things_are_drawn_on_the_first_ground_that_they_stand_out_on(codec):
    shape, look = codec.look
    pale = codec.but(look=(replace(shape, grounds=((230, 30, 30), GROUND)), look))
    red, blue = (found("square", colour, "plain", (0, 0, 9, 9)) for colour in ("red", "blue"))
    assert tuple(pale.drawn([[red]])[0, -1, -1]) == GROUND
    assert tuple(pale.drawn([[blue]])[0, -1, -1]) == (230, 30, 30)
    grounds = pale.drawn([[blue], [red]])[:, -1, -1]
    assert (grounds == GROUND).all(), "a clip has one ground"


def test_boxes_the_wrong_way_round_are_drawn_and_those_without_area_are_not(codec):
    right = codec.codes([found("square", "red", "plain", (4, 4, 20, 20))])
    turned = right.copy()
    turned[3:7] = turned[[5, 6, 3, 4]]
    flat = right.copy()
    flat[5] = flat[3]
    pictures = [one.array for one in codec.decode([right, turned, flat, right[:0]])]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[2], pictures[3])
    assert (pictures[2] == GROUND).all()


def test_it_is_the_same_after_saving_and_one_that_only_reads_stays_what_it_was(codec, tmp_path):
    codec.save(tmp_path / "draws")
    again = load_codec(tmp_path / "draws")
    assert again.fingerprint() == codec.fingerprint()
    codes = [codec.codes([found("stair", "blue", "plain", (2, 2, 30, 20))])]
    np.testing.assert_array_equal(again.decode(codes)[0].array, codec.decode(codes)[0].array)
    reads = codec.but(look=None)
    assert "look" not in reads.config() and "use" not in reads.config()
    assert reads.fingerprint() != codec.fingerprint() and reads.facts.use == "read"
    with pytest.raises(InputError, match="only reads"):
        reads.decode(codes)
    assert codec.but(config=replace(SHAPE, name="pen", use="write")).facts.use == "write"


def test_a_clip_goes_from_the_first_box_to_the_last_in_its_time(codec):
    film = TracksCodec(codec, name="film", use="write", drawn_moments=6)
    assert TracksCodec.build(film.config(), film.tensors()).fingerprint() == film.fingerprint()
    first, last = (found("square", "red", "plain", (x, 8.0, x + 8, 16.0)) for x in (0.0, 16.0))
    codes = film.listed([film.frame(Row(first, last, 1, 5, 2, 4))])
    (row,) = film.rows(codes)
    assert (row.first.box, row.last.box, row.seen, row.until) == (first.box, last.box, 1, 5)
    assert [[one.box[0] for one in moment] for moment in film.moments(codes)] == [[], [0], [0], [8], [16], []]
    (clip,) = film.decode([codes])
    assert clip.array.shape == (6, 40, 40, 3) and clip.rate_hz == 8
    ink = (clip.array != GROUND).any(-1)
    assert not ink[0].any() and not ink[5].any()
    assert [int(ink[moment].any(0).argmax()) for moment in (1, 3, 4)] == [0, 10, 20]


def test_clips_that_only_read_stay_what_they_were(codec):
    reads = TracksCodec(codec.but(look=None))
    assert reads.facts.use == "read" and not {"use", "drawn_moments"} & set(reads.config())
    with pytest.raises(InputError, match="only reads"):
        reads.decode([np.zeros(0, np.int64)])
    check_codec(
        TracksCodec(codec),
        [Signal(np.random.default_rng(n).integers(0, 255, (4, 32, 32, 3), np.uint8), 8.0) for n in (0, 1)],
    )
    with pytest.raises(InputError, match="longer than the longest"):
        TracksCodec(codec, most_moments=4, drawn_moments=5)


def test_what_cannot_be_learned_is_said():
    full = Signal(np.zeros((32, 32, 3), np.uint8)), [found(*SHOWN[0], (0, 0, 32, 32))]
    with pytest.raises(InputError, match="ground beside them"):
        ThingsCodec(SHAPE).with_look([full], learning(minutes=0, say=lambda line: None))
    with pytest.raises(InputError, match="by mood, of which nothing is told"):
        ThingsCodec(SHAPE).with_look([full], learning(minutes=0, say=lambda line: None), ink=("mood",))
