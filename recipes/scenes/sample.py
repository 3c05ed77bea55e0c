"""Scenes by chance: which looks, what sizes, where, and what moves. Nothing is rendered but small masks, once."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from recipes.scenes.atlas import Atlas
from recipes.scenes.held_out import look_side, looks, may_show
from recipes.scenes.palette import TINTS
from recipes.scenes.relations import inside, margin_px
from recipes.scenes.scene import (
    BACKGROUNDS,
    DIRECTIONS,
    MOTIONS,
    SIZES,
    Background,
    Change,
    IntBox,
    Look,
    Motion,
    Placed,
    Scene,
    swept,
)

from sensorium.data.table import Side
from sensorium.types import InputError

MOST = 6  # things in a still
MOST_MOVING = 4
DRAWN_SHARE = 0.35  # of things that are drawings, where drawings are given
IN_RING_SHARE = 0.5  # of small things that come after a large ring
STEP_S = 0.25  # motions start and end at multiples of it
MOVED = (0.2, 0.5)  # of the picture's side
OFTEN = {"moves": 4}  # four directions
PLACES = 60  # tried for a thing before the sizes are chosen anew


def sample_looks(random: Random, side: Side, count: int, atlas: Atlas) -> list[Look]:
    """Looks of a scene of a side, in any order; at least one of the side's own, so that it is of that side."""
    found = [random.choice(looks(side))]
    drawn = [Look(name) for name in atlas.drawings]
    while len(found) < count:
        shown = drawn if drawn and random.random() < DRAWN_SHARE else looks(random.choice(("train", side)))
        found.append(random.choice(shown))
    if drawn and side == "train" and random.random() < DRAWN_SHARE:
        found[0] = random.choice(drawn)
    random.shuffle(found)
    return found


def crowd(random: Random, side: Side, count: int, aspect: str) -> tuple[list[Look], str]:
    """Looks of which exactly ``count`` share a value of an aspect ("kind", "colour"), and others; the value."""
    first = random.choice(looks(side))
    value = getattr(first, aspect)
    same = [look for look in may_show(side) if getattr(look, aspect) == value]
    other = [look for look in may_show(side) if getattr(look, aspect) != value]
    own = [look for look in other if look_side(look) == side]
    found = [first, *random.choices(same, k=count - 1)] if count else [random.choice(own)]
    found += random.choices(other, k=random.randint(1, 2) if len(found) < MOST else 0)
    random.shuffle(found)
    return found, value


def sample_scene(
    random: Random,
    chosen: Sequence[Look],
    side: Side,
    *,
    side_px: int = 128,
    duration_s: float = 0.0,
    rate_hz: float = 8.0,
    atlas: Atlas | None = None,
    name: str = "",
) -> Scene:
    """A scene with these looks, none of which hides another.

    Args:
        duration_s: 0 for a still; else one to all of the things do something.

    Raises:
        InputError: more looks than there is room for, a picture that is too small or too large, or a clip too short.
    """
    atlas = atlas or Atlas()
    _check(len(chosen), side_px, duration_s, rate_hz)
    while not (tints := seen_on(chosen, atlas)):
        chosen = sample_looks(random, side, len(chosen), atlas)  # black, white and grey at once stand out nowhere
    background = Background(random.choice(BACKGROUNDS), random.choice(tints), random.randrange(2**16))
    times = [number / rate_hz for number in range(round(duration_s * rate_hz))]
    while True:
        things = _placed(random, list(chosen), side_px, times, atlas)
        if things is not None:
            rate = rate_hz if duration_s else 0.0
            return Scene(side_px, background, tuple(things), duration_s, rate, split=side, name=name)


def seen_on(chosen: Sequence[Look], atlas: Atlas) -> list[str]:
    """The tints of backgrounds on which all of these are seen."""
    return sorted(frozenset(TINTS).intersection(*(atlas.tints(look.kind, look.colour) for look in chosen)))


