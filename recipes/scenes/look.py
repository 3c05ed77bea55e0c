"""How the things of scenes look, learned from portraits: the codec `things` can then draw its lists.

A portrait shows one thing of train on a plain ground. Outline, tones and pattern are learned apart (see
`sensorium.families.things_look`), so that combinations that training never shows are drawn as well.

``python -m recipes scenes codec look train`` learns it, and ``... report`` says what the codec, which finds things and
knows nothing of how they are drawn, finds again in what is drawn of the facts of scenes, and how near pixels are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import SHAPE, SIDE_PX, measured, trained
from recipes.scenes.facts import LEAST_TEXTURE_PX, facts_of
from recipes.scenes.held_out import looks
from recipes.scenes.palette import TINTS
from recipes.scenes.render import picture
from recipes.scenes.sample import sample_looks, sample_scene, seen_on
from recipes.scenes.scene import Background, Placed, Scene
from safetensors.numpy import load_file, save_file

from sensorium.checked import checked, read_json
from sensorium.codecs import Codec
from sensorium.data.facts import Facts, Thing
from sensorium.data.table import Side
from sensorium.families.net_codec import restored, stored
from sensorium.families.things import Found, ThingsCodec
from sensorium.families.things_look import Look, LookConfig
from sensorium.files import atomic_folder, cache_dir
from sensorium.learning.learn import learning
from sensorium.modalities.image import psnr_db, to_square
from sensorium.recipe import Learner
from sensorium.types import Signal

NAME, MINUTES, LEARNED_FROM = "look", 6.0, 3000
PORTRAIT_PX, EDGE_PX = 96, 8
"""A pattern is drawn in whole px of the picture: it is learned from things that are large and of one size."""
KEPT = Path(__file__).with_name("weights") / NAME
DRAWN_PX = 256
FEW = 3
"""Things of a scene that is drawn for the report, at most."""


def portraits(side: Side, count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, Facts]]:
    """Pictures of one thing; number i depends on seed, side and i."""
    atlas, whole_px = Atlas(), PORTRAIT_PX + 2 * EDGE_PX
    for number in range(count):
        random = Random(f"look:{seed}:{side}:{number}")
        look = random.choice(looks(side))
        thing = Placed(look, "large", PORTRAIT_PX, EDGE_PX, EDGE_PX)
        ground = Background("plain", random.choice(seen_on([look], atlas)))
        scene = Scene(whole_px, ground, (thing,), split=side)
        yield picture(scene, atlas), facts_of(scene, atlas)


def as_found(facts: Facts) -> list[Found]:
    """The things of a scene as the codec tells them, boxes in its px; a value that is not stated is its first."""
    scale, found = SIDE_PX / facts.medium.width_px, []
    for thing in facts.things:
        assert thing.box is not None
        left, top, right, bottom = (side * scale for side in thing.box)
        values = {name: known.index(thing.value(name) or known[0]) for name, known in SHAPE.values.items()}
        found.append(Found(1.0, (left, top, right, bottom), values))
    return found


def home() -> Path:
    return cache_dir() / "scenes" / NAME


def train(minutes: float, start: str = "", count: int = LEARNED_FROM) -> ThingsCodec:
    """Train for some minutes in all, and save what is learned apart from the codec."""
    how = learning(minutes=minutes, checkpoint=home().with_name("look.training.safetensors"))
    shown = ((Signal(pixels), as_found(facts)) for pixels, facts in portraits("train", count))
    codec = finding().with_look(shown, how)
    assert codec.look is not None
    save(*codec.look, home())
    return codec


def save(config: LookConfig, look: Look, folder: Path) -> None:
    with atomic_folder(folder) as out:
        (out / "look.json").write_text(json.dumps(asdict(config)) + "\n", encoding="utf-8")
        save_file(stored(look), out / "look.safetensors")


def load(folder: Path) -> tuple[LookConfig, Look]:
    config = checked(read_json(folder / "look.json"), LookConfig, NAME)
    return config, restored(lambda: Look(config, SHAPE.values), load_file(folder / "look.safetensors"))


def finding() -> ThingsCodec:
    """The codec that finds things and tells them."""
    codec: Codec = trained()
    assert isinstance(codec, ThingsCodec)
    return codec


def drawing() -> ThingsCodec:
    """The same codec with how things look, as that was learned here, else as it lies with the recipe."""
    return finding().but(look=load(home() if home().is_dir() else KEPT))


def plain_scenes(side: Side, count: int, seed: int, codec: ThingsCodec) -> Iterator[tuple[Scene, Facts, np.ndarray]]:
    """Scenes of a side as large as what is drawn, their facts, and their pixels before the ground that is drawn."""
    assert codec.look is not None
    atlas, (shape, _) = Atlas(), codec.look
    for number in range(count):
        random = Random(f"drawn:{seed}:{side}:{number}")
        chosen = sample_looks(random, side, random.randint(1, FEW), atlas)
        scene = sample_scene(random, chosen, side, side_px=shape.side_px, atlas=atlas)
        facts = facts_of(scene, atlas)
        yield scene, facts, _before(scene, codec.drawn([as_found(facts)])[0][0, 0], atlas)


def _before(scene: Scene, ground: np.ndarray, atlas: Atlas) -> np.ndarray:
    """The pixels of a scene whose background is one colour: where things are, two plain tints tell."""
    tints = "white", "dark green"
    on_one, on_other = (
        picture(replace(scene, background=Background("plain", tint)), atlas).astype(float) for tint in tints
    )
    one, other = (np.array(TINTS[tint][0], float) for tint in tints)
    clear = ((on_one - on_other) / (one - other)).mean(2, keepdims=True)
    return (on_one + clear * (ground - one)).round().clip(0, 255).astype(np.uint8)


def report(out: Path, count: int = 300) -> None:
    """Print for each side what is found again (see `recipes.scenes.codec.report`) in what is drawn of codes, beside the
    same in the recipe's own pictures of it; and the PSNR of the one against the other, both on one plain ground."""
    codec = drawing()
    for side in get_args(Side):
        drawn, true, near = [], [], []
        for _, facts, pixels in plain_scenes(side, count, 1, codec):
            (again,) = codec.decode([codec.codes(as_found(facts))])
            small = _in_codec_px(facts)
            drawn.append((to_square(again.array, SIDE_PX), small))
            true.append((to_square(pixels, SIDE_PX), small))
            near.append(psnr_db(pixels, again.array))
        print(f"{side}, drawn: {measured(codec, drawn)}, PSNR {np.mean(near):.1f} dB")
        print(f"{side}, the recipe's own: {measured(codec, true)}")


def _in_codec_px(facts: Facts) -> Facts:
    """The same of a picture as small as the codec sees it, where textures of small things look alike."""
    scale = SIDE_PX / facts.medium.width_px
    return replace(facts, things=tuple(_smaller(thing, scale) for thing in facts.things))


def _smaller(thing: Thing, scale: float) -> Thing:
    assert thing.box is not None
    left, top, right, bottom = (side * scale for side in thing.box)
    seen = max(right - left, bottom - top) >= LEAST_TEXTURE_PX
    attributes = {name: values for name, values in thing.attributes.items() if seen or name != "material"}
    return replace(thing, box=(left, top, right, bottom), attributes=attributes)


LOOK = Learner(train=train, minutes=MINUTES, report=report)
