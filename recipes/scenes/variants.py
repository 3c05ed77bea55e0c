"""Scenes changed in one thing alone: pairs to see what a codec loses. To measure with: what is held out may show.

What changes: a colour, material, size or kind; how many there are; which of two things has which colour; where two
things are; the background. One variant changes nothing that is said: a thing moves a little, the background is drawn
anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from PIL import Image
from recipes.scenes.atlas import Atlas
from recipes.scenes.facts import facts_of
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS, tints_for
from recipes.scenes.render import picture
from recipes.scenes.sample import fits, sample_looks, sample_scene, seen_on
from recipes.scenes.scene import BACKGROUNDS, SIZES, Placed, Scene
from recipes.scenes.shapes import KINDS

from sensorium.data.facts import Facts, write_facts
from sensorium.data.table import Side
from sensorium.files import atomic_file

TRIES = 40
MOST_THINGS = 4
NUDGE_PX = 2
Changed = Callable[[Random, Scene, Atlas], Scene]


def _with(scene: Scene, number: int, thing: Placed) -> Scene:
    return replace(scene, things=(*scene.things[:number], thing, *scene.things[number + 1 :]))


def _colour(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    number, tint = random.randrange(len(scene.things)), scene.background.tint
    thing = scene.things[number]
    colour = random.choice([one for one in COLOURS if tint in tints_for(one) and one != thing.look.colour])
    return _with(scene, number, replace(thing, look=thing.look._replace(colour=colour)))


def _material(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    number = random.randrange(len(scene.things))
    thing = scene.things[number]
    material = random.choice([one for one in MATERIALS if one != thing.look.material])
    return _with(scene, number, replace(thing, look=thing.look._replace(material=material)))


def _kind(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    number = random.randrange(len(scene.things))
    thing = scene.things[number]
    kind = random.choice([one for one in KINDS if one != thing.look.kind])
    return _with(scene, number, replace(thing, look=thing.look._replace(kind=kind)))


def _size(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    number = random.randrange(len(scene.things))
    thing = scene.things[number]
    size = random.choice([one for one in SIZES if one != thing.size])
    side_px = max(6, round(scene.side_px * random.uniform(*SIZES[size])))
    off = (thing.side_px - side_px) // 2
    return _with(
        scene, number, replace(thing, size=size, side_px=side_px, x_px=thing.x_px + off, y_px=thing.y_px + off)
    )


def _number(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    """One more of a thing."""
    place = {"x_px": random.randrange(scene.side_px), "y_px": random.randrange(scene.side_px)}
    return replace(scene, things=(*scene.things, replace(random.choice(scene.things), **place)))


def _existence(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    """One thing less."""
    number = random.randrange(len(scene.things))
    return replace(scene, things=scene.things[:number] + scene.things[number + 1 :])


def _two(random: Random, scene: Scene) -> tuple[int, int]:
    one, other = random.sample(range(len(scene.things)), 2)
    return one, other


def _binding(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    """Two things exchange their colours."""
    one, other = _two(random, scene)
    first, second = scene.things[one], scene.things[other]
    changed = _with(scene, one, replace(first, look=first.look._replace(colour=second.look.colour)))
    return _with(changed, other, replace(second, look=second.look._replace(colour=first.look.colour)))


def _relation(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    """Two things exchange their places."""
    one, other = _two(random, scene)
    first, second = scene.things[one], scene.things[other]
    changed = _with(scene, one, replace(first, x_px=second.x_px, y_px=second.y_px))
    return _with(changed, other, replace(second, x_px=first.x_px, y_px=first.y_px))


def _background(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    kind = random.choice([one for one in BACKGROUNDS if one != scene.background.kind])
    return replace(scene, background=replace(scene.background, kind=kind))


def _tint(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    tint = random.choice(seen_on([thing.look for thing in scene.things], atlas))
    return replace(scene, background=replace(scene.background, tint=tint))


def _same(random: Random, scene: Scene, atlas: Atlas) -> Scene:
    number = random.randrange(len(scene.things))
    thing = scene.things[number]
    x, y = (random.choice((-NUDGE_PX, NUDGE_PX)) for _ in range(2))
    moved = _with(scene, number, replace(thing, x_px=thing.x_px + x, y_px=thing.y_px + y))
    return replace(moved, background=replace(scene.background, seed=random.randrange(2**16)))


CHANGES: Mapping[str, tuple[Changed, int]] = {
    "colour": (_colour, 1), "material": (_material, 1), "kind": (_kind, 1), "size": (_size, 1), "number": (_number, 1),
    "existence": (_existence, 2), "binding": (_binding, 2), "relation": (_relation, 2), "background": (_background, 1),
    "tint": (_tint, 1), "same": (_same, 1),
}  # fmt: skip
"""What is changed, and the fewest things that it takes."""


def variants(scene: Scene, random: Random, atlas: Atlas) -> Iterator[tuple[str, Scene]]:
    """The scene changed in each way; a way is left out where no change of the kind fits in."""
    for name, (change, least) in CHANGES.items():
        if len(scene.things) < least:
            continue
        for _ in range(TRIES):
            changed = change(random, scene, atlas)
            if changed != scene and fits(changed.things, scene.side_px, atlas):
                said = (facts_of(one, atlas, "x").to_json() for one in (scene, changed))
                plain = [{k: v for k, v in one.items() if k != "things"} | {"things": _bare(one)} for one in said]
                if (plain[0] == plain[1]) == (name == "same"):
                    yield name, changed
                    break


def _bare(said: dict) -> list[dict]:
    return [{name: value for name, value in thing.items() if name != "box"} for thing in said["things"]]


@dataclass(frozen=True, kw_only=True)
class VariantWriting:
    """Pictures and facts of ``count`` scenes and their variants; number i depends on seed, side and i only."""

    side: Side
    side_px: int
    count: int
    seed: int
    atlas: Atlas
    folder: Path

    def run(self) -> None:
        if self.count:
            write_facts(
                (facts for number in range(self.count) for facts in self._of(number)), self.folder / "facts.jsonl"
            )

    def _of(self, number: int) -> Iterator[Facts]:
        random = Random(f"{self.seed}:{self.side}:variants:{number}")
        looks = sample_looks(random, self.side, random.randint(1, MOST_THINGS), self.atlas)
        scene = sample_scene(random, looks, self.side, side_px=self.side_px, atlas=self.atlas)
        for name, one in (("first", scene), *variants(scene, random, self.atlas)):
            path = f"pictures/{number:06}-{name}.png"
            with atomic_file(self.folder / path) as out:
                Image.fromarray(picture(one, self.atlas)).save(out, format="PNG")
            yield facts_of(one, self.atlas, path)
