"""What is true of a scene, in the form of `sensorium.data.facts`."""

from __future__ import annotations

from recipes.scenes.atlas import Atlas
from recipes.scenes.relations import relations
from recipes.scenes.scene import Look, Placed, Scene

from sensorium.data.facts import Event, Facts, Medium, Thing

COMPLETE = ("things", "relations", "events", "size")
LEAST_TEXTURE_PX = 16  # of a thing's side: on smaller ones textures look alike, and none is stated
LICENCE = "CC0-1.0"


def facts_of(scene: Scene, atlas: Atlas | None = None, path: str = "") -> Facts:
    """The facts of a still or a clip.

    Relations are those that hold in all frames; a thing that does nothing has no track.

    Args:
        path: of its file, or of the folder with its frames.
    """
    atlas = atlas or Atlas()
    moving = bool(scene.duration_s)
    medium = Medium(
        modality="video" if moving else "image",
        path=path or scene.name,
        width_px=scene.side_px,
        height_px=scene.side_px,
        duration_s=scene.duration_s,
        rate_hz=scene.rate_hz,
    )
    rings = [number for number, thing in enumerate(scene.things) if thing.look.kind == "ring" and not thing.motion]
    boxes = [scene.swept(number, atlas) for number in range(len(scene.things))]
    return Facts(
        medium=medium,
        things=tuple(_thing(thing, scene, atlas) for thing in scene.things),
        relations=relations(boxes, rings, scene.side_px),
        events=tuple(_event(number, thing) for number, thing in enumerate(scene.things) if thing.motion),
        setting={"background": (scene.background.kind,), "background colour": (scene.background.tint,)},
        complete=(*COMPLETE, *_complete(scene)),
        source="sensorium scenes",
        licence=LICENCE if not atlas.drawings else "",
        split=scene.split,
    )


def _complete(scene: Scene) -> list[str]:
    """Colours and materials, unless something has one that is not stated: drawings have their own."""
    colours = all(thing.look.colour for thing in scene.things)
    return ["colour"] * colours + ["material"] * (colours and all(_texture(thing) for thing in scene.things))


def _texture(thing: Placed) -> str:
    return thing.look.material if thing.side_px >= LEAST_TEXTURE_PX else ""


def look_of(thing: Thing) -> Look:
    """The look that a thing of the facts has."""
    return Look(thing.name, thing.value("colour"), thing.value("material"))


def _thing(thing: Placed, scene: Scene, atlas: Atlas) -> Thing:
    said = {"colour": thing.look.colour, "material": _texture(thing), "size": thing.size}
    states = [(time_s, thing.at(time_s, atlas)) for time_s in scene.times_s]
    track = tuple(_at(time_s, *state.box) for time_s, state in states if state is not None)
    return Thing(
        name=thing.look.kind,
        attributes={aspect: (value,) for aspect, value in said.items() if value},
        box=track[0][1:],
        track=track if thing.motion else (),
    )


def _at(time_s: float, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float, float]:
    return time_s, float(x0), float(y0), float(x1), float(y1)


def _event(number: int, thing: Placed) -> Event:
    assert thing.motion is not None
    motion = thing.motion
    return Event(
        subject=number, what=motion.what, direction=motion.direction, start_s=motion.start_s, end_s=motion.end_s
    )
