"""The model `series`: its codecs, its conversations, its one stage of training, and forecasting with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from recipes.sensors import tasks
from recipes.sensors.facts import shape_of
from recipes.sensors.sets import SERIES, SETS, Example, ForecastSeries, half, split

from sensorium.codecs import load_codec
from sensorium.data.views import Views
from sensorium.engines import generate
from sensorium.families.kernels import KernelsCodec, groups
from sensorium.families.uniform import UniformCodec
from sensorium.files import atomic_file, cache_dir
from sensorium.generate import Assistant
from sensorium.generate.forecast import LEVELS, continuation
from sensorium.model import Grown, grow
from sensorium.model.fresh import fresh_base, learn_tokenizer
from sensorium.recipe import Plan, Stage, conversations
from sensorium.training import TrainConfig
from sensorium.types import Conversation, Part, Signal

CONTEXT, HORIZON, WRITTEN = 96, 24, 64  # samples a forecast looks back, goes on; of a series written from words
VIEWS, FITTED, MADE = 7, 4, 2000  # changed views of a series; views that the reader is fitted to; made-up series
KINDS = tuple((source.name, answer) for source in SETS for answer in source.classes)
READER = "series-read"
WRITER = UniformCodec(1, bins=96, ranges=((-4.0, 4.0),), max_frames=CONTEXT + HORIZON, use="write")


@dataclass(frozen=True, kw_only=True)
class Media:
    """What training conversations are made of.

    Args:
        examples, views: of the training halves, and the reading codec's values of them.
        made, made_codes: made-up series, each (time, 1), and the reading codec's codes of them.
    """

    examples: Sequence[Example]
    views: Views
    made: Sequence[np.ndarray]
    made_codes: np.ndarray
    reader: KernelsCodec

    def pick(self, random: Random) -> int:
        """The number of an example; of every set as often as the root of its size."""
        source = random.choices(SETS, [len(_numbers(self.examples, one.name)) ** 0.5 for one in SETS])[0]
        return random.choice(_numbers(self.examples, source.name))

    def name(self, random: Random) -> Conversation:
        number = self.pick(random)
        part = Part("series", codes=self.views.read(number, random), codec=READER)
        return tasks.naming(tasks.ask(self.examples[number].source, random), part, self.examples[number].answer)

    def tell(self, random: Random) -> Conversation:
        """Of series as they are, one in five a real one: what happens must be true."""
        real = random.random() < 0.2
        number = random.randrange(len(self.examples) if real else MADE)
        values = self.examples[number].values if real else self.made[number]
        part = Part("series", codes=(self.views.plain if real else self.made_codes)[number], codec=READER)
        return tasks.telling(random.choice(tuple(tasks.ASK)), part, shape_of(values), random)


def write(random: Random) -> Conversation:
    values = tasks.made_up(np.random.default_rng(random.getrandbits(64)), WRITTEN)
    return tasks.writing(tasks.wish_for(shape_of(values), random), written(values, values))


def go_on(random: Random) -> Conversation:
    """A window of what is known of a series, or of a made-up one, in deviations of its part before the end.

    Half of them are not the values but their changes against one season before.
    """
    series, changes = random.choice(SERIES) if random.random() < 0.7 else None, random.random() < 0.5
    rng = np.random.default_rng(random.getrandbits(64))
    known, season = (series.known, series.season) if series else tasks.periodic(rng, 2 * CONTEXT)
    known = known[season:] - known[:-season] if changes else known
    length = min(random.randint(24, CONTEXT) + HORIZON, len(known))
    start = random.randint(0, len(known) - length)
    return gone_on(series.title if series else "", known[start : start + length], changes)


def gone_on(title: str, window: np.ndarray, changes: bool) -> Conversation:
    """A window (time,) to write, in deviations of its part before the last `HORIZON` samples."""
    return tasks.writing(tasks.go_on(title, changes), written(window[:, None], window[:-HORIZON, None]))


@cache
def _numbers(examples: Sequence[Example], name: str) -> list[int]:
    return [number for number, one in enumerate(examples) if one.source.name == name]


def written(values: np.ndarray, before: np.ndarray) -> Part:
    """A series (time, 1) for the model to write, in deviations of ``before`` from its mean."""
    scaled = (values - before.mean()) / max(float(before.std()), 1e-9)
    return Part("series", codes=WRITER.encode([Signal(scaled.astype(np.float32))])[0], codec=WRITER.facts.name)


@cache
def media(whole: bool) -> Media:
    """With the reading codec, fitted when it is not there yet; ``whole``: with the fifth for validation."""
    halves = [half(source.name, "train") for source in SETS]
    examples = tuple(one for each in halves for one in (each if whole else split(each)[0]))
    made = [tasks.made_up(np.random.default_rng(number), 32 + number % 200) for number in range(MADE)]
    if not (home(whole) / "views.npz").exists():
        _read(examples, home(whole))
    reader = load_codec(home(whole) / "reader")
    assert isinstance(reader, KernelsCodec)
    values_VNF = np.load(home(whole) / "views.npz")["values"]
    views = Views(codec=READER, values_VND=values_VNF, quantise=reader.quantise, noise=(0.0, 0.1, 0.2, 0.3))
    codes = reader.quantise(reader.values([Signal(one) for one in made]))
    return Media(examples=examples, views=views, made=made, made_codes=codes, reader=reader)


def _read(examples: Sequence[Example], folder: Path) -> None:
    """Fit the reader to the first views of the series, and keep its values of all."""
    rng, kinds = np.random.default_rng(0), [KINDS.index((one.source.name, one.answer)) for one in examples]
    seen = [one.values for one in examples]
    seen += [tasks.changed(one.values, rng) for _ in range(VIEWS) for one in examples]
    features = [groups(values) for values in seen]
    words = tuple(answer for _, answer in KINDS)
    reader = KernelsCodec.fit(features[: FITTED * len(kinds)], kinds * FITTED, name=READER, words=words)
    values = np.stack([reader.valued(*pair) for pair in zip(seen, features, strict=True)])
    reader.save(folder / "reader")
    with atomic_file(folder / "views.npz") as path:
        np.savez(path, values=values.reshape(VIEWS + 1, len(examples), -1).astype(np.float16))


def home(whole: bool) -> Path:
    return cache_dir() / "sensors" / ("whole" if whole else "part")


def _made(whole: bool, stage: Stage, start: int = 0) -> Iterator[Conversation]:
    found = media(whole)
    makers = {"name": found.name, "tell": found.tell, "go on": go_on, "write": write}
    return conversations(makers, stage.shares, stage.conversations, seed=0, start=start)


STAGE = Stage(
    shares={"name": 0.33, "tell": 0.27, "go on": 0.3, "write": 0.1},
    minutes=20,
    conversations=30_000,
    lr={"rows": 3e-3, "body": 2e-3},
)


def _grown(whole: bool) -> Grown:
    """A fresh Llama of about a million parameters with a tokenizer of its own."""
    some = _made(whole, replace(STAGE, conversations=4000))
    texts = [part.data for one in some for part in one.parts() if part.is_text]
    tokenizer = learn_tokenizer(texts, 1024)
    base = fresh_base(tokenizer, hidden=128, layers=4, heads=4, intermediate=384, context=512)
    return grow(base, [media(whole).reader, WRITER], learn="full")


def plan(whole: bool) -> Plan:
    """``whole``: the final model, trained on the validation part of the training halves too."""
    return Plan(
        name="series" if whole else "series-part",
        folder=f"sensors/{home(whole).name}",
        stages=[STAGE],
        grown=lambda start: _grown(whole),
        conversations=lambda stage, first: _made(whole, stage, first),
        config=TrainConfig(minutes=1, optimizer="muon", schedule="trapezoid", cooldown=0.4, warmup=50),
        weights={"text": 4.0},  # a written series has up to 120 codes, a name two tokens
        rows=16,
        row_tokens=256,
        export=lambda grown, out: grown.fold().save(out),
        out=home(whole) / "model",
    )


def forecast(
    model: Assistant, series: ForecastSeries, changes: bool, history: np.ndarray, samples: int = 50
) -> np.ndarray:
    """(Q, H) quantiles at `LEVELS` of so many continuations of a history (time,), of the last `CONTEXT` samples.

    Args:
        changes: go on with the changes against one season before, and add them up.
    """
    season = series.season
    known = (history[season:] - history[:-season] if changes else history)[-CONTEXT:, None]
    request = tasks.go_on(series.title, changes)
    made = continuation(model, Part("series", known), series.horizon, request=request, deviations=True)
    found = generate(model.engine, [made.turn.again(number) for number in range(samples)])
    paths_SH = np.stack([made.rows(one.ids)[:, 0] for one in found])
    return np.quantile(added(paths_SH, history[-season:]) if changes else paths_SH, LEVELS, axis=0)


def added(changes_SH: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Values (S, H) from their changes against one season before and the last season (season,)."""
    values = np.concatenate([np.tile(last, (len(changes_SH), 1)), changes_SH], 1)
    for step in range(len(last), values.shape[1]):
        values[:, step] += values[:, step - len(last)]
    return values[:, len(last) :]
