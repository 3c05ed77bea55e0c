"""The codec `scene`: a picture to 8 x 8 codes of what lies where, for models that read.

An `fsq` codec whose codes are trained to tell, by a small network that looks at a code and its neighbours, what lies in
a cell: kind, colour, material, size and box. So a code says what is asked of scenes, where one of pixels leaves that to
be found out by the language model. Its own decoder, which learns on the side, shows what the codes keep.

``python -m recipes scenes codec scene train`` trains it on scenes of train, and ``... report`` says how often each is
told rightly in scenes of train and of test, which show combinations that training never did.

Legend: B pictures, G cells along an axis, T things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from recipes.scenes.atlas import Atlas
from recipes.scenes.facts import facts_of
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS
from recipes.scenes.render import picture
from recipes.scenes.sample import MOST, sample_looks, sample_scene
from recipes.scenes.scene import SIZES
from recipes.scenes.shapes import KINDS
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.codecs import Codec, load_codec
from sensorium.data.facts import Facts
from sensorium.data.table import Side
from sensorium.families.fsq import FSQCodec, FSQConfig, reconstruction
from sensorium.families.net_codec import pixels_to_net, settle
from sensorium.files import cache_dir
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
VALUES: Mapping[str, tuple[str, ...]] = {
    "name": KINDS, "colour": tuple(COLOURS), "material": tuple(MATERIALS), "size": tuple(SIZES),
}  # fmt: skip
ABSENT = -1
"""Of a cell: nothing lies there, or nobody says of what is there."""
COVERED = 0.25
"""Share of a cell that a thing's box must cover to be told there; the middle of a thing is told in any case."""
PIXELS, BOX = 0.2, 4.0
"""Weights in the loss."""


def scenes(side: Side, count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, Facts]]:
    """Pictures (`SIDE_PX`, `SIDE_PX`, 3) of shapes, and what is true of them; number i depends on seed, side and i."""
    atlas = Atlas()
    for number in range(count):
        random = Random(f"codec:{seed}:{side}:{number}")
        looks = sample_looks(random, side, random.randint(1, MOST), atlas)
        scene = sample_scene(random, looks, side, side_px=SIDE_PX, atlas=atlas)
        yield picture(scene, atlas), facts_of(scene, atlas)


def told_by(facts: Facts) -> dict[str, np.ndarray]:
    """What lies in the cells: (G, G) numbers of `VALUES` or `ABSENT` by aspect, and (4, G, G) sides of its "box".

    Sides are in pictures' sides, from the middle of the cell. Of things of which one lies in the other the smaller.
    """
    owner, boxes = owners(facts)
    found = {name: np.full(owner.shape, ABSENT, np.int64) for name in VALUES}
    for number, thing in enumerate(facts.things):
        for aspect, known in VALUES.items():
            if value := thing.value(aspect):
                found[aspect][owner == number] = known.index(value)
    middles = (np.arange(SHAPE.grid) + 0.5) * CELL_PX
    at = np.stack(np.broadcast_arrays(middles[None, :], middles[:, None]) * 2)
    box = (boxes.T[:, np.maximum(owner, 0)] - at) / SIDE_PX if len(boxes) else np.zeros((4, *owner.shape))
    return found | {"box": box.astype(np.float32)}