def _check(count: int, side_px: int, duration_s: float, rate_hz: float) -> None:
    most = MOST_MOVING if duration_s else MOST + 2
    if not 1 <= count <= most:
        raise InputError(f"a scene has room for 1 to {most} things, not {count}")
    if not 64 <= side_px <= 512:
        raise InputError(f"a scene is 64 to 512 px wide, not {side_px}")
    if duration_s and not (1 <= duration_s <= 60 and 4 <= rate_hz <= 60):
        raise InputError(f"a clip lasts 1 to 60 s at 4 to 60 frames/s, not {duration_s:g} s at {rate_hz:g}")


def _placed(random: Random, chosen: list[Look], side_px: int, times: list[float], atlas: Atlas) -> list[Placed] | None:
    """Things one after the other, each where it hides nothing; None when there is no room."""
    acting = random.sample(range(len(chosen)), random.randint(1, len(chosen))) if times else []
    things: list[Placed] = []
    taken: list[IntBox] = []
    for number, look in enumerate(chosen):
        size = random.choice(list(SIZES))
        wide = max(6, round(side_px * random.uniform(*SIZES[size])))
        what = _change(random, look, size, atlas) if number in acting else None
        hole = _hole(things) if size == "small" and not what and random.random() < IN_RING_SHARE else None
        for _ in range(PLACES):
            motion = _motion(random, what, times, side_px) if what else None
            place = random.randrange(side_px), random.randrange(side_px)
            if hole:
                width, height = atlas.extent(look.kind, wide)
                place, hole = (round(hole[0] - width / 2), round(hole[1] - height / 2)), None
            thing = Placed(look, size, wide, *place, motion)
            room = swept(thing, times or [0.0], atlas)
            if _has_room(room, taken, things, side_px):
                things.append(thing)
                taken.append(room)
                break
        else:
            return None
    return things


def _hole(things: Sequence[Placed]) -> tuple[float, float] | None:
    """The centre of the last thing, if that is a large ring that stays as it is."""
    last = things[-1] if things else None
    if last is None or last.look.kind != "ring" or last.size != "large" or last.motion:
        return None
    return last.x_px + last.side_px / 2, last.y_px + last.side_px / 2


def _has_room(room: IntBox, taken: Sequence[IntBox], things: Sequence[Placed], side_px: int) -> bool:
    gap, edge = margin_px(side_px), max(1, side_px // 64)
    if min(room[:2]) < edge or max(room[2:]) > side_px - edge:
        return False
    return all(
        _apart(room, other, gap) or (thing.look.kind == "ring" and not thing.motion and inside(room, other))
        for other, thing in zip(taken, things, strict=True)
    )


def fits(things: Sequence[Placed], side_px: int, atlas: Atlas) -> bool:
    """Whether all of these stand in a still and none hides another."""
    rooms = [swept(thing, [0.0], atlas) for thing in things]
    return all(_has_room(rooms[n], rooms[:n], things[:n], side_px) for n in range(len(things)))


def _apart(one: IntBox, other: IntBox, gap: int) -> bool:
    return one[2] + gap <= other[0] or other[2] + gap <= one[0] or one[3] + gap <= other[1] or other[3] + gap <= one[1]


def _change(random: Random, look: Look, size: str, atlas: Atlas) -> Change:
    """Something that the thing can do and that is seen; small things grow, large ones shrink."""
    other = "grows" if size == "large" else "shrinks"
    able = [what for what in MOTIONS if what != other and (what != "turns" or atlas.turns(look.kind))]
    return random.choices(able, [OFTEN.get(what, 1) for what in able])[0]


def _motion(random: Random, what: Change, times: Sequence[float], side_px: int) -> Motion:
    """The change somewhere within the clip; what takes time takes half a second at least."""
    steps = int(times[-1] / STEP_S)
    at_once = what in ("appears", "vanishes")
    start = random.randint(1 if at_once else 0, max(1, steps - 2))
    end = start if at_once else random.randint(start + 2, max(start + 2, steps))
    direction = random.choice(list(DIRECTIONS)) if what == "moves" else ""
    by_px = round(side_px * random.uniform(*MOVED)) if direction else 0
    return Motion(what, start * STEP_S, end * STEP_S, direction, by_px)
