"""The model `scenes`: a small Llama trained from nothing to see what lies where in a picture, and to point at it.

It reads pictures as lists of things (`recipes.scenes.codec`), whose rows start at their words; places are said and
written as boxes, in the same steps. The first stage asks in the words of this recipe; the second adds conversations in
the words of evaluation (`sensorium.grounding`), so that the gain of such tuning can be told; the third asks less for
descriptions, whose many words are easily learned, and more for what must be looked up and compared.

``python -m recipes scenes codec things train`` (trained weights are beside it), then ``train scenes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random

import torch
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import SHAPE, SIDE_PX, as_told, trained
from recipes.scenes.data import make
from recipes.scenes.episodes import STILL, WRITTEN, Making, episode

from sensorium.data import read_conversations
from sensorium.families.things import ThingsCodec
from sensorium.families.uniform import UniformCodec
from sensorium.files import cache_dir
from sensorium.grounding import teaching
from sensorium.model import Grown, grow
from sensorium.model.fresh import fresh_base, kept_tokenizer
from sensorium.recipe import Maker, Plan, Stage, conversations
from sensorium.training import TrainConfig
from sensorium.types import Conversation, Part

HOME, STILLS = Path("scenes") / "model", Path("scenes") / "stills"
TEXT_TOKENS, TEXTS = 700, 3000
PICTURES, TAUGHT = 4_000, 8_000
"""Scenes that are taught in the words of evaluation, and conversations about them, at most."""
MORE = 6
"""Further questions about a scene at most."""
ASKED = {task: share for task, share in STILL.items() if task not in WRITTEN}
BOXES = UniformCodec(
    ("x0", "y0", "x1", "y1"),
    name="boxes",
    modality="boxes",
    bins=SHAPE.bins,
    ranges=[(0, SIDE_PX)] * 4,
    frame=(SIDE_PX, SIDE_PX),
    max_frames=SHAPE.most,
)


@cache
def taught() -> Sequence[Conversation]:
    """Conversations about stills of train in the words of evaluation, see `sensorium.grounding.teaching`; kept."""
    made = make(train=PICTURES, val=0, test=0, moving=0.0, side_px=SIDE_PX, drawings=False, out=cache_dir() / STILLS)
    path = made / "train" / "taught.jsonl"
    if not path.exists():
        teaching.write([made / "train" / "facts.jsonl"], path, TAUGHT)
    return list(read_conversations(path))


def makers() -> dict[str, Maker]:
    """Questions about scenes in two ways of asking; those of this recipe about codes that are made of facts."""
    making, codec = Making(side="train", side_px=SIDE_PX, more=MORE, atlas=Atlas()), trained()
    assert isinstance(codec, ThingsCodec)

    def maker(task: str) -> Maker:
        def make(random: Random) -> Conversation:
            made = episode(task, random, making)
            codes = as_told(made.facts, random, codec)
            return made.conversation([Part("image", codes=codes, codec=SHAPE.name)])

        return make

    return {**{task: maker(task) for task in ASKED}, "taught": lambda random: random.choice(taught())}


def mixture(stage: Stage, first: int) -> Iterator[Conversation]:
    return conversations(makers(), stage.shares, stage.conversations, 0, first)


def texts() -> list[str]:
    """What the tokenizer is learned from."""
    some = mixture(Stage(shares=shares(0.6, {}, taught=0.4), minutes=0, conversations=TEXTS), 0)
    return [part.data for one in some for part in one.parts() if part.is_text]


def grown(start: str) -> Grown:
    tokenizer = kept_tokenizer(cache_dir() / HOME / "tokenizer", texts, TEXT_TOKENS)
    return grow(
        fresh_base(tokenizer, hidden=192, layers=6, heads=6, intermediate=512), [trained(), BOXES], learn="full"
    )


def shares(asked: float, more: Mapping[str, float], **others: float) -> Mapping[str, float]:
    """Odds of tasks: so much for questions of this recipe, some of them more often than usual, and others."""
    own = {task: share * more.get(task, 1.0) for task, share in ASKED.items()}
    return {task: asked * share / sum(own.values()) for task, share in own.items()} | others


LOOKED_UP = shares(0.8, {"describe": 0.2, "exists": 2, "is it": 2, "relation": 2}, taught=0.2)
TUNED = shares(0.5, {"locate": 4, "point": 2}, taught=0.5)
SCENES = Plan(
    name="scenes",
    folder=str(HOME),
    stages=[
        Stage(shares=shares(1.0, {"describe": 3}), minutes=18, conversations=16_000),
        Stage(shares=TUNED, minutes=12, conversations=10_000),
        Stage(shares=LOOKED_UP, minutes=16, conversations=40_000),
    ],
    grown=grown,
    conversations=mixture,
    config=TrainConfig(
        minutes=1, optimizer="muon", lr={"rows": 3e-3, "body": 2e-3}, schedule="trapezoid", cooldown=0.4, warmup=50,
        weight_decay=0.05,
    ),
    among="kind",
    weights={"text": 4.0, "boxes": 4.0},
    rows=16,
    row_tokens=256,
    export=lambda grown, out: grown.fold().save(out, dtype=torch.float16),
    out=cache_dir() / HOME / "exported",
)  # fmt: skip
