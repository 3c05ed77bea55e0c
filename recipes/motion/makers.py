"""Clips made for a question, and what is said of them, by chance and for a side of the split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from recipes.motion.animated import animated_clip
from recipes.motion.clips import DURATION_S, Clip
from recipes.motion.moved import moved
from recipes.motion.questions import ANIMATED, MOVED, Talk, conversation, of_animated, of_moved
from recipes.scenes.atlas import Atlas
from recipes.scenes.happenings import seconds
from recipes.scenes.sample import STEP_S

from sensorium.data.table import Side
from sensorium.recipe import Maker
from sensorium.types import Conversation, InputError

SHARES: Mapping[str, float] = {
    "acts": 2, "direction": 2, "who": 1, "when": 2, "until": 1, "does": 1, "happens": 1, "subtitles": 1, "write": 3,
    "name": 1, "doing": 1, "end": 0.5, "animate": 0.5,
}  # fmt: skip
WISHES = ("write", "animate")  # their answers are clips
MORE = 3  # further questions at most
ENDS = tuple(seconds(step * STEP_S) for step in range(2, round(DURATION_S / STEP_S)))
"""Most motions end with the clip; those asked about end at any time alike."""


@dataclass(frozen=True)
class Episode:
    """A clip with its facts, and what is said about it."""

    clip: Clip
    talks: tuple[Talk, ...]

    @property
    def conversation(self) -> Conversation:
        return conversation(self.clip, self.talks)


def episode(kind: str, random: Random, side: Side, atlas: Atlas, path: str = "", more: int = MORE) -> Episode:
    """A clip that the first question, or wish, of a kind fits.

    Args:
        path: of the clip's file, for the facts.
        more: further questions at most.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in SHARES:
        raise InputError(f"no clips are made for {kind!r}; there are {', '.join(SHARES)}")
    if kind in ANIMATED:
        clip = animated_clip(random, side, path)
        kinds = [kind] if kind in WISHES else [kind, *_others(kind, set(ANIMATED) - {*WISHES}, random, more)]
        return Episode(clip, tuple(of_animated(one, clip.facts) for one in kinds))
    wanted = random.choice(ENDS) if kind == "until" else ""
    while True:
        clip = moved(random, side, atlas, path)
        first = of_moved(kind, clip.facts, side, atlas, random)
        if first is None or (wanted and first.answer != wanted):
            continue
        others = () if kind in WISHES else _others(kind, {*MOVED} - {"until"}, random, more)
        found = [of_moved(one, clip.facts, side, atlas, random) for one in others]
        return Episode(clip, (first, *filter(None, found)))


def _others(kind: str, kinds: set[str], random: Random, more: int) -> list[str]:
    left = sorted(kinds - {kind})
    return random.sample(left, min(len(left), random.randint(0, more)))


def makers(side: Side, atlas: Atlas, more: int = MORE) -> dict[str, Maker]:
    """A maker of conversations for each kind: what a plan's training is made of."""

    def maker(kind: str) -> Maker:
        return lambda random: episode(kind, random, side, atlas, more=more).conversation

    return {kind: maker(kind) for kind in SHARES}
