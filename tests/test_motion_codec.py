"""What the codec of clips is trained to tell: where things are at each step, and what they do then."""

from __future__ import annotations

import numpy as np
from recipes.motion.clips import FRAMES, SIDE_PX, Clip
from recipes.motion.codec import HOP, VALUES, told_by
from recipes.scenes.places import ABSENT, owners

from sensorium.data.facts import Event, Facts, Medium, Thing

STEPS = FRAMES // HOP


def clip(thing: Thing, *events: Event) -> Clip:
    medium = Medium(modality="video", path="x", width_px=SIDE_PX, height_px=SIDE_PX, duration_s=2.0, rate_hz=8.0)
    facts = Facts(medium=medium, things=(thing,), events=events)
    return Clip(np.zeros((FRAMES, SIDE_PX, SIDE_PX, 3), np.uint8), facts)


def said(told: np.ndarray, aspect: str) -> list[str]:
    """The value at each step, of whichever cell has one; "" where none has."""
    return ["".join({VALUES[aspect][number] for number in step.ravel() if number != ABSENT}) for step in told[aspect]]


def test_what_moves_is_told_where_it_is_and_to_move_while_it_does():
    track = ((0.0, 0, 0, 16, 16), (0.5, 0, 0, 16, 16), (1.0, 32, 0, 48, 16), (1.875, 32, 0, 48, 16))
    star = Thing(name="star", attributes={"colour": ("red",)}, box=(0, 0, 16, 16), track=track)
    told = told_by(clip(star, Event(subject=0, what="moves", direction="right", start_s=0.5, end_s=1.0)))
    assert said(told, "doing") == ["stays"] * 2 + ["moves right"] * 2 + ["stays"] * 4
    assert set(said(told, "name")) == {"star"} and set(said(told, "colour")) == {"red"}
    places = [np.argwhere(step != ABSENT).tolist() for step in told["name"]]
    assert places[0] == [[0, 0]] and places[-1] == [[0, 2]]
    np.testing.assert_allclose(told["box"][:, 0, 0, 0] * SIDE_PX, [-8, -8, 8, 8])
    assert told["box"].shape == (4, STEPS, 4, 4)


def test_what_appears_is_nowhere_before_and_appears_in_one_step():
    track = ((1.0, 16, 16, 32, 32), (1.875, 16, 16, 32, 32))
    told = told_by(clip(Thing(name="a drawn cat", box=(16, 16, 32, 32), track=track),
                        Event(subject=0, what="appears", start_s=1.0, end_s=1.0)))  # fmt: skip
    assert said(told, "name") == [""] * 4 + ["drawing"] * 4
    assert said(told, "doing") == [""] * 4 + ["appears"] + ["stays"] * 3
    assert said(told, "colour") == [""] * STEPS, "of drawings no colour is stated"


def test_a_cell_tells_of_the_thing_that_covers_a_quarter_of_it_or_has_its_middle_there():
    owner = owners(np.array([(8, 8, 24, 20), (50, 50, 53, 53), (5, 5, 5, 5)]), 8, 8)
    wanted = np.full((8, 8), ABSENT)
    wanted[1:3, 1:3] = 0  # rows 8 to 20: two cells, the second half covered
    wanted[6, 6] = 1  # a ninth of a cell, but the middle
    np.testing.assert_array_equal(owner, wanted)


def test_of_things_inside_each_other_the_smaller_is_told():
    owner = owners(np.array([(0, 0, 40, 40), (16, 16, 24, 24)]), 8, 8)
    assert owner[2, 2] == 1
    assert (owner[:5, :5] == 0).sum() == 24
