"""Moved drawings: shapes of the recipe ``scenes``, and drawings of ``pictograms`` where its table was made, on plain
backgrounds. Things move, grow, shrink, turn, appear and vanish, each once; where and when is exact.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from recipes.motion.clips import DURATION_S, RATE_HZ, SIDE_PX, Clip
from recipes.motion.held_out import clip_side
from recipes.scenes.atlas import Atlas
from recipes.scenes.drawings import have_drawings, load_drawings
from recipes.scenes.facts import facts_of
from recipes.scenes.held_out import looks
from recipes.scenes.render import frames
from recipes.scenes.sample import DRAWN_SHARE, sample_scene, seen_on
from recipes.scenes.scene import Background, Look, Scene

from sensorium.data.facts import Facts
from sensorium.data.table import Side

SOURCE = "sensorium motion"
ONE_SHARE = 0.5  # of clips that show one thing; the others show two


def moved(random: Random, side: Side, atlas: Atlas, path: str = "") -> Clip:
    """A clip of a side.

    Args:
        atlas: with the drawings that there may be.
        path: of its file, for the facts.
    """
    scene, facts = _found(random, side, atlas, path)
    return Clip(frames(scene, atlas), facts)


def _found(random: Random, side: Side, atlas: Atlas, path: str) -> tuple[Scene, Facts]:
    """A scene with its facts; made again until its things do what is of the side."""
    while True:
        chosen = [_look(random, atlas) for _ in range(1 + (random.random() >= ONE_SHARE))]
        if not seen_on(chosen, atlas):
            continue
        scene = sample_scene(
            random, chosen, "train", side_px=SIDE_PX, duration_s=DURATION_S, rate_hz=RATE_HZ, atlas=atlas
        )
        scene = replace(scene, split=side, background=Background("plain", scene.background.tint))
        facts = replace(facts_of(scene, atlas, path), source=SOURCE)
        if clip_side(facts) == side:
            return scene, facts


@cache
def _plain() -> tuple[Look, ...]:
    return tuple(look for look in looks("train") if look.material == "plain")


def _look(random: Random, atlas: Atlas) -> Look:
    if atlas.drawings and random.random() < DRAWN_SHARE:
        return Look(random.choice(list(atlas.drawings)))
    return random.choice(_plain())


def atlas_of(side: Side, drawn: bool | None = None) -> Atlas:
    """Shapes and, where they were made (or ``drawn`` says so), the drawings of a side."""
    return Atlas(load_drawings(side) if (have_drawings() if drawn is None else drawn) else None)
