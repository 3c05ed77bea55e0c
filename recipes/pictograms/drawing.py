"""Drawings on request, judged by a classifier trained apart, with a contact sheet.

The judge's verdict on the real drawings of the same names, before and after the codec, stands beside the
model's: no drawing can be expected to pass where those fail. Several attempts at a name must differ and be good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from recipes.pictograms.concepts import Concept, Concepts, Picture, concepts_of
from recipes.pictograms.phrases import phrase
from recipes.pictograms.tasks import drawing_prompt, named

from sensorium.evaluate import Judge, Mean, Results, Share, distinctness, spread, top
from sensorium.evaluate.scorers import asked
from sensorium.modalities.sheet import contact_sheet
from sensorium.types import Part, Signal


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is drawn, and how; see `recipes.pictograms.evaluate.evaluate`."""

    names: int
    guidance: float
    temperature: float
    best_of: int
    attempts: int
    scorer: str
    seed: int
    out: Path


def drawing_report(
    results: Results, model: Any, judge: Judge, pictures: Sequence[Picture], pixels: np.ndarray, options: Drawing
) -> None:
    """Seen names judged by name; unseen ones, whose names the judge does not know, by category."""
    seen = drawable(Concepts(pictures), judge.labels, options.names, options.seed)
    drawn = draw_all(model, [concept.label for concept in seen], options)
    ranks = report_seen(results, model, judge, seen, drawn, pixels)
    sheet(drawn, seen, options.out / "drawings-seen.png", [rank < 5 for rank in ranks])
    unseen = unseen_concepts(pictures, options.names // 2, options.seed)
    if unseen:
        drawn = draw_all(model, [concept.label for concept in unseen], options)
        report_unseen(results, judge, pictures, unseen, drawn, pixels)
        sheet(drawn, unseen, options.out / "drawings-unseen.png")


def attempts_report(results: Results, model: Any, judge: Judge, pictures: Sequence[Picture], options: Drawing) -> None:
    """Several drawings of each name: how many are recognised, how many differ, and by how much."""
    seen = drawable(Concepts(pictures), judge.labels, options.names, options.seed)
    labels = [concept.label for concept in seen for _ in range(options.attempts)]
    drawn = draw_all(model, labels, options)
    condition = f"temperature {options.temperature:g}, guidance {options.guidance:g}"
    ranks = judge.ranks(drawn, labels)
    for k in (1, 5):
        results.add(f"attempt at a seen name, judged top-{k}", condition, top(ranks, k))
    per_name = [drawn[at : at + options.attempts] for at in range(0, len(drawn), options.attempts)]
    results.add("attempts at a name that differ, share", condition, Mean.of([distinctness(one) for one in per_name]))
    far = [100 * spread(one, rms) for one in per_name] if options.attempts > 1 else [0.0]
    results.add("difference between two attempts, RMS", condition, Mean.of(far, "% of white"))
    sheet(drawn, [concept for concept in seen for _ in range(options.attempts)], options.out / "attempts.png")


def rms(one: np.ndarray, other: np.ndarray) -> float:
    """Root of the mean squared difference of two pictures, 0 to 1."""
    return float(np.sqrt(np.mean((one / 255.0 - other / 255.0) ** 2)))


def drawable(concepts: Concepts, known: Sequence[str], count: int, seed: int) -> list[Concept]:
    """At most ``count`` concepts that are drawn in the default style and that the judge knows."""
    names = set(known)
    pool = [concept for concept in concepts if concept.default_style and concept.label in names]
    return Random(seed).sample(pool, min(count, len(pool)))


def unseen_concepts(pictures: Sequence[Picture], count: int, seed: int) -> list[Concept]:
    shown = [p for p in pictures if p.split == "test" and not p.held_out and not p.toned]
    pool = [concept for concept in concepts_of(shown) if concept.default_style]
    return Random(seed).sample(pool, min(count, len(pool)))


def draw_all(model: Any, labels: Sequence[str], options: Drawing) -> list[np.ndarray]:
    """A drawing for each name, (H, W, 3) uint8; number i with seed ``options.seed + i``."""
    drawn = []
    for number, label in enumerate(labels):
        reply = model.chat(
            drawing_prompt(label),
            want="image",
            temperature=options.temperature,
            guidance=options.guidance,
            best_of=options.best_of,
            scorer=reads_back(model, label) if options.scorer == "reading" else None,
            seed=options.seed + number,
        )
        drawn.append(next(part.array for part in reply.parts if not part.is_text))
    return drawn


def reads_back(model: Any, label: str) -> Any:
    """A judge of candidates: how likely the model finds the name when it looks at its own drawing."""

    def score(reply: Any) -> float:
        drawn = next(part for part in reply.parts if not part.is_text)
        prompt, _ = asked(named(Part(drawn.modality, data=drawn.data), label))
        return model.score(prompt, [phrase(label)])[0]

    return score


def report_seen(
    results: Results, model: Any, judge: Judge, seen: Sequence[Concept], drawn: Sequence[np.ndarray], pixels: np.ndarray
) -> list[int]:
    """The rank of every name for the judge of the model's drawing."""
    labels = [concept.label for concept in seen]
    real = real_drawings(seen, pixels)
    shows = {"model": drawn, "the real drawing": real, "the real drawing through the codec": through_codec(model, real)}
    ranks = {condition: judge.ranks(images, labels) for condition, images in shows.items()}
    for condition, own in ranks.items():
        for k in (1, 5):
            results.add(f"drawing of a seen name, judged top-{k}", condition, top(own, k))
    shifted = judge.ranks([*drawn[1:], *drawn[:1]], labels)
    results.add("drawing of a seen name, judged top-5", "the drawing of another name", top(shifted, 5))
    results.notes["names the judge chooses from"] = len(judge.labels)
    return ranks["model"]


def report_unseen(
    results: Results,
    judge: Judge,
    pictures: Sequence[Picture],
    unseen: Sequence[Concept],
    drawn: Sequence[np.ndarray],
    pixels: np.ndarray,
) -> None:
    """Is the drawing of an unseen name taken for something of the same category? (The judge lacks the name.)"""
    category = {concept.label: concept.category for concept in Concepts(pictures)}
    real = real_drawings(unseen, pixels)
    for condition, images in {"model": drawn, "the real drawing": real}.items():
        first = [best[0] for best in judge.top(images, 1)]
        hits = sum(category[said] == concept.category for said, concept in zip(first, unseen, strict=True))
        results.add("drawing of an unseen name, judged of its category", condition, Share(hits, len(unseen)))


def real_drawings(concepts: Sequence[Concept], pixels: np.ndarray) -> list[np.ndarray]:
    """The drawings in the default style, (64, 64, 3) uint8 each."""
    return [np.array(pixels[picture.medium]) for concept in concepts if (picture := concept.default_picture)]


def through_codec(model: Any, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pictures encoded and decoded by the model's writing codec: the best it could draw."""
    codec = model.codecs[model.vocabulary.writer("image").name]
    return [decoded.array for decoded in codec.decode(codec.encode([Signal(image) for image in images]))]


def sheet(
    drawn: Sequence[np.ndarray], concepts: Sequence[Concept], path: Path, passed: Sequence[bool | None] = ()
) -> None:
    contact_sheet([Part("image", data=one) for one in drawn], [one.label for one in concepts], path, passed)
