"""Drawings on request, judged by a classifier trained apart, with a contact sheet.

The judge's verdict on the real drawings of the same names, before and after the codec, stands beside the
model's: no drawing can be expected to pass where those fail.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from recipes.pictograms.concepts import Concept, Concepts, Picture, concepts_of
from recipes.pictograms.intervals import Share, top
from recipes.pictograms.judge import Judge
from recipes.pictograms.phrases import phrase
from recipes.pictograms.tasks import drawing_prompt, naming_prompt

from sensorium.files import atomic_file
from sensorium.types import Part, Signal

TILE_PX, CAPTION_PX, COLUMNS = 96, 26, 10


def drawing_report(
    report: Any, model: Any, judge: Judge, pictures: Sequence[Picture], pixels: np.ndarray, options: Namespace
) -> None:
    """Seen names judged by name; unseen ones, whose names the judge does not know, by category."""
    seen = drawable(Concepts(pictures), judge.labels, options.names, options.seed)
    drawn = draw_all(model, [concept.label for concept in seen], options)
    report_seen(report, model, judge, seen, drawn, pixels)
    contact_sheet(drawn, _captions(judge, seen, drawn), options.out / "drawings-seen.png")
    unseen = unseen_concepts(pictures, options.names // 2, options.seed)
    if unseen:
        drawn = draw_all(model, [concept.label for concept in unseen], options)
        report_unseen(report, judge, pictures, unseen, drawn, pixels)
        contact_sheet(drawn, [(c.label, None) for c in unseen], options.out / "drawings-unseen.png")


def drawable(concepts: Concepts, known: Sequence[str], count: int, seed: int) -> list[Concept]:
    """At most ``count`` concepts that are drawn in the default style and that the judge knows."""
    names = set(known)
    pool = [concept for concept in concepts if concept.default_style and concept.label in names]
    return Random(seed).sample(pool, min(count, len(pool)))


def unseen_concepts(pictures: Sequence[Picture], count: int, seed: int) -> list[Concept]:
    shown = [p for p in pictures if p.split == "test" and not p.held_out and not p.toned]
    pool = [concept for concept in concepts_of(shown) if concept.default_style]
    return Random(seed).sample(pool, min(count, len(pool)))


def draw_all(model: Any, labels: Sequence[str], options: Namespace) -> list[np.ndarray]:
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
        picture = next(part for part in reply.parts if not part.is_text)
        return model.score(naming_prompt(Part(picture.modality, data=picture.data)), [phrase(label)])[0]

    return score


def report_seen(
    report: Any, model: Any, judge: Judge, seen: Sequence[Concept], drawn: Sequence[np.ndarray], pixels: np.ndarray
) -> None:
    labels = [concept.label for concept in seen]
    real = real_drawings(seen, pixels)
    shows = {"model": drawn, "the real drawing": real, "the real drawing through the codec": through_codec(model, real)}
    for condition, images in shows.items():
        ranks = judge.ranks(images, labels)
        for k in (1, 5):
            report.add(f"drawing of a seen name, judged top-{k}", condition, top(ranks, k))
    shifted = judge.ranks([*drawn[1:], *drawn[:1]], labels)
    report.add("drawing of a seen name, judged top-5", "the drawing of another name", top(shifted, 5))
    report.notes["names the judge chooses from"] = len(judge.labels)


def report_unseen(
    report: Any,
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
        report.add("drawing of an unseen name, judged of its category", condition, Share(hits, len(unseen)))


def real_drawings(concepts: Sequence[Concept], pixels: np.ndarray) -> list[np.ndarray]:
    """The drawings in the default style, (64, 64, 3) uint8 each."""
    return [np.array(pixels[picture.picture]) for concept in concepts if (picture := concept.default_picture)]


def through_codec(model: Any, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pictures encoded and decoded by the model's writing codec: the best it could draw."""
    codec = model.codecs[model.vocabulary.writer("image").name]
    return [decoded.array for decoded in codec.decode(codec.encode([Signal(image) for image in images]))]


def contact_sheet(images: Sequence[np.ndarray], captions: Sequence[tuple[str, bool | None]], path: Path) -> None:
    """Tiles with their names; a green line under what the judge recognised, a red one under what it did not."""
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE_PX, rows * (TILE_PX + CAPTION_PX)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(9)
    for number, (image, (name, passed)) in enumerate(zip(images, captions, strict=True)):
        x, y = number % COLUMNS * TILE_PX, number // COLUMNS * (TILE_PX + CAPTION_PX)
        tile = Image.fromarray(np.asarray(image)).resize((TILE_PX - 8, TILE_PX - 8), Image.Resampling.NEAREST)
        sheet.paste(tile, (x + 4, y + 4))
        pen.text((x + 4, y + TILE_PX - 1), _two_lines(name), fill="black", font=font, spacing=1)
        if passed is not None:
            colour = (40, 160, 70) if passed else (210, 60, 50)
            pen.line((x + 4, y + TILE_PX - 3, x + TILE_PX - 5, y + TILE_PX - 3), fill=colour, width=2)
    with atomic_file(path) as out:
        sheet.save(out, format="PNG")


def _captions(judge: Judge, seen: Sequence[Concept], drawn: Sequence[np.ndarray]) -> list[tuple[str, bool | None]]:
    ranks = judge.ranks(drawn, [concept.label for concept in seen])
    return [(concept.label, rank < 5) for concept, rank in zip(seen, ranks, strict=True)]


def _two_lines(name: str, width: int = 19) -> str:
    words, lines = name.split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) >= width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(line[:width] for line in lines[:2])
