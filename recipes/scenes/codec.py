"""The codec `things`: a picture to the list of shapes in it, with kind, colour, material, size and box of each.

It learns from exact facts, see `sensorium.families.things`. Pairs of kind, colour and material that training never
shows are not to be held impossible: most pictures are recoloured at random while it learns, and tell all but colours;
the others tell only colours. Half of what it learns from is drawn by hand (`recipes.scenes.by_hand`).

``python -m recipes scenes codec things train`` trains it on pictures of train, and ``... report`` says how well things
are found and told in scenes and drawings of each side; those of val and test show combinations that training never did.

Legend: B pictures, D channels, S sides of pictures, T things.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import torch
from recipes.scenes.atlas import Atlas
from recipes.scenes.by_hand import by_hand
from recipes.scenes.episodes import Making
from recipes.scenes.facts import facts_of
from recipes.scenes.materials import MATERIALS
from recipes.scenes.palette import COLOURS
from recipes.scenes.render import picture
from recipes.scenes.sample import MOST, sample_looks, sample_scene
from recipes.scenes.scene import SIZES
from recipes.scenes.shapes import KINDS
from torch import Tensor

from sensorium.codecs import Codec, load_codec
from sensorium.data.facts import Facts
from sensorium.data.table import Side
from sensorium.evaluate.marks import Mark
from sensorium.families.net_codec import pixels_to_net
from sensorium.families.things import Found, ThingsCodec, ThingsConfig
from sensorium.families.things_loss import UNKNOWN, losses
from sensorium.families.things_net import ThingsNet
from sensorium.files import cache_dir
from sensorium.grounding.localisation import HIT, iou, mean_average_precision
from sensorium.learning.training import CodecTraining, run_folder, train_codec
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

SHAPE = ThingsConfig(
    values={"name": KINDS, "colour": tuple(COLOURS), "material": MATERIALS, "size": tuple(SIZES)},
    surface=("colour", "material"),
)
SIDE_PX = SHAPE.size_px
LEARNED_FROM = 20_000
BY_HAND = 0.5
"""Share of the pictures that are drawn by hand."""
FRESH, ON = 1e-2, 4e-3
"""Learning rates of fresh weights and of trained ones."""
RECOLOURED = 0.7
"""Share of the pictures."""
MIXED = 0.25
"""How much of the other channels comes into one, beside what takes its place."""
MISTAKEN, OFF = 0.1, 0.15
"""Shares of materials and of sides that are told wrongly where codes are made of facts; sides by a px."""
KEPT = Path(__file__).with_name("weights") / SHAPE.name


@cache
def making(side: Side = "train") -> Making:
    """Stills of shapes, as large as the codec sees them."""
    return Making(side=side, side_px=SIDE_PX, atlas=Atlas())


def scenes(side: Side, count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, Facts]]:
    """Pictures (`SIDE_PX`, `SIDE_PX`, 3) of shapes, and what is true of them; number i depends on seed, side and i."""
    atlas = Atlas()
    for number in range(count):
        random = Random(f"codec:{seed}:{side}:{number}")
        looks = sample_looks(random, side, random.randint(1, MOST), atlas)
        scene = sample_scene(random, looks, side, side_px=SIDE_PX, atlas=atlas)
        yield picture(scene, atlas), facts_of(scene, atlas)


def told_by(facts: Facts) -> dict[str, np.ndarray]:
    """What there is to tell of `MOST` things: (T, 4) "boxes" in px, empty ones at the end, and (T,) numbers by
    aspect."""
    boxes = np.zeros((MOST, 4), np.float32)
    boxes[: len(facts.things)] = np.reshape([thing.box for thing in facts.things], (-1, 4))
    found = {name: np.full(MOST, UNKNOWN) for name in SHAPE.values}
    for place, thing in enumerate(facts.things):
        for name, known in SHAPE.values.items():
            if value := thing.value(name):
                found[name][place] = known.index(value)
    return {"boxes": boxes} | found


def as_told(facts: Facts, random: Random, codec: ThingsCodec) -> np.ndarray:
    """Codes of a picture that need not be rendered: what is true, with errors such as the codec makes."""

    def told(name: str, value: str) -> int:
        known = SHAPE.values[name]
        missed = not value or (name == "material" and random.random() < MISTAKEN)
        return random.randrange(len(known)) if missed else known.index(value)

    found = []
    for thing in facts.things:
        box = [
            min(max(side + random.choice((-1, 1)) * (random.random() < OFF), 0), SIDE_PX) for side in thing.box or ()
        ]
        values = {name: told(name, thing.value(name)) for name in SHAPE.values}
        found.append(Found(1.0, (box[0], box[1], box[2], box[3]), values))
    return codec.codes(found)


def recoloured(x_BDSS: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures in -1..1 with channels exchanged, turned over and mixed, each in its own way."""
    count, channels = x_BDSS.shape[:2]
    mix_BDD = np.eye(channels)[rng.permuted(np.tile(np.arange(channels), (count, 1)), axis=1)]
    mix_BDD = mix_BDD * rng.choice((-1, 1), (count, channels, 1)) + MIXED * rng.standard_normal(mix_BDD.shape)
    mix_BDD /= np.abs(mix_BDD).sum(2, keepdims=True)
    return torch.einsum("bde,behw->bdhw", torch.from_numpy(mix_BDD).float(), x_BDSS)


