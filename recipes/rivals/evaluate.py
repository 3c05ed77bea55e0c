"""The same questions to every rival: names of drawings of held-out families, among all names of emoji; classes of
series and names that are said, where it learned such media.

``python -m recipes rivals evaluate`` asks all that are trained and writes ``evaluation.md``, ``evaluation.json`` and
``facts.md``. Controls are the same questions without the picture and with another's; beside them stands the nearest
neighbour on pixels.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from recipes.pictograms.concepts import Gallery, Picture
from recipes.pictograms.evaluate import naming_task
from recipes.pictograms.phrases import phrase
from recipes.rivals.training import FACTS, WAYS, Trained, facts, home, load
from recipes.sensors.sets import SETS, half
from recipes.sensors.tasks import naming as series_naming
from recipes.speech.hearing import choices
from typer import Argument, Option

from sensorium.device import device_of
from sensorium.evaluate import Among, Results, Task, Verdict, Written, paired
from sensorium.files import atomic_file
from sensorium.types import InputError, Part, Signal


def evaluate(
    ways: Annotated[list[str] | None, Argument(help=f"Some of {', '.join(WAYS)}; all that are trained.")] = None,
    beside: Annotated[list[str] | None, Option(help="Models of Sensorium that are asked the same.")] = None,
    pictures: Annotated[int, Option(help="Pictures to name.")] = 500,
    ranked: Annotated[
        bool, Option(help="Rank all names by likelihood, too, which is slow for large language models.")
    ] = True,
    most: Annotated[int | None, Option(min=1, help="Series of a set, evenly chosen; all where not said.")] = None,
    seed: int = 0,
    out: Annotated[Path, Option(help="Folder for the tables.")] = Path("results/rivals"),
) -> None:
    """Names, controls, and what each way costs."""
    import sensorium

    if unknown := set(ways or ()) - set(WAYS):
        raise InputError(f"there is no way {unknown.pop()!r}; the ways are {', '.join(WAYS)}")
    names = ways or [name for name in WAYS if (home() / name / FACTS).exists()]
    if not names:
        raise InputError("no rival is trained yet; train one with `python -m recipes rivals train late`")
    gallery, results = Gallery(), Results(notes={"pictures": pictures, "seed": seed})
    models: dict[str, Any] = {name: load(name).to(device_of("auto")) for name in names}
    models |= {name: sensorium.load(name) for name in beside or ()}
    measure(results, models, gallery, gallery.held_out(pictures, seed), ranked)
    for name, model in models.items():
        if "series" in getattr(model, "tokens", {}):
            series_report(results, name, model, most)
        if "audio" in getattr(model, "tokens", {}):
            for task in choices(seed):
                with_controls(task, name, model, results)
    known = {name: facts(home() / name) for name in names}
    with atomic_file(out / "facts.md") as path:
        path.write_text(table(known), encoding="utf-8")
    results.save(out)


def measure(
    results: Results, models: Mapping[str, Any], gallery: Gallery, shown: Sequence[Picture], ranked: bool = True
) -> None:
    """Every model on the same pictures with its controls, and every two of them against each other.

    Args:
        ranked: whether language models rank the names, too, or only write them.
    """
    names = [phrase(concept.label) for concept in gallery.concepts.emoji]
    results.notes["names in the choice"] = len(names)
    task = naming_task("name, held-out family", gallery, shown, Among(names))
    near = [list(map(phrase, found)) for found in gallery.nearest(shown)]
    verdicts = {"nearest neighbour on pixels": task.compare("nearest neighbour on pixels", near, results)}
    freely = replace(task, name=f"{task.name}, written freely", scorer=Written())
    for name, model in models.items():
        writes = hasattr(model, "chat")
        if ranked or not writes:
            verdicts[name] = with_controls(task, name, model, results)
            if writes:
                replace(freely, condition=name).run(model, results)
        else:
            verdicts[name] = with_controls(freely, name, model, results)
    for one, other in combinations(verdicts, 2):
        results.notes[f"{one} against {other}"] = against(verdicts[one], verdicts[other])


def with_controls(task: Task, name: str, model: Any, results: Results) -> list[Verdict]:
    """The verdicts on a model; rows of the same questions without the medium and with another's are added too."""
    started = time.perf_counter()
    seen = replace(task, condition=name).run(model, results)
    seconds = (time.perf_counter() - started) / len(task.conversations)
    results.notes[f"{task.name}: {name}, seconds a question"] = round(seconds, 3)
    blind = task.blind(f"{name}, no medium").run(model, results)
    task.wrong(f"{name}, another's medium").run(model, results)
    results.notes[f"{task.name}: {name} with the medium against without"] = against(seen, blind)
    return seen


def against(one: Sequence[Verdict], other: Sequence[Verdict]) -> dict[str, Any]:
    return paired([verdict.right for verdict in one], [verdict.right for verdict in other]).to_json()


def series_report(results: Results, name: str, model: Any, most: int | None = None) -> None:
    """Classes of the test halves of the recipe sensors, or of so many of each, evenly chosen, with controls."""
    for source in SETS:
        examples = half(source.name, "test")
        talks = [
            series_naming(source.question, Part("series", Signal(one.values, source.rate_hz)), one.answer)
            for one in examples[:: -(-len(examples) // most) if most else 1]
        ]
        with_controls(
            Task(name=source.name, conversations=talks, scorer=Among(source.classes, ks=(1,))), name, model, results
        )


def table(known: Mapping[str, Trained]) -> str:
    """What each way costs and can, as Markdown."""
    lines = [
        "| way | trained parameters | frozen | minutes | device | peak memory | tokens per medium | writes the medium "
        "| text |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in known.items():
        tokens = ", ".join(f"{count} ({medium})" for medium, count in one.tokens.items())
        lines.append(
            f"| {name} | {one.trained:,} | {one.frozen:,} | {one.minutes:.1f} | {one.device} | {one.peak_gb:.2f} GB "
            f"| {tokens} | no | {one.text} |"
        )
    return "\n".join(lines) + "\n"
