"""What a model reads and draws, measured on drawings and concepts it was never trained on.

``python -m recipes pictograms evaluate MODEL --out FOLDER`` writes ``evaluation.json``, ``evaluation.md`` and
the contact sheets. Naming is exact: the likelihood of every name in the table, not a choice among a few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
from recipes.pictograms import judge
from recipes.pictograms.concepts import (
    EMOJI_STYLES,
    Concept,
    Concepts,
    Picture,
    concepts_of,
    load_pictures,
    load_pixels,
)  # fmt: skip
from recipes.pictograms.drawing import Drawing, attempts_report, drawing_report
from recipes.pictograms.phrases import category_words, phrase
from recipes.pictograms.tasks import categorised, named
from typer import Argument, Option

from sensorium.evaluate import Among, Results, Task, Verdict, Written, nearest, paired
from sensorium.types import InputError, Part

WHITE = np.full((64, 64, 3), 255, dtype=np.uint8)
MEASURES = ["name", "say", "category", "draw", "attempts"]


def evaluate(
    model: Annotated[str, Argument(help="Name, folder or Hub id.")],
    out: Annotated[Path, Option(help="Folder for the report and the contact sheets.")],
    pictures: Annotated[int, Option(help="Pictures to name.")] = 500,
    names: Annotated[int, Option(help="Names to draw.")] = 200,
    guidance: Annotated[float, Option(help="Of drawings.")] = 1.5,
    temperature: Annotated[float, Option(help="Of drawings.")] = 0.3,
    best_of: Annotated[int, Option(help="Candidates for each drawing, of which the best-read one counts.")] = 1,
    attempts: Annotated[int, Option(help="Drawings of each name, where attempts are compared.")] = 4,
    scorer: Annotated[str, Option(help="Of candidates: reading (read back as its name) or likelihood.")] = "reading",
    seed: int = 0,
    only: Annotated[list[str] | None, Option(help=f"Some of {', '.join(MEASURES)}.")] = None,
    engine: Annotated[str, Option(help="What writes, see `sensorium.generate.make_engine`.")] = "torch",
) -> None:
    """Measure what a model names, says, sorts and draws."""
    import sensorium

    if unknown := set(only or ()) - set(MEASURES):
        raise InputError(f"there is no measure {unknown.pop()!r}; the measures are {', '.join(MEASURES)}")
    asked = Drawing(
        names=names, guidance=guidance, temperature=temperature, best_of=best_of, attempts=attempts, scorer=scorer,
        seed=seed, out=out,
    )  # fmt: skip
    measure(sensorium.load(model, engine=engine), only or MEASURES[:4], pictures, asked).save(out)


def measure(model: Any, only: Sequence[str], count: int, asked: Drawing) -> Results:
    """The measures named in ``only``; for ``count`` and ``asked`` see `evaluate`."""
    pictures, pixels = load_pictures(), load_pixels()
    notes = {"pictures": count, "names": asked.names, "seed": asked.seed, "temperature": asked.temperature}
    results = Results(notes=notes)
    if {"name", "say"} & set(only):
        shown = held_out_pictures(pictures, count, asked.seed)
        if "name" in only:
            naming(results, model, pictures, pixels, shown)
        if "say" in only:
            naming_task("name written freely, held-out family", pixels, shown, Written()).run(model, results)
    if "category" in only:
        for held_out in (False, True):
            if shown := unseen_pictures(pictures, count, asked.seed, held_out):
                where = "held-out family" if held_out else "seen family"
                sorting(results, model, pictures, pixels, shown, where)
    if "draw" in only:
        drawing_report(results, model, judge.load(), pictures, pixels, asked)
    if "attempts" in only:
        attempts_report(results, model, judge.load(), pictures, asked)
    return results


def held_out_pictures(pictures: Iterable[Picture], count: int, seed: int = 0) -> list[Picture]:
    """One held-out-family drawing for each of at most ``count`` concepts that training has seen."""
    pictures = list(pictures)
    known = {concept.label for concept in Concepts(pictures).emoji}
    shown = [p for p in pictures if p.held_out and not p.toned and p.label in known]
    return _one_each(concepts_of(shown), count, seed)


def unseen_pictures(pictures: Iterable[Picture], count: int, seed: int = 0, held_out: bool = False) -> list[Picture]:
    """One drawing for each of at most ``count`` test concepts, from the training families or the held-out ones."""
    styles = {p.style for p in pictures if p.held_out == held_out and (held_out or p.style in EMOJI_STYLES)}
    shown = [p for p in pictures if p.split == "test" and p.style in styles and not p.toned and p.category]
    return _one_each(concepts_of(shown), count, seed)


def naming_task(name: str, pixels: np.ndarray, shown: Sequence[Picture], scorer: Any) -> Task:
    talks = [named(Part("image", data=pixels[p.medium]), p.label) for p in shown]
    return Task(name=name, conversations=talks, scorer=scorer)


def naming(
    results: Results, model: Any, pictures: Sequence[Picture], pixels: np.ndarray, shown: Sequence[Picture]
) -> None:
    """Exact name among all names of emoji: model, nearest neighbour on pixels, blind runs; and among all names."""
    concepts = Concepts(pictures)
    emoji = [phrase(concept.label) for concept in concepts.emoji]
    task = naming_task("name, held-out family", pixels, shown, Among(emoji))
    seen = replace(task, groups=[f"name, {p.family}" for p in shown]).run(model, results)
    if len(concepts) > len(emoji):
        wider = [*emoji, *(phrase(concept.label) for concept in concepts if not concept.default_style)]
        among = f"model, among all {len(wider)} names of training"
        replace(task, scorer=Among(wider), condition=among).run(model, results)
    near = task.compare("nearest neighbour on pixels", nearest_phrases(pictures, pixels, shown), results)
    blind_runs(task, model, results)
    results.notes["model against nearest neighbour"] = _against(seen, near)
    results.notes["names in the choice"] = len(emoji)
    missed = [(p, verdict) for p, verdict in zip(shown, seen, strict=True) if not verdict.right]
    results.notes["misnamed"] = [
        {"picture": p.medium, "true": p.label, "said": verdict.said[:3]} for p, verdict in missed[:40]
    ]


def blind_runs(task: Task, model: Any, results: Results) -> None:
    """The same questions without a picture, and with a white one."""
    task.blind("no picture").run(model, results)
    task.blank(WHITE, "a white picture").run(model, results)


def sorting(
    results: Results, model: Any, pictures: Sequence[Picture], pixels: np.ndarray, shown: Sequence[Picture], where: str
) -> None:
    """Category of concepts never seen, among all categories, against chance, the largest category and blindness."""
    concepts = Concepts(pictures)
    categories = sorted(filter(None, concepts.by_category))
    talks = [categorised(Part("image", data=pixels[p.medium]), p.category) for p in shown]
    among = Among([category_words(name) for name in categories], (1,))
    task = Task(name=f"category of an unseen concept, {where}", conversations=talks, scorer=among)
    seen = task.run(model, results)
    of = {phrase(concept.label): category_words(concept.category) for concept in concepts}
    said = [[of[best[0]]] for best in nearest_phrases(pictures, pixels, shown, 1)]
    near = task.compare("nearest neighbour on pixels", said, results)
    largest = max(concepts.by_category, key=lambda name: len(concepts.by_category[name]))
    task.compare(f"always {largest!r}", [[category_words(largest)]] * len(shown), results)
    blind_runs(task, model, results)
    results.notes[f"model against nearest neighbour, {where}"] = _against(seen, near)
    results.notes["chance of the category"] = round(1 / len(categories), 4)
    results.notes["test categories"] = dict(Counter(p.category for p in shown))


def nearest_phrases(
    pictures: Sequence[Picture], pixels: np.ndarray, shown: Sequence[Picture], k: int = 5
) -> list[list[str]]:
    """The ``k`` different names of emoji whose training drawings are nearest in pixels (64 x 64 RGB)."""
    train = [picture for concept in Concepts(pictures).emoji for picture in concept.plain]
    known, asked = pixels[[p.medium for p in train]], pixels[[p.medium for p in shown]]
    return nearest(asked / np.float32(255), known / np.float32(255), [phrase(p.label) for p in train], k)


def _against(one: Sequence[Verdict], other: Sequence[Verdict]) -> dict[str, Any]:
    return paired([verdict.right for verdict in one], [verdict.right for verdict in other]).to_json()


def _one_each(concepts: Sequence[Concept], count: int, seed: int) -> list[Picture]:
    random = Random(seed)
    chosen = random.sample(list(concepts), min(count, len(concepts)))
    return [random.choice(concept.pictures) for concept in chosen]