def home() -> Path:
    return cache_dir() / "scenes" / "things"


def checkpoint() -> Path:
    return home().with_name("things.training.safetensors")


def train(minutes: float, start: str = "", count: int = LEARNED_FROM) -> Codec:
    """Train for some minutes in all, and save.

    Args:
        start: folder of a codec of the same shape to go on from.
    """
    if start and run_folder(checkpoint()).is_dir():
        raise InputError(f"a training is there to go on from; leave --start out, or move {run_folder(checkpoint())}")
    net = _begun(start)
    drawn = round(BY_HAND * count)
    pictures = [*scenes("train", count - drawn), *by_hand("train", drawn, size_px=SIDE_PX)]
    shown = [(pixels, told_by(facts)) for pixels, facts in pictures]
    config = CodecTraining(minutes=minutes, batch=32, lr=ON if start else FRESH)
    train_codec(net, partial(_sample, shown), partial(losses, extents=SHAPE.extents), config, checkpoint=checkpoint())
    codec = ThingsCodec(SHAPE, net)
    codec.save(home())
    return codec


def _begun(start: str) -> ThingsNet:
    """Fresh weights, or those of a codec."""
    torch.manual_seed(0)
    net = SHAPE.net()
    if start:
        codec = load_codec(Path(start))
        if not isinstance(codec, ThingsCodec) or codec.facts != SHAPE.facts():
            raise InputError(
                f"the codec in {start} tells other things than {SHAPE.name!r}; give a folder with that one"
            )
        net.load_state_dict(codec.net.state_dict())
    return net


def _sample(
    shown: Sequence[tuple[np.ndarray, Mapping[str, np.ndarray]]], rng: np.random.Generator, batch: int
) -> dict[str, Tensor]:
    chosen = [shown[number] for number in rng.integers(0, len(shown), batch)]
    x = pixels_to_net(torch.from_numpy(np.stack([pixels for pixels, _ in chosen])))
    told = {name: torch.from_numpy(np.stack([one[name] for _, one in chosen])) for name in chosen[0][1]}
    new = torch.from_numpy(rng.random(batch) < RECOLOURED)
    x[new] = recoloured(x[new], rng)
    told["colour"][new] = UNKNOWN
    for name in ("name", "material"):
        told[name][~new] = UNKNOWN
    return {"x": x} | told


def trained() -> Codec:
    """The codec that was trained here, else the one that lies with the recipe."""
    return load_codec(home() if home().is_dir() else KEPT)


def report(out: Path, count: int = 500) -> None:
    """Print for scenes and drawings of each side how many things are found (a box overlaps by half), and mAP at 0.5
    over kinds; of those found how often each aspect is told rightly (where it is stated), and mean IoU."""
    codec = trained()
    assert isinstance(codec, ThingsCodec)
    for side in get_args(Side):
        print(f"{side}: {measured(codec, scenes(side, count, seed=1))}")
        print(f"{side}, by hand: {measured(codec, by_hand(side, count, seed=1, size_px=SIDE_PX))}")


def measured(codec: ThingsCodec, pictures: Iterable[tuple[np.ndarray, Facts]]) -> str:
    """What `report` says of some pictures."""
    right: dict[str, list[float]] = {name: [] for name in ("found", *SHAPE.values, "IoU")}
    marks: list[Mark] = []
    for number, (pixels, facts) in enumerate(pictures):
        (found,) = codec.find([Signal(pixels)])
        _compare(found, facts, right)
        marks += _marks(found, facts, str(number))
    told = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in right.items() if values)
    return f"{told}, mAP {mean_average_precision(marks, HIT):.3f}"


def _compare(found: Sequence[Found], facts: Facts, right: Mapping[str, list[float]]) -> None:
    for thing in facts.things:
        assert thing.box is not None
        overlaps = [iou(one.box, thing.box) for one in found]
        right["found"].append(float(max(overlaps, default=0.0) >= HIT))
        if not right["found"][-1]:
            continue
        best = found[int(np.argmax(overlaps))]
        right["IoU"].append(max(overlaps))
        for name, known in SHAPE.values.items():
            if value := thing.value(name):
                right[name].append(float(known[best.values[name]] == value))


def _marks(found: Sequence[Found], facts: Facts, medium: str) -> Iterator[Mark]:
    """The boxes of each kind."""
    for number, kind in enumerate(KINDS):
        true = [thing.box for thing in facts.things if thing.name == kind]
        places = [one.box for one in found if one.values["name"] == number]
        if true or places:
            more = {"label": kind, "true": true, "places": places}
            yield Mark(question=f"{medium}: {kind}", medium=medium, score=0.0, more=more)


THINGS = Learner(train=train, minutes=20, report=report)
