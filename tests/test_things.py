"""The things codec family: pictures to lists of things, how it learns, and words that a language model starts at."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from toys import tiny_base

from sensorium.codecs.contract import check_codec
from sensorium.families.net_codec import pixels_to_net
from sensorium.families.things import Found, ThingsCodec, ThingsConfig, overlaps
from sensorium.families.things_loss import UNKNOWN, hills, losses
from sensorium.families.things_net import covered
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.model import grow
from sensorium.types import Conversation, InputError, Part, Signal, as_message

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60)}
TINY = ThingsConfig(
    values={"name": ("square", "bar"), "colour": tuple(COLOURS)},
    surface=("colour",),
    size_px=32,
    bins=33,
    most=2,
    widths=(16, 16),
    blocks=(0, 1),
    patch_width=16,
)


def scene(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[tuple[str, str, tuple[int, int, int, int]]]]:
    """Squares and bars on white, one in the left half and one in the right; what they are, and their boxes."""
    picture, things = np.full((32, 32, 3), 255, np.uint8), []
    for number in range(count):
        name, colour = rng.choice(TINY.values["name"]), rng.choice(list(COLOURS))
        x, y = int(rng.integers(1, 5)) + 16 * number, int(rng.integers(1, 20))
        high = 10 if name == "square" else 4
        picture[y : y + high, x : x + 10] = COLOURS[colour]
        things.append((name, colour, (x, y, x + 10, y + high)))
    return picture, things


def batch_of(rng: np.random.Generator, count: int) -> dict[str, torch.Tensor]:
    made = [scene(rng, int(rng.integers(0, 3))) for _ in range(count)]
    boxes = torch.zeros(count, 2, 4)
    numbers = {name: torch.full((count, 2), UNKNOWN) for name in TINY.values}
    for row, (_, things) in enumerate(made):
        for place, (name, colour, box) in enumerate(things):
            boxes[row, place] = torch.tensor(box)
            numbers["name"][row, place] = TINY.values["name"].index(name)
            numbers["colour"][row, place] = TINY.values["colour"].index(colour)
    x = pixels_to_net(torch.from_numpy(np.stack([picture for picture, _ in made])))
    return {"x": x, "boxes": boxes} | numbers


@pytest.fixture(scope="module")
def codec() -> ThingsCodec:
    torch.manual_seed(0)
    net = TINY.net()
    how = CodecTraining(minutes=9, steps=150, batch=16, lr=1e-2)
    train_codec(net, batch_of, partial(losses, extents=TINY.extents), how, say=lambda line: None)
    return ThingsCodec(TINY, net)


def signals(count: int, things: int = 2) -> list[Signal]:
    rng = np.random.default_rng(1)
    return [Signal(scene(rng, things)[0]) for _ in range(count)]


def test_it_keeps_the_contract(codec):
    check_codec(codec, signals(3))


def test_a_picture_becomes_the_words_of_what_it_shows_and_numbers_near_the_box(codec):
    rng, right, off = np.random.default_rng(2), [], []
    for _ in range(20):
        picture, things = scene(rng, 2)
        (codes,) = codec.encode([Signal(picture)])
        said = [[codec.words(book)[code] for book, code in enumerate(frame)] for frame in codes.reshape(-1, 6)]
        right.append(sorted(one[:2] for one in said) == sorted([name, colour] for name, colour, _ in things))
        wanted = np.array([box for _, _, box in sorted(things, key=lambda one: one[2])])
        if len(said) == 2:
            found = codes.reshape(-1, 6)[:, 2:] * codec.settings.step_px
            off.append(np.abs(np.sort(found, axis=0) - np.sort(wanted, axis=0)).mean())
    assert np.mean(right) > 0.8
    assert np.mean(off) < 1.5


def test_an_empty_picture_has_no_things_and_goes_through_a_conversation(codec):
    empty = Signal(np.full((32, 32, 3), 255, np.uint8))
    (codes,) = codec.encode([empty])
    assert len(codes) == 0
    model = grow(tiny_base(), [codec])
    shown = model.senses.encode(Conversation((as_message("user", [Part("image", empty), "What?"]),)))
    ids, layout = list(model.stream.render(shown).ids), model.vocabulary.layouts[0]
    assert ids[ids.index(layout.open_id) + 1] == layout.close_id


def test_things_are_told_as_one_reads():
    codec = ThingsCodec(replace(TINY, most=3))
    boxes = [(1, 20, 11, 30), (18, 5, 28, 15), (1, 3, 11, 19)]  # the last two in one row of 4 px
    things = [Found(1.0, box, {"name": 0, "colour": 1}) for box in boxes]
    assert codec.codes(things).reshape(-1, 6)[:, 2:].tolist() == [list(box) for box in reversed(boxes)]


def test_rows_start_at_words_and_numbers(codec):
    model = grow(tiny_base(), [codec])
    parts = model.embedding.rows.of("things")[1:]
    text = model.embedding.weight
    for part, book, code in ((parts[1], 1, 0), (parts[2], 2, 17)):
        ids = model.tokenizer(f" {codec.words(book)[code]}", add_special_tokens=False)["input_ids"]
        torch.testing.assert_close(part()[code], text[ids].mean(0), atol=1e-3, rtol=1e-3)
    assert codec.words(2)[17] == "seventeen"
    assert codec.features(0) is None and codec.features(2).shape == (33, 16)


def test_hills_stand_in_the_cells_of_middles_and_not_where_nothing_is():
    boxes = torch.tensor([[[4.0, 8, 12, 24], [0, 0, 0, 0]]])
    found = hills(boxes, 8, 4)
    assert found[0, 0, 4, 2] == 1 and found[0, 0].max() == 1
    assert found[0, 0, 5, 2] > found[0, 0, 4, 3], "a high box has a high hill"
    assert not found[0, 1].any()


def test_shares_of_cells_and_overlaps():
    one = covered(torch.tensor([[[2.0, 0, 8, 4]]]), 4, 4)[0, 0]
    assert one[0].tolist() == [0.5, 1, 0, 0] and not one[1:].any()
    boxes = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [3, 3, 3, 3]])
    torch.testing.assert_close(overlaps(boxes, boxes), torch.tensor([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]]))


def test_what_is_unknown_teaches_nothing():
    batch = batch_of(np.random.default_rng(0), 4)
    batch["name"][:] = batch["colour"][:] = UNKNOWN
    found = losses(TINY.net(), batch, TINY.extents)
    assert found["name"] == 0 and found["colour"] == 0 and found["middles"] > 0


def test_settings_that_do_not_fit_are_told():
    with pytest.raises(InputError, match="no values of material"):
        ThingsConfig(values={"name": ("a", "b")}, surface=("material",))
    with pytest.raises(InputError, match="whole pairs of cells"):
        ThingsConfig(values={"name": ("a", "b")}, size_px=60)
