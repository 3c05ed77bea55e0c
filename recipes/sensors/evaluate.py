"""Measuring the model: names beside chance, a blind run and the codec alone; facts, wishes, forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import typer
from recipes.scenes.evaluate import thinks
from recipes.scenes.thoughts import asked_first, can_be_thought_about
from recipes.sensors import tasks
from recipes.sensors.bits import bits_report, taught
from recipes.sensors.facts import shape_of
from recipes.sensors.series import KINDS, READER, WRITTEN, forecast, plan
from recipes.sensors.sets import SERIES, SETS, Example, LabelledSet, half, split

from sensorium.evaluate import Among, Mean, Results, Share, Task, Written
from sensorium.evaluate.forecasts import scores
from sensorium.generate import Assistant
from sensorium.types import Part, Signal

TOLD, TAUGHT = 200, 3000


def evaluate(
    part: Annotated[bool, typer.Option(help="The model trained without the validation part, on that part.")] = False,
    only: Annotated[str, typer.Option(help="name, tell, write, forecast or bits; all where not said.")] = "",
    other: Annotated[str, typer.Option(help="Another model, by name or folder; it names where not said.")] = "",
    most: Annotated[int | None, typer.Option(min=1, help="Series of a set, evenly chosen; all where not said.")] = None,
    told: Annotated[int, typer.Option(min=2, help="Series of either sort to tell of; half as many wishes.")] = TOLD,
    thinking: Annotated[bool, typer.Option(help="Only what is told, with the request to think first.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("results/sensors"),
) -> None:
    """Measure the trained model on the official test halves and with rolling origins."""
    only = only or ("tell" if thinking else "name" if other else "")
    if thinking:
        can_be_thought_about([only], list(MEASURED_THINKING))
    model, results = Assistant.load(other or plan(not part).out), Results()
    asked = {one: split(half(one.name, "train"))[1] if part else half(one.name, "test") for one in SETS}
    if most is not None:
        asked = {one: examples[:: -(-len(examples) // most)] for one, examples in asked.items()}
    for name, measure in (MEASURED_THINKING if thinking else MEASURES).items():
        if only in ("", name):
            measure(model, results, asked, told)
    name = "validation" if part else f"evaluation-{only}" if only else "evaluation"
    name = f"{name}-thinking" if thinking else name
    results.save(out, f"{name}-pretrained" if other else name)


Asked = Mapping[LabelledSet, Sequence[Example]]


def _names(model: Any, results: Results, asked: Asked, told: int) -> None:
    """The set's plain question, its classes not listed; ``chance`` goes into the notes."""
    for source, examples in asked.items():
        signals = [Signal(one.values, source.rate_hz) for one in examples]
        pairs = zip(signals, examples, strict=True)
        talks = [tasks.naming(source.question, Part("series", signal), one.answer) for signal, one in pairs]
        task = Task(name=source.name, conversations=talks, scorer=Among(source.classes, ks=(1,)))
        for view in (task, task.blind(), replace(task, name=f"{source.name}, written freely", scorer=Written())):
            view.run(model, results)
        own = [KINDS.index((source.name, answer)) for answer in source.classes]
        reader = model.codecs[READER]
        best = getattr(reader, "first", reader).values(signals)[:, own].argmax(1)  # in smol-series landmarks follow
        task.compare("the reading codec's scores", [[source.classes[place]] for place in best], results)
        results.notes[source.name] = {"chance": round(1 / len(source.classes), 4)}


def _tells(model: Any, results: Results, asked: Asked, told: int) -> None:
    for task in _telling(asked, told):
        for view in (task, task.blind(), task.wrong()):
            view.run(model, results)


def _thinks(model: Any, results: Results, asked: Asked, told: int) -> None:
    """The same at once, and after a thought."""
    for task in _telling(asked, told):
        thinks(model, [task], [asked_first(task)], results)


def _telling(asked: Asked, told: int) -> Iterator[Task]:
    """Of made-up series and real ones, neither trained on, in each way."""
    rng, random = np.random.default_rng(1_000_000), Random(1)
    made = [tasks.made_up(rng, int(rng.integers(32, 232))) for _ in range(told)]
    known = [one.values for each in asked.values() for one in each]
    real = random.sample(known, min(told, len(known)))
    for called, series in (("made up", made), ("real", real)):
        for kind in ("trend", "peaks", "cycles", "place"):
            talks = [tasks.telling(kind, Part("series", Signal(one)), shape_of(one), random) for one in series]
            yield Task(name=f"{kind}, {called}", conversations=talks, scorer=Written())


def _writes(model: Any, results: Results, asked: Asked, told: int) -> None:
    """How often a written series has every fact of its wish; and of another's, which is by chance."""
    random, rng = Random(2), np.random.default_rng(2_000_000)
    wishes = [tasks.wish_for(shape_of(tasks.made_up(rng, WRITTEN)), random) for _ in range(told // 2)]
    series = [model.chat(wish, want="series", seed=seed).parts[0].data.array for seed, wish in enumerate(wishes)]
    for condition, found in (("model", series), ("written to another wish", series[1:] + series[:1])):
        hits = sum(tasks.fulfilled(wish, one) for wish, one in zip(wishes, found, strict=True))
        results.add("wish fulfilled", condition, Share(hits, len(wishes)))


def _forecasts(model: Any, results: Results, asked: Asked, told: int) -> None:
    for series, (condition, changes) in product(SERIES, (("model", False), ("model, by changes", True))):
        found = scores(partial(forecast, model, series, changes), series.rolling(), series.season)
        for name, values in found.items():
            results.add(f"{series.name}, {name}", condition, Mean.of(values))


def _bits(model: Any, results: Results, asked: Asked, told: int) -> None:
    bits_report(results, model, taught(TAUGHT))


MEASURES = {"name": _names, "tell": _tells, "write": _writes, "forecast": _forecasts, "bits": _bits}
MEASURED_THINKING = {"tell": _thinks}
"""What can be thought about first."""