def owners(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """(G, G) numbers of the things in the cells, `ABSENT` where none is; (T, 4) boxes."""
    boxes = np.array([thing.box for thing in facts.things], np.float32).reshape(-1, 4)
    starts = np.arange(SHAPE.grid) * CELL_PX
    owner = np.full((SHAPE.grid, SHAPE.grid), ABSENT)
    for number in sorted(range(len(boxes)), key=lambda n: -_area(boxes[n])):
        x0, y0, x1, y1 = boxes[number]
        wide = np.clip(np.minimum(x1, starts + CELL_PX) - np.maximum(x0, starts), 0, None)
        high = np.clip(np.minimum(y1, starts + CELL_PX) - np.maximum(y0, starts), 0, None)
        owner[high[:, None] * wide[None, :] >= COVERED * CELL_PX**2] = number
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        owner[int((y0 + y1) / 2 // CELL_PX), int((x0 + x1) / 2 // CELL_PX)] = number
    return owner, boxes


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


class Places(nn.Module):
    """The codec's network and, while it learns, what tells from codes what lies in their cells."""

    def __init__(self, config: FSQConfig, width: int = 128) -> None:
        super().__init__()
        self.net = config.net()
        self.teller = nn.Sequential(
            nn.Conv2d(len(config.levels), width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, sum(map(len, VALUES.values())) + 1 + 4, 1),
        )
        self.teller[0].adam = self.teller[-1].adam = True  # type: ignore[assignment]

    def told(self, values_BCG: Tensor) -> dict[str, Tensor]:
        """Logits (B, values, G, G) by aspect, the name's with one more for nothing, and the box (B, 4, G, G)."""
        sizes = {name: len(known) + (name == "name") for name, known in VALUES.items()} | {"box": 4}
        found = self.teller(values_BCG).float().split(list(sizes.values()), dim=1)
        return dict(zip(sizes, found, strict=True))


def losses(places: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nats of each aspect in the cells where it is known, and the errors of boxes and pixels."""
    restored, quantised, _ = places.net(batch["x"])
    told = places.told(quantised)
    nothing = torch.where(batch["name"] == ABSENT, len(VALUES["name"]), batch["name"])
    terms = {name: F.cross_entropy(told[name], batch[name], ignore_index=ABSENT) for name in VALUES if name != "name"}
    there = (batch["name"] != ABSENT)[:, None].float()
    off = ((told["box"] - batch["box"]).abs() * there).sum() / (4 * there.sum()).clamp(min=1)
    pixels = PIXELS * reconstruction(batch["x"], restored)
    return {"name": 2 * F.cross_entropy(told["name"], nothing)} | terms | {"box": BOX * off, "pixels": pixels}


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
    places = Places(SHAPE)

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        chosen = [shown[number] for number in rng.integers(0, len(shown), batch)]
        x = pixels_to_net(torch.from_numpy(np.stack([pixels for pixels, _ in chosen])))
        return {"x": x} | {name: torch.from_numpy(np.stack([told[name] for _, told in chosen])) for name in chosen[0][1]}

    train_codec(places, sample, losses, CodecTraining(minutes=minutes, lr=1e-2), checkpoint=checkpoint())
    rng = np.random.default_rng(0)
    settle(places.net, lambda: places.net(sample(rng, 64)["x"]))
    codec = FSQCodec(SHAPE, places.net)
    codec.save(home())
    return codec


def trained() -> Codec:
    """InputError when it has not been trained."""
    if not home().is_dir():
        raise InputError(f"no codec in {home()}; train it with `python -m recipes scenes codec {SHAPE.name} train`")
    return load_codec(home())


@torch.inference_mode()
def report(out: Path, count: int = 500) -> None:
    """Print how often the middle cell of a thing tells each aspect, and mean IoU of its box there, by side."""
    places = Places(SHAPE)
    places.load_state_dict(trained_net(checkpoint()))
    places.eval()
    for side in ("train", "test"):
        right: dict[str, list[float]] = {name: [] for name in (*VALUES, "IoU")}
        for pixels, facts in scenes(side, count, seed=1):
            told = places.told(places.net(pixels_to_net(torch.from_numpy(pixels)[None]))[1])
            wanted = told_by(facts)
            for x0, y0, x1, y1 in owners(facts)[1]:
                row, column = int((y0 + y1) / 2 // CELL_PX), int((x0 + x1) / 2 // CELL_PX)
                for name in VALUES:
                    if (value := wanted[name][row, column]) != ABSENT:
                        right[name].append(float(told[name][0, :, row, column].argmax() == value))
                box = told["box"][0, :, row, column].numpy()
                right["IoU"].append(overlap_of(box, wanted["box"][:, row, column]))
        print(f"{side}: " + ", ".join(f"{name} {np.mean(found):.3f}" for name, found in right.items()))


SCENE = Learner(train=train, minutes=25, report=report)
