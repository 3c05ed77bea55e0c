"""smol on series: the pretrained model in the box, which reads pictures, learns to read series too.

``python -m recipes sensors train smol`` goes on from it with one more codec, ``... evaluate --pretrained`` measures it.
Its LLM, frozen, reads a series as the kinds that the reading codec finds likest, whose rows start at their words. It is
not shipped: the sets are fetched to learn from, not to be passed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from random import Random

from recipes.sensors.series import home, media

from sensorium.model import Grown, Model, grow
from sensorium.recipe import Plan, Stage
from sensorium.training import TrainConfig
from sensorium.types import Conversation

MOST = 4
"""Series of a conversation: the LLM's own system prompt costs as much as a series, so several share it."""


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    """A few series in turn, each asked for its class."""
    for index in range(first, first + stage.conversations):
        random = Random(f"0:smol:{index}")
        talks = [media(True).name(random) for _ in range(random.randint(1, MOST))]
        yield Conversation(tuple(chain.from_iterable(talk.messages for talk in talks)))


def grown(start: str) -> Grown:
    return grow(Model.load(start or "smol"), [media(True).reader], "adapter")


SMOL = Plan(
    name="smol",
    folder="sensors/smol",
    stages=[Stage(shares={"series": 1.0}, minutes=14, conversations=6_000)],
    grown=grown,
    conversations=conversations,
    config=TrainConfig(
        minutes=1, lr={"rows": 5e-4, "adapter": 1e-3}, schedule="trapezoid", cooldown=0.6, warmup=20, betas=(0.9, 0.98)
    ),
    weights={},
    rows=1,
    row_tokens=512,
    export=lambda model, out: model.fold().save_rows(out),
    out=home(True) / "smol",
)
