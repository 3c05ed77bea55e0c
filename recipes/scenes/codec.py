"""The codec `scene`: a picture to 8 x 8 codes of what lies where, for models that read; see `recipes.scenes.places`.

What is told of a cell: kind, colour, material, size and box. Its decoder learns on the side, and shows what codes keep.

``python -m recipes scenes codec scene train`` trains it on scenes of train, and ``... report`` says how often each is
told rightly in scenes of train and of test, which show combinations that training never did.

Legend: G cells along an axis, T things.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import torch
from recipes.scenes.atlas import Atlas
from recipes.scenes.facts import facts_of
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS
from recipes.scenes.places import ABSENT, Places, Values, losses, middle, numbered, owners, sides, stacked
from recipes.scenes.render import picture
from recipes.scenes.sample import MOST, sample_looks, sample_scene
from recipes.scenes.scene import SIZES
from recipes.scenes.shapes import KINDS
from torch import Tensor

from sensorium.codecs import Codec, load_codec
from sensorium.data.facts import Facts
from sensorium.data.table import Side
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.net_codec import pixels_to_net, settle
from sensorium.files import cache_dir
from sensorium.grounding.localisation import iou
from sensorium.learning.training import CodecTraining, train_codec, trained_net
from sensorium.recipe import Learner
from sensorium.types import InputError

SHAPE = FSQConfig(
    name="scene",
    use="read",
    levels=(4, 4, 4, 4, 4, 4),
    encoder_widths=(64, 128),
    encoder_blocks=(1, 3),
    decoder_widths=(32, 64),
    decoder_blocks=(0, 1),
)
SIDE_PX, CELL_PX = SHAPE.size_px, SHAPE.size_px // SHAPE.grid
LEARNED_FROM = 40_000
KEPT = Path(__file__).with_name("weights") / SHAPE.name
VALUES: Values = {
    "name": KINDS, "colour": tuple(COLOURS), "material": tuple(MATERIALS), "size": tuple(SIZES),
}  # fmt: skip
PIXELS = 0.2
"""Weight in the loss: the codec is to be read."""


def scenes(side: Side, count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, Facts]]:
    """Pictures (`SIDE_PX`, `SIDE_PX`, 3) of shapes, and what is true of them; number i depends on seed, side and i."""
    atlas = Atlas()
    for number in range(count):
        random = Random(f"codec:{seed}:{side}:{number}")
        looks = sample_looks(random, side, random.randint(1, MOST), atlas)
        scene = sample_scene(random, looks, side, side_px=SIDE_PX, atlas=atlas)
        yield picture(scene, atlas), facts_of(scene, atlas)


def told_by(facts: Facts) -> dict[str, np.ndarray]:
    """What lies in the cells: (G, G) numbers of `VALUES` or `ABSENT` by aspect, and (4, G, G) sides of its "box"."""
    boxes = boxes_of(facts)
    owner = owners(boxes, SHAPE.grid, CELL_PX)
    values = [{aspect: thing.value(aspect) for aspect in VALUES} for thing in facts.things]
    return numbered(owner, values, VALUES) | {"box": sides(boxes, owner, CELL_PX)}


def boxes_of(facts: Facts) -> np.ndarray:
    """(T, 4) float32."""
    return np.array([thing.box for thing in facts.things], np.float32).reshape(-1, 4)


def home() -> Path:
    return cache_dir() / "scenes" / "codec"


def checkpoint() -> Path:
    return home().with_name("codec.training.safetensors")


def train(minutes: float, start: str = "", count: int = LEARNED_FROM) -> Codec:
    """Train for some minutes in all, and save."""
    if start:
        raise InputError("the codec of scenes starts from fresh weights or its own checkpoint; leave --start out")
    shown = [(pixels, told_by(facts)) for pixels, facts in scenes("train", count)]
    torch.manual_seed(0)
    places = Places(SHAPE, VALUES, PIXELS)

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        chosen = [shown[number] for number in rng.integers(0, len(shown), batch)]
        x = pixels_to_net(torch.from_numpy(np.stack([pixels for pixels, _ in chosen])))
        return {"x": x} | stacked([told for _, told in chosen])

    train_codec(places, sample, losses, CodecTraining(minutes=minutes, lr=1e-2), checkpoint=checkpoint())
    rng = np.random.default_rng(0)
    settle(places.net, lambda: places.net(sample(rng, 64)["x"]))
    codec = FSQCodec(SHAPE, places.net)
    codec.save(home())
    return codec


def trained() -> Codec:
    """The codec that was trained here, else the one that lies with the recipe."""
    return load_codec(home() if home().is_dir() else KEPT)


@torch.inference_mode()
def report(out: Path, count: int = 500) -> None:
    """Print how often the middle cell of a thing tells each aspect, and mean IoU of its box there, by side."""
    places = Places(SHAPE, VALUES, PIXELS)
    places.load_state_dict(trained_net(checkpoint()))
    places.eval()
    for side in get_args(Side):
        right: dict[str, list[float]] = {name: [] for name in (*VALUES, "IoU")}
        for pixels, facts in scenes(side, count, seed=1):
            told = places.told(places.net(pixels_to_net(torch.from_numpy(pixels)[None]))[1])
            wanted = told_by(facts)
            for true in boxes_of(facts):
                row, column = middle(true, CELL_PX)
                for name in VALUES:
                    if (value := wanted[name][row, column]) != ABSENT:
                        right[name].append(float(told[name][0, :, row, column].argmax() == value))
                at = np.tile((np.array([column, row]) + 0.5) * CELL_PX, 2)
                box = told["box"][0, :, row, column].numpy() * SIDE_PX + at
                right["IoU"].append(iou(tuple(box), tuple(true)))
        print(f"{side}: " + ", ".join(f"{name} {np.mean(found):.3f}" for name, found in right.items()))


SCENE = Learner(train=train, minutes=27, report=report)
