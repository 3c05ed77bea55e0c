"""What a model reads and draws, measured on drawings and concepts it was never trained on.

``python -m recipes.pictograms.evaluate MODEL --out FOLDER`` writes ``evaluation.json``, ``evaluation.md`` and
the contact sheets. Naming is exact: the likelihood of every name in the table, not a choice among a few.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from recipes.pictograms.concepts import EMOJI_STYLES, Concept, Concepts, Picture, concepts_of, load_pictures
from recipes.pictograms.drawing import drawing_report
from recipes.pictograms.intervals import Share, top
from recipes.pictograms.judge import Judge, load_pixels
from recipes.pictograms.phrases import category_words, phrase
from recipes.pictograms.tasks import category_prompt, naming_prompt

from sensorium.files import atomic_file
from sensorium.types import Conversation, InputError, Part, as_message

WHITE = np.full((64, 64, 3), 255, dtype=np.uint8)
MISS = 10**6
MEASURES = ["name", "say", "category", "draw"]


@dataclass
class Report:
    """Rows of a results table: name of the measure, condition, share with its interval."""

    rows: list[tuple[str, str, Share]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, measure: str, condition: str, share: Share) -> None:
        self.rows.append((measure, condition, share))
        print(f"{measure} | {condition} | {share}", flush=True)

    def to_json(self) -> dict[str, Any]:
        rows = [{"measure": m, "condition": c, **share.to_json()} for m, c, share in self.rows]
        return {"rows": rows, "notes": self.notes}

    def to_markdown(self) -> str:
        lines = ["| measure | condition | share (95 % interval) |", "|---|---|---|"]
        return "\n".join([*lines, *(f"| {m} | {c} | {share} |" for m, c, share in self.rows)]) + "\n"


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


def evaluate(model: Any, pictures: Sequence[Picture], pixels: np.ndarray, options: argparse.Namespace) -> Report:
    """All measures; ``options`` are those of the command line."""
    report = Report(notes={"pictures": options.pictures, "names": options.names, "seed": options.seed})
    if "name" in options.only:
        naming_report(report, model, pictures, pixels, held_out_pictures(pictures, options.pictures, options.seed))
    if "say" in options.only:
        saying_report(report, model, pixels, held_out_pictures(pictures, options.pictures, options.seed))
    if "category" in options.only:
        for held_out in (False, True):
            shown = unseen_pictures(pictures, options.pictures, options.seed, held_out)
            if shown:
                category_report(
                    report, model, pictures, pixels, shown, "held-out family" if held_out else "seen family"
                )
    if "draw" in options.only:
        drawing_report(report, model, Judge.load(), pictures, pixels, options)
    return report


def naming_report(
    report: Report, model: Any, pictures: Sequence[Picture], pixels: np.ndarray, shown: Sequence[Picture]
) -> None:
    """Exact name among all names of emoji: model, nearest neighbour on pixels, blind runs; and among all names."""
    concepts = Concepts(pictures)
    labels = [concept.label for concept in concepts.emoji]
    truth = [labels.index(picture.label) for picture in shown]
    answers = [answer_ids(model, phrase(label)) for label in labels]
    prompts = [naming_prompt(Part("image", data=pixels[p.picture])) for p in shown]
    seen = top_answers(model, answers, prompts)
    _add_ranks(report, "name, held-out family", "model", seen, truth)
    if len(concepts) > len(labels):
        wider = [*labels, *(concept.label for concept in concepts if not concept.default_style)]
        every = [answer_ids(model, phrase(label)) for label in wider]
        condition = f"model, among all {len(wider)} names of training"
        _add_ranks(report, "name, held-out family", condition, top_answers(model, every, prompts), truth)
    for family in sorted({p.family for p in shown}):
        own = [i for i, p in enumerate(shown) if p.family == family]
        _add_ranks(report, f"name, {family}", "model", [seen[i] for i in own], [truth[i] for i in own])
    near = nearest_labels(pictures, pixels, shown)
    _add_ranks(report, "name, held-out family", "nearest neighbour on pixels", near, [p.label for p in shown])
    for condition, prompt in blind_prompts(naming_prompt).items():
        fixed = top_answers(model, answers, [prompt])
        _add_ranks(report, "name, held-out family", condition, fixed * len(shown), truth)
    report.notes["names in the choice"] = len(labels)
    report.notes["misnamed"] = [
        {"picture": p.picture, "true": p.label, "said": [labels[i] for i in best[:3]]}
        for p, best in zip(shown, seen, strict=True)
        if labels[best[0]] != p.label
    ][:40]


def saying_report(report: Report, model: Any, pixels: np.ndarray, shown: Sequence[Picture]) -> None:
    """The name written freely, the likeliest token each time, and right only when it is the label's own phrase."""
    prompts = (naming_prompt(Part("image", data=pixels[picture.picture])) for picture in shown)
    said = [model.chat(prompt, want="text", temperature=0, max_tokens=24).text.strip() for prompt in prompts]
    right = [text == phrase(picture.label) for text, picture in zip(said, shown, strict=True)]
    report.add("name written freely, held-out family", "model", Share(sum(right), len(right)))


