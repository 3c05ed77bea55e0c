"""What a model reads and draws, measured on drawings and concepts it was never trained on.

``python -m recipes pictograms evaluate MODEL --out FOLDER`` writes ``evaluation.json``, ``evaluation.md`` and
the contact sheets. Naming is exact: the likelihood of every name in the table, not a choice among a few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from recipes.pictograms import judge
from recipes.pictograms.bits import bits_report
from recipes.pictograms.concepts import Gallery, Picture
from recipes.pictograms.drawing import Drawing, attempts_report, drawing_report
from recipes.pictograms.phrases import category_words, phrase
from recipes.pictograms.stamps import FirstOf, Stamp, load_stamps
from recipes.pictograms.tasks import categorised, named
from typer import Argument, Option

from sensorium.evaluate import Among, Results, Scorer, Task, Verdict, Written, paired
from sensorium.types import InputError, Part

WHITE = np.full((64, 64, 3), 255, dtype=np.uint8)
FEW = 50
"""Names that a stamp's is looked for among."""
MEASURES = ["name", "say", "category", "draw", "stamps", "known stamps", "attempts", "bits"]


def evaluate(
    model: Annotated[str, Argument(help="Name, folder or Hub id.")],
    out: Annotated[Path, Option(help="Folder for the report and the contact sheets.")],
    pictures: Annotated[int, Option(help="Pictures to name.")] = 500,
    names: Annotated[int, Option(help="Names to draw.")] = 200,
    guidance: Annotated[float | None, Option(help="Of drawings; default: the model's own.")] = None,
    temperature: Annotated[
        float | None, Option(help="Of drawings, further attempts too; default: the model's own.")
    ] = None,
    best_of: Annotated[int, Option(help="Candidates for each drawing, of which the best-read one counts.")] = 1,
    attempts: Annotated[int, Option(help="Drawings of each name, where attempts are compared.")] = 4,
    scorer: Annotated[str, Option(help="Of candidates: reading (read back as its name) or likelihood.")] = "reading",
    seed: int = 0,
    only: Annotated[list[str] | None, Option(help=f"Some of {', '.join(MEASURES)}.")] = None,
    engine: Annotated[str, Option(help="What writes, see `sensorium.engines.make_engine`.")] = "torch",
    lstm: Annotated[float, Option(min=0, help="Minutes of an LSTM, beside which bits are told.")] = 0.0,
) -> None:
    """Measure what a model names, says, sorts and draws."""
    import sensorium

    if unknown := set(only or ()) - set(MEASURES):
        raise InputError(f"there is no measure {unknown.pop()!r}; the measures are {', '.join(MEASURES)}")
    asked = Drawing(
        names=names, guidance=guidance, temperature=temperature, best_of=best_of, attempts=attempts, scorer=scorer,
        seed=seed, out=out,
    )  # fmt: skip
    results = measure(sensorium.load(model, engine=engine), Gallery(), only or MEASURES[:5], pictures, asked, lstm)
    results.notes["model"] = model
    results.save(out)


def measure(
    model: Any, gallery: Gallery, only: Sequence[str], count: int, asked: Drawing, lstm: float = 0.0
) -> Results:
    """The measures named in ``only``; for ``count``, ``asked`` and ``lstm`` see `evaluate`."""
    notes = {"pictures": count, "names": asked.names, "seed": asked.seed, "temperature": asked.temperature}
    results = Results(notes=notes)
    shown = gallery.held_out(count, asked.seed)
    if "name" in only:
        naming(results, model, gallery, shown)
    if "say" in only:
        naming_task("name written freely, held-out family", gallery, shown, Written()).run(model, results)
    if "category" in only:
        for where, held_out in (("seen family", False), ("held-out family", True)):
            if tested := gallery.unseen(count, asked.seed, held_out):
                sorting(results, model, gallery, tested, where)
    if "draw" in only:
        drawing_report(results, model, judge.load(), gallery, asked)
    if {"stamps", "known stamps"} & set(only):
        stamps = [one for one in load_stamps(gallery) if one.known or "stamps" in only]
        stamps_report(results, model, gallery, stamps, asked.seed)
    if "attempts" in only:
        attempts_report(results, model, judge.load(), gallery, asked)
    if "bits" in only:
        bits_report(results, model, gallery, shown, asked.names, asked.seed, lstm)
    return results


