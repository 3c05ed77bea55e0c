"""Wishes for clips of things that move, each with a scene that fulfils it and nothing else, as for pictures.

What a wish does not say is as usual (`recipes.scenes.wishes`); things move from one side to the other, and what takes
time takes the second in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from random import Random

import numpy as np
from recipes.motion.clips import DURATION_S, FRAMES, RATE_HZ, SIDE_PX
from recipes.motion.held_out import clip_side
from recipes.scenes.facts import facts_of
from recipes.scenes.happenings import seconds
from recipes.scenes.held_out import looks
from recipes.scenes.sample import STEP_S, seen_on
from recipes.scenes.scene import DIRECTIONS, Background, Change, Motion, Placed, Scene
from recipes.scenes.wishes import (
    COLUMN,
    FAR,
    NEAR,
    ROW,
    SPOTS,
    USUAL,
    Spot,
    as_written,
    atlas,
    has,
    in_words,
    placed,
    values_of,
)
from recipes.scenes.words import UNSAID, listed

from sensorium.data.facts import Facts
from sensorium.data.table import Side
from sensorium.families.tracks import Row, TracksCodec

WHATS: Mapping[Change | None, float] = {"moves": 4, "grows": 1, "shrinks": 1, "appears": 1, "vanishes": 1, None: 1}
"""What things do; lists of things have no words for turning."""
AT_ONCE = ("appears", "vanishes")
BEGINS_S, ENDS_S, AT_S = 0.5, 1.5, 1.0
LASTS_S = 1.0
"""Of what is said to begin at a time."""
LAST_S = DURATION_S - STEP_S
ONE, PLAIN, TIMED, AS_TASKS = 0.5, 0.75, 0.3, 0.4
"""Shares of clips with one thing, of plain things, of changes whose time is said, of wishes worded as tasks are."""
ASKS = ("Make a clip in which {}.", "Make a clip in which {}.", "Make a video in which {}.", "Show me how {}.",
        "I would like a clip in which {}.", "Can you make a clip in which {}?")  # fmt: skip
TO = {"left": "to the left", "right": "to the right", "up": "upwards", "down": "downwards"}
STILL_PX = 1.5
"""By which a side may change while a thing stays where it is."""
STAYS = ("stays", "stays as it is", "does not move")


@dataclass(frozen=True)
class Wished:
    """A wish in words, and a scene that fulfils it.

    Args:
        said: values of each thing that the words say, by aspect.
    """

    words: str
    scene: Scene
    said: tuple[Mapping[str, str], ...]

    @property
    def facts(self) -> Facts:
        return facts_of(self.scene, atlas())

    @property
    def doings(self) -> list[str]:
        """What each thing does: "moves left", "stays"."""
        return [_done(thing.motion) for thing in self.scene.things]

    def is_in(self, rows: Sequence[Row]) -> dict[str, bool]:
        """See `fulfilled`."""
        return fulfilled(self.said, self.doings, rows)

    def codes(self, codec: TracksCodec) -> np.ndarray:
        """The things in codes, in the order of the words."""
        return codec.listed([_row(thing, codec) for thing in self.scene.things])


def _row(thing: Placed, codec: TracksCodec) -> list[int]:
    seen = [moment for moment in range(FRAMES) if thing.at(moment / RATE_HZ, atlas())]
    first, last = (as_written(thing, moment / RATE_HZ) for moment in (seen[0], seen[-1]))
    begins = ends = seen[0]
    if thing.motion and thing.motion.what not in AT_ONCE:
        begins, ends = (round(time_s * RATE_HZ) for time_s in (thing.motion.start_s, thing.motion.end_s))
    return codec.frame(Row(first, last, seen[0], seen[-1] + 1, begins, ends))


def wish(random: Random, side: Side = "train") -> Wished:
    """A wish for a clip of a side of the split: one that is not of train shows what training never shows a thing do."""
    while True:
        count = 1 + (random.random() >= ONE)
        motions, times = zip(*(_motion(random) for _ in range(count)), strict=True)
        spots = _spots(motions)
        if not any(motions) or not spots:
            continue
        said = [_said(motion, random) for motion in motions]
        things = tuple(map(_placed, said, spots, motions))
        scene = Scene(SIDE_PX, Background("plain", "white"), things, DURATION_S, RATE_HZ, side)
        if clip_side(facts_of(scene, atlas())) != side or not seen_on([thing.look for thing in things], atlas()):
            continue
        if random.random() < AS_TASKS and not any(times):
            said = [one | {"size": thing.size} for one, thing in zip(said, things, strict=True)]
            told = [f"{in_words(one)} {_done(motion)}" for one, motion in zip(said, motions, strict=True)]
            return Wished(f"Make a clip: {listed(told)}.", scene, tuple(said))
        told = [
            f"{in_words(one)} {_anyhow(motion, random)}{when}"
            for one, motion, when in zip(said, motions, times, strict=True)
        ]
        return Wished(random.choice(ASKS).format(listed(told)), scene, tuple(said))


def _motion(random: Random) -> tuple[Motion | None, str]:
    """What a thing does, and what is said of the time, perhaps nothing."""
    what = random.choices(list(WHATS), list(WHATS.values()))[0]
    if what is None:
        return None, ""
    direction = random.choice(list(DIRECTIONS)) if what == "moves" else ""
    start_s, end_s, when = (AT_S, AT_S, "") if what in AT_ONCE else (BEGINS_S, ENDS_S, "")
    if random.random() < TIMED:
        start_s, end_s, when = _time(what in AT_ONCE, random)
    return Motion(what, start_s, end_s, direction, FAR - NEAR if direction else 0), when


def _time(at_once: bool, random: Random) -> tuple[float, float, str]:
    steps = round(LAST_S / STEP_S)
    start_s = random.randint(1 if at_once else 0, steps - (0 if at_once else 2)) * STEP_S
    if at_once or random.random() < 0.5:
        return start_s, start_s if at_once else min(start_s + LASTS_S, LAST_S), f" {seconds(start_s)}"
    end_s = random.randint(round(start_s / STEP_S) + 2, steps) * STEP_S
    return start_s, end_s, f" from {start_s:g} to {end_s:g} seconds"


def _spots(motions: Sequence[Motion | None]) -> Sequence[Spot]:
    """Middles at which things begin, so that none comes in another's way; none where that cannot be."""
    axes = {int(motion.direction in ("up", "down")) for motion in motions if motion and motion.direction}
    if len(axes) > 1:
        return ()
    lanes = SPOTS[1] if len(motions) == 1 else COLUMN if axes == {0} else ROW
    return [_start(lane, motion) for lane, motion in zip(lanes, motions, strict=True)]


