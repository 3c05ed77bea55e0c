"""Drawings on request, judged by a classifier trained apart, with a contact sheet.

The judge's verdict on the real drawings of the same names, before and after the codec, stands beside the
model's: no drawing can be expected to pass where those fail. Several attempts at a name must differ and be good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from recipes.pictograms.concepts import Concept, Gallery
from recipes.pictograms.phrases import phrase
from recipes.pictograms.tasks import drawing_prompt, named

from sensorium.evaluate import Judge, Results, Share, attempted, judged
from sensorium.evaluate.scorers import asked
from sensorium.modalities.sheet import contact_sheet
from sensorium.types import Part, Signal


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is drawn, and how; see `recipes.pictograms.evaluate.evaluate`."""

    names: int
    guidance: float | None
    temperature: float | None
    best_of: int
    attempts: int
    scorer: str
    seed: int
    out: Path

    @property
    def sampling(self) -> dict[str, float]:
        """What is not left to the model."""
        said = {"temperature": self.temperature, "guidance": self.guidance}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def condition(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.sampling.items()) or "as the model has it"


def drawing_report(results: Results, model: Any, judge: Judge, gallery: Gallery, options: Drawing) -> None:
    """Seen names judged by name; unseen ones, whose names the judge does not know, by category."""
    seen = gallery.drawable(options.names, options.seed, set(judge.labels))
    drawn = draw_all(model, seen, options)
    ranks = report_seen(results, model, judge, gallery, seen, drawn)
    sheet(drawn, seen, options.out / "drawings-seen.png", [rank < 5 for rank in ranks])
    if unseen := gallery.drawable(options.names // 2, options.seed):
        drawn = draw_all(model, unseen, options)
        report_unseen(results, judge, gallery, unseen, drawn)
        sheet(drawn, unseen, options.out / "drawings-unseen.png")


def attempts_report(results: Results, model: Any, judge: Judge, gallery: Gallery, options: Drawing) -> None:
    """Several drawings of each name: how many are recognised, how many differ, and by how much."""
    seen, count = gallery.drawable(options.names, options.seed, set(judge.labels)), options.attempts
    each = [concept for concept in seen for _ in range(count)]
    alike = options.temperature is not None  # of one temperature: each attempt is a drawing by itself
    made = in_groups(draw_all(model, each, options), count) if alike else several(model, seen, options)
    attempted(results, judge, made, [concept.label for concept in seen], options.condition, rms, "% of white")
    sheet([one for group in made for one in group], each, options.out / "attempts.png")


def several(model: Any, concepts: Sequence[Concept], options: Drawing) -> list[list[np.ndarray]]:
    """Attempts at each as the model makes them; concept number i with seed ``options.seed + i * 1000``."""
    made = []
    for number, label in enumerate(concept.label for concept in concepts):
        seed = options.seed + number * 1000
        replies = model.candidates(
            drawing_prompt(label), "image", count=options.attempts, seed=seed, **options.sampling
        )
        made.append([drawing_of(reply) for reply in replies])
    return made


def in_groups(drawn: list[np.ndarray], count: int) -> list[list[np.ndarray]]:
    return [drawn[at : at + count] for at in range(0, len(drawn), count)]


def drawing_of(reply: Any) -> np.ndarray:
    return next(part.array for part in reply.parts if not part.is_text)


def rms(one: np.ndarray, other: np.ndarray) -> float:
    """Root of the mean squared difference of two pictures, 100 between black and white."""
    return float(100 * np.sqrt(np.mean((one / 255.0 - other / 255.0) ** 2)))


def draw_all(model: Any, concepts: Sequence[Concept], options: Drawing) -> list[np.ndarray]:
    """A drawing of each, (H, W, 3) uint8; number i with seed ``options.seed + i``."""
    drawn = []
    for number, label in enumerate(concept.label for concept in concepts):
        reply = model.chat(
            drawing_prompt(label),
            want="image",
            **options.sampling,
            best_of=options.best_of,
            scorer=reads_back(model, label) if options.scorer == "reading" else None,
            seed=options.seed + number,
        )
        drawn.append(drawing_of(reply))
    return drawn


def reads_back(model: Any, label: str) -> Any:
    """A judge of candidates: how likely the model finds the name when it looks at its own drawing."""

    def score(reply: Any) -> float:
        drawn = next(part for part in reply.parts if not part.is_text)
        prompt, _ = asked(named(Part(drawn.modality, data=drawn.data), label))
        return model.score(prompt, [phrase(label)])[0]

    return score


def report_seen(
    results: Results, model: Any, judge: Judge, gallery: Gallery, seen: Sequence[Concept], drawn: list[np.ndarray]
) -> list[int]:
    """The rank of every name for the judge of the model's drawing."""
    real = real_drawings(gallery, seen)
    shown = {"model": drawn, "the real drawing": real, "the real drawing through the codec": through_codec(model, real)}
    shown["the drawing of another name"] = [*drawn[1:], *drawn[:1]]
    results.notes["names the judge chooses from"] = len(judge.labels)
    return judged(results, "drawing of a seen name", judge, shown, [concept.label for concept in seen])["model"]


def report_unseen(
    results: Results, judge: Judge, gallery: Gallery, unseen: Sequence[Concept], drawn: list[np.ndarray]
) -> None:
    """Is the drawing of an unseen name taken for something of the same category? (The judge lacks the name.)"""
    known = gallery.concepts.by_label
    for condition, images in {"model": drawn, "the real drawing": real_drawings(gallery, unseen)}.items():
        said = [known[best].category for (best,) in judge.top(images, 1)]
        hits = sum(category == concept.category for category, concept in zip(said, unseen, strict=True))
        results.add("drawing of an unseen name, judged of its category", condition, Share(hits, len(unseen)))


def real_drawings(gallery: Gallery, concepts: Sequence[Concept]) -> list[np.ndarray]:
    """The drawings in the default style, (64, 64, 3) uint8 each."""
    return list(gallery.shown(picture for concept in concepts if (picture := concept.default_picture)))


def through_codec(model: Any, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pictures encoded and decoded by the model's writing codec: the best it could draw."""
    codec = model.codecs[model.vocabulary.writer("image").name]
    return [decoded.array for decoded in codec.decode(codec.encode([Signal(image) for image in images]))]


def sheet(
    drawn: Sequence[np.ndarray], concepts: Sequence[Concept], path: Path, passed: Sequence[bool | None] = ()
) -> None:
    contact_sheet([Part("image", data=one) for one in drawn], [one.label for one in concepts], path, passed)