def naming_task(name: str, gallery: Gallery, shown: Sequence[Picture], scorer: Scorer) -> Task:
    talks = [named(Part("image", data=gallery.pixels[p.medium]), p.label) for p in shown]
    return Task(name=name, conversations=talks, scorer=scorer)


def naming(results: Results, model: Any, gallery: Gallery, shown: Sequence[Picture]) -> None:
    """Exact name among all names of emoji: model, nearest neighbour on pixels, blind runs; and among all names."""
    emoji = [phrase(concept.label) for concept in gallery.concepts.emoji]
    task = naming_task("name, held-out family", gallery, shown, Among(emoji))
    seen = replace(task, groups=[f"name, {p.family}" for p in shown]).run(model, results)
    if len(gallery.concepts) > len(emoji):
        wider = [*emoji, *(phrase(concept.label) for concept in gallery.concepts if not concept.default_style)]
        among = f"model, among all {len(wider)} names of training"
        replace(task, scorer=Among(wider), condition=among).run(model, results)
    against(task, seen, [list(map(phrase, names)) for names in gallery.nearest(shown)], model, results)
    results.notes["names in the choice"] = len(emoji)
    missed = [(p, verdict) for p, verdict in zip(shown, seen, strict=True) if not verdict.right]
    results.notes["misnamed"] = [
        {"picture": p.medium, "true": p.label, "said": verdict.said[:3]} for p, verdict in missed[:40]
    ]


def stamps_report(results: Results, model: Any, gallery: Gallery, stamps: Sequence[Stamp], seed: int) -> None:
    """Photos and clip art of a held-out source: those whose word is a name of an emoji, and all of them.

    All are named among the names of emoji and their own words; either way also among 50 of those names by chance.
    """
    emoji = [phrase(concept.label) for concept in gallery.concepts.emoji]
    every = list(dict.fromkeys([*emoji, *(phrase(one.word) for one in stamps)]))
    known = [one for one in stamps if one.known]
    for which, shown, names in (("whose word is known", known, emoji), ("all", stamps, every)):
        if which == "all" and len(known) == len(stamps):
            continue
        talks = [named(Part("image", data=one.pixels), one.word) for one in shown]
        task = Task(name=f"name, tuxpaint stamps, {which}", conversations=talks, scorer=Among(names))
        task.run(model, results)
        near = gallery.nearest_to(np.stack([one.pixels for one in shown]))
        task.compare("nearest neighbour on pixels", [list(map(phrase, said)) for said in near], results)
        task.blind("no picture").run(model, results)
        few = replace(task, name=f"{task.name}, first of {FEW}", scorer=FirstOf(names, FEW, seed))
        few.run(model, results)
        results.notes[f"{task.name}: names in the choice"] = len(names)


def sorting(results: Results, model: Any, gallery: Gallery, shown: Sequence[Picture], where: str) -> None:
    """Category of concepts never seen, among all categories, against chance, the largest category and blindness."""
    by_category, by_label = gallery.concepts.by_category, gallery.concepts.by_label
    among = Among([category_words(name) for name in sorted(filter(None, by_category))], (1,))
    talks = [categorised(Part("image", data=gallery.pixels[p.medium]), p.category) for p in shown]
    task = Task(name=f"category of an unseen concept, {where}", conversations=talks, scorer=among)
    seen = task.run(model, results)
    near = [[category_words(by_label[best].category)] for (best,) in gallery.nearest(shown, 1)]
    against(task, seen, near, model, results)
    largest = max(by_category, key=lambda name: len(by_category[name]))
    task.compare(f"always {largest!r}", [[category_words(largest)]] * len(shown), results)
    results.notes["chance of the category"] = round(1 / len(among.answers), 4)
    results.notes["test categories"] = dict(Counter(p.category for p in shown))


def against(task: Task, seen: Sequence[Verdict], near: list[list[str]], model: Any, results: Results) -> None:
    """The nearest neighbour's answers, and the same questions without a picture and with a white one."""
    other = task.compare("nearest neighbour on pixels", near, results)
    difference = paired([verdict.right for verdict in seen], [verdict.right for verdict in other])
    results.notes[f"{task.name}: model against nearest neighbour"] = difference.to_json()
    task.blind("no picture").run(model, results)
    task.blank(WHITE, "a white picture").run(model, results)