def category_report(
    report: Report, model: Any, pictures: Sequence[Picture], pixels: np.ndarray, shown: Sequence[Picture], where: str
) -> None:
    """Category of concepts never seen, among all categories, against chance, the largest category and blindness."""
    concepts = Concepts(pictures)
    categories = sorted(filter(None, concepts.by_category))
    truth = [categories.index(p.category) if p.category in categories else MISS for p in shown]
    answers = [answer_ids(model, category_words(name)) for name in categories]
    measure = f"category of an unseen concept, {where}"
    seen = top_answers(model, answers, (category_prompt(Part("image", data=pixels[p.picture])) for p in shown), 1)
    _add_ranks(report, measure, "model", seen, truth, (1,))
    near = nearest_labels(pictures, pixels, shown, 1)
    named = [[concepts.by_label[best[0]].category] for best in near]
    _add_ranks(report, measure, "nearest neighbour on pixels", named, [p.category for p in shown], (1,))
    largest = max(concepts.by_category, key=lambda name: len(concepts.by_category[name]))
    _add_ranks(report, measure, f"always {largest!r}", [[largest]] * len(shown), [p.category for p in shown], (1,))
    for condition, prompt in blind_prompts(category_prompt).items():
        fixed = top_answers(model, answers, [prompt], 1)
        _add_ranks(report, measure, condition, fixed * len(shown), truth, (1,))
    report.notes["chance of the category"] = round(1 / len(categories), 4)
    report.notes["test categories"] = dict(Counter(p.category for p in shown))


def prompt_ids(model: Any, prompt: Conversation) -> list[int]:
    return model.stream.render(model.senses.encode(prompt), reply=True).ids.tolist()


def answer_ids(model: Any, answer: str) -> list[int]:
    """Ids of an answer and of the end of the turn, as `Stream.render` writes them."""
    question = as_message("user", "?")
    open_ = model.stream.render(Conversation((question,)), reply=True)
    whole = model.stream.render(Conversation((question, as_message("assistant", answer))))
    learned = int(np.flatnonzero(whole.mask)[-1]) + 1
    return whole.ids[len(open_.ids) : learned].tolist()


def top_answers(
    model: Any, answers: Sequence[Sequence[int]], prompts: Iterable[Conversation], k: int = 5
) -> list[list[int]]:
    """Numbers of the ``k`` likeliest answers to every prompt, by the exact likelihood of each."""
    with model.media(about=True):
        return [[one.index for one in model.engine.best(prompt_ids(model, prompt), answers, k)] for prompt in prompts]


def blind_prompts(make: Callable[[Part], Conversation]) -> dict[str, Conversation]:
    """The same question without a picture, and with a white one."""
    asked = make(Part("image", data=WHITE))
    words = [part for part in asked.messages[0].parts if part.is_text]
    return {"no picture": Conversation((as_message("user", words),)), "a white picture": asked}


def nearest_labels(
    pictures: Sequence[Picture], pixels: np.ndarray, shown: Sequence[Picture], k: int = 5
) -> list[list[str]]:
    """The ``k`` different names of emoji whose training drawings are nearest in pixels (Euclidean, 64 x 64 RGB)."""
    train = [picture for concept in Concepts(pictures).emoji for picture in concept.plain]
    asked = _flat(pixels, shown)
    distances = np.concatenate(
        [_distances(asked, _flat(pixels, train[i : i + 1024])) for i in range(0, len(train), 1024)], axis=1
    )
    order = np.argsort(distances, axis=1)
    return [_first_different((train[i].label for i in row), k) for row in order]


def _first_different(labels: Iterable[str], k: int) -> list[str]:
    found: dict[str, None] = {}
    for label in labels:
        found[label] = None
        if len(found) == k:
            break
    return list(found)


def _flat(pixels: np.ndarray, pictures: Sequence[Picture]) -> np.ndarray:
    rows = pixels[[p.picture for p in pictures]]
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), -1) / 255


def _distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Squared distances less the squares of ``one``, which do not change the order."""
    return (two * two).sum(1)[None] - 2 * one @ two.T


def _add_ranks(
    report: Report, measure: str, condition: str, best: Sequence[Sequence[Any]], truth: Sequence[Any], ks: Any = (1, 5)
) -> None:
    ranks = [list(row).index(true) if true in row else MISS for row, true in zip(best, truth, strict=True)]
    for k in ks:
        report.add(f"{measure}, top-{k}", condition, top(ranks, k))


def _one_each(concepts: Sequence[Concept], count: int, seed: int) -> list[Picture]:
    random = Random(seed)
    chosen = random.sample(list(concepts), min(count, len(concepts)))
    return [random.choice(concept.pictures) for concept in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name, folder or Hub id")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report and the contact sheets")
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--names", type=int, default=200)
    parser.add_argument("--guidance", type=float, default=1.5)
    parser.add_argument("--temperature", type=float, default=0.3)
    parser.add_argument("--best-of", type=int, default=1, help="candidates for each drawing")
    parser.add_argument(
        "--scorer",
        choices=["likelihood", "reading"],
        default="reading",
        help="how a candidate is chosen: likelier with the request than without, or read back as its name",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES)
    parser.add_argument("--engine", default="torch", help="what writes, see `sensorium.generate.make_engine`")
    options = parser.parse_args()
    import sensorium

    report = evaluate(sensorium.load(options.model, engine=options.engine), load_pictures(), load_pixels(), options)
    if not report.rows:
        raise InputError("nothing was measured; the table holds no held-out pictures")
    with atomic_file(options.out / "evaluation.json") as path:
        path.write_text(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    with atomic_file(options.out / "evaluation.md") as path:
        path.write_text(report.to_markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
