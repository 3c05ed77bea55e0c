"""The codec of clips: `fsq` over time and space, trained on moved drawings; it reads and writes.

A step of codes stands for a quarter of a second, so that times can be counted in them, and has 4 x 4 codes. Beside the
pixels its codes are trained to tell what lies where and what it is doing then, see `recipes.scenes.places`.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import torch
from recipes.motion.clips import FRAMES, RATE_HZ, SIDE_PX, Clip, done
from recipes.motion.moved import atlas_of, moved
from recipes.scenes.palette import COLOURS
from recipes.scenes.places import Places, Values, losses, numbered, owners, sides, stacked
from recipes.scenes.scene import DIRECTIONS, MOTIONS
from recipes.scenes.shapes import KINDS
from torch import Tensor

from sensorium.codecs import Codec, load_codec
from sensorium.data.facts import Event
from sensorium.data.table import Side
from sensorium.families.fsq import CLIPS, FSQCodec, FSQConfig
from sensorium.families.net_codec import settle, to_net
from sensorium.files import cache_dir
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.modalities import modality
from sensorium.recipe import Learner
from sensorium.types import Signal

NAME, MINUTES, LEARNED_FROM = "clip", 28.0, 4000
KEPT = Path(__file__).with_name("weights") / NAME
HOP = 2
SHAPE = FSQConfig(name=NAME, modality="video", **CLIPS, hop=HOP, rate_hz=RATE_HZ, most_steps=FRAMES // HOP)
CELL_PX, STEP_S = SIDE_PX // SHAPE.grid, HOP / RATE_HZ
DRAWING, STAYS = "drawing", "stays"
VALUES: Values = {
    "name": (*KINDS, DRAWING),
    "colour": tuple(COLOURS),
    "doing": (STAYS, *(what for what in MOTIONS if what != "moves"), *(f"moves {where}" for where in DIRECTIONS)),
}
PIXELS, BATCH = 1.0, 8


def told_by(clip: Clip) -> dict[str, np.ndarray]:
    """What lies in the cells of every step, and does what then: (T, G, G) numbers by aspect, and "box" (4, T, G, G)."""
    steps = [_step(clip, number * STEP_S) for number in range(FRAMES // HOP)]
    return {name: np.stack([step[name] for step in steps], axis=name == "box") for name in steps[0]}


def _step(clip: Clip, start_s: float) -> dict[str, np.ndarray]:
    things = clip.facts.things
    known = [thing.box_at(start_s + STEP_S / 2) or (0, 0, 0, 0) for thing in things]
    boxes = np.array(known, np.float32).reshape(-1, 4)
    owner = owners(boxes, SHAPE.grid, CELL_PX)
    values = []
    for number, thing in enumerate(things):
        events = [event for event in clip.facts.events if event.subject == number and _is_on(event, start_s)]
        name = thing.name if thing.name in KINDS else DRAWING
        doing = done(events[0]) if events else STAYS
        values.append({"name": name, "colour": thing.value("colour"), "doing": doing})
    return numbered(owner, values, VALUES) | {"box": sides(boxes, owner, CELL_PX)}


def _is_on(event: Event, start_s: float) -> bool:
    """Whether it goes on during a step; what happens at once does so in the step that it begins."""
    return event.start_s <= start_s < max(event.end_s, event.start_s + STEP_S)


def home() -> Path:
    return cache_dir() / "motion" / "codec"


def moving(side: Side, count: int) -> list[Clip]:
    """Moved drawings of a side."""
    atlas = atlas_of(side)
    return [moved(Random(f"codec:{number}"), side, atlas) for number in range(count)]


def train(minutes: float, start: str = "", count: int = LEARNED_FROM) -> Codec:
    """Train for some minutes in all, and save."""
    shown = [(clip.frames, told_by(clip)) for clip in moving("train", count)]
    torch.manual_seed(0)
    places = Places(SHAPE, VALUES, PIXELS)

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        chosen = [shown[number] for number in rng.integers(0, len(shown), batch)]
        x = to_net(torch.from_numpy(np.stack([frames for frames, _ in chosen])))
        return {"x": x} | stacked([told for _, told in chosen])

    state = home().with_name("codec.training.safetensors")
    train_codec(places, sample, losses, CodecTraining(minutes=minutes, batch=BATCH), checkpoint=state)
    rng = np.random.default_rng(0)
    settle(places.net, lambda: places.net(sample(rng, BATCH)["x"]))
    codec = FSQCodec(SHAPE, places.net)
    codec.save(home())
    return codec


def trained() -> Codec:
    """The codec that was trained here, else the one that lies with the recipe."""
    return load_codec(home() if home().is_dir() else KEPT)


def report(out: Path) -> None:
    """PSNR of held-out clips, of pictures and of what changes in them."""
    shown: list[Signal] = [clip.part.data for clip in moving("test", 100)]
    kind, codec = modality("video"), trained()
    restored = codec.decode(codec.encode(shown))
    found = kind.overall([kind.measures(one, other) for one, other in zip(shown, restored, strict=True)])
    print(", ".join(f"{name} {value:.2f}" for name, value in found.items()))


CLIP = Learner(train=train, minutes=MINUTES, report=report)
