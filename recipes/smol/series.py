"""Series for smol: what happens in them is told, and they are written from words.

A series is read and written as the list of its turns, in words and numbers that the base knows. All here are made up:
what the sets of the recipe `sensors` show is told by `smol-series` alone, since they are fetched to learn from, not to
be passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
from recipes.scenes.thoughts import turn_over
from recipes.sensors import tasks
from recipes.sensors.facts import shape_of
from recipes.sensors.series import READER, media
from recipes.sensors.thoughts import thinking

from sensorium.codecs import Codec
from sensorium.families.joined import JoinedCodec
from sensorium.families.landmarks import LandmarksCodec
from sensorium.types import Conversation, Part, Signal

TOLD = {"trend": 1.0, "peaks": 1.0, "cycles": 2.0, "place": 2.0, "all": 1.0}
"""How often each kind of question is asked; more often what is harder to tell."""
THINKING = 0.5
"""Share of what is told that is thought about first, where the turns tell it."""
READ = LandmarksCodec(READER)
WRITER = LandmarksCodec("series", use="write")


def any_series(rng: np.random.Generator) -> np.ndarray:
    """A made-up series (time, 1): bumps or a wave on a slope, or a pattern that repeats; warped now and then."""
    length = int(rng.integers(24, 240))
    made = tasks.made_up(rng, length) if rng.random() < 0.6 else tasks.periodic(rng, length)[0][:, None]
    return tasks.changed(made, rng) if rng.random() < 0.4 else made


@cache
def reader_of_sets() -> JoinedCodec:
    """Tells which kinds of the sets of `sensors` a series is like, and then its landmarks."""
    return JoinedCodec(media(True).reader, READ, READER)


def tell(random: Random, reader: Callable[[], Codec] = lambda: READ) -> Conversation:
    """What happens in a series, thought about first or not."""
    signal, kind = Signal(any_series(_rng(random))), random.choices(list(TOLD), list(TOLD.values()))[0]
    shape = shape_of(signal.array)
    part = Part("series", codes=reader().encode([signal])[0], codec=READER)
    made = tasks.telling(kind, part, shape, random)
    thought = thinking(kind, READ.encode([signal])[0], shape) if random.random() < THINKING else None
    return Conversation(turn_over(*made.messages, thought)) if thought else made


def write(random: Random) -> Conversation:
    """A series with the facts that are wished for, which its turns alone must show."""
    rng = _rng(random)
    while True:
        values = tasks.made_up(rng, int(rng.integers(24, 240)))
        codes = WRITER.encode([Signal(values)])
        (again,) = WRITER.decode(codes)
        if replace(shape_of(again.array), cycles=0) == replace(shape_of(values), cycles=0):
            part = Part("series", codes=codes[0], codec=WRITER.facts.name)
            return tasks.writing(tasks.wish_for(shape_of(values), random), part)


def name(random: Random) -> Conversation:
    """A series of the sets of `sensors`, changed as other measurements might."""
    known = media(True)
    one, rng = known.examples[known.pick(random)], _rng(random)
    seen = Signal(tasks.changed(one.values, rng))
    scores_BV = known.reader.values([seen])
    scores_BV += random.choice(known.views.noise) * rng.standard_normal(scores_BV.shape, np.float32)
    codes = np.concatenate([known.reader.quantise(scores_BV)[0], READ.encode([seen])[0]])
    return tasks.naming(tasks.ask(one.source, random), Part("series", codes=codes, codec=READER), one.answer)


def _rng(random: Random) -> np.random.Generator:
    return np.random.default_rng(random.getrandbits(64))