def _start(lane: Spot, motion: Motion | None) -> Spot:
    way = DIRECTIONS.get(motion.direction if motion else "", (0, 0))
    x, y = (at if not step else NEAR if step > 0 else FAR for at, step in zip(lane, way, strict=True))
    return x, y


def _said(motion: Motion | None, random: Random) -> dict[str, str]:
    """What is said of a thing; large ones shrink and others grow, as in all clips."""
    known = [look for look in looks("train") if look.material == UNSAID or random.random() >= PLAIN]
    said = values_of(random.choice(known), random)
    if "size" in said and motion and (said["size"] == "large") == (motion.what == "grows"):
        said["size"] = {"grows": USUAL, "shrinks": "large"}.get(motion.what, said["size"])
    return said


def _placed(said: Mapping[str, str], spot: Spot, motion: Motion | None) -> Placed:
    size = said.get("size") or ("large" if motion and motion.what == "shrinks" else USUAL)
    return replace(placed({**said, "size": size}, spot), motion=motion)


def _done(motion: Motion | None) -> str:
    """ "moves left", "grows", "stays"."""
    return f"{motion.what} {motion.direction}".rstrip() if motion else STAYS[0]


def _anyhow(motion: Motion | None, random: Random) -> str:
    if motion is None:
        return random.choice(STAYS)
    return f"{motion.what} {TO[motion.direction]}" if motion.direction and random.random() < 0.5 else _done(motion)


def fulfilled(said: Sequence[Mapping[str, str]], doings: Sequence[str], rows: Sequence[Row]) -> dict[str, bool]:
    """What of a wish is so in a list of things: "things", kinds and colours, no more and no fewer of them; "doing",
    what each of those does, and where to."""
    found = {"things": False, "doing": False}
    for order in permutations(rows) if len(rows) == len(said) else ():
        if all(has(row.first, one, ("name", "colour")) for row, one in zip(order, said, strict=True)):
            found = {"things": True, "doing": found["doing"] or list(map(does, order)) == list(doings)}
    return found


def does(row: Row) -> str:
    """What a thing does by its codes: of several changes what comes first here."""
    if row.seen > 0:
        return "appears"
    if row.until < FRAMES:
        return "vanishes"
    first, last = (np.array(one.box) for one in (row.first, row.last))
    wider = ((last - first) * (-1, -1, 1, 1)).sum()
    moved = (last - first).reshape(2, 2).mean(0)
    if max(abs(moved)) > max(abs(wider) / 4, STILL_PX):
        axis = int(abs(moved[1]) > abs(moved[0]))
        return f"moves {(('left', 'right'), ('up', 'down'))[axis][int(moved[axis] > 0)]}"
    if abs(wider) / 4 > STILL_PX:
        return "grows" if wider > 0 else "shrinks"
    return STAYS[0]
