"""How well boxes lie where things are: intersection over union, and COCO's mean average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sensorium.data.facts import Box
from sensorium.evaluate.clustered import Rate, rate
from sensorium.evaluate.marks import Mark, rate_of
from sensorium.types import InputError

HIT = 0.5


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1; of two empty ones 0."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


@dataclass(frozen=True)
class Located:
    """Args:
    overlap: mean intersection over union.
    hits: share of boxes that overlap by half at least.
    average_precision: COCO's, over IoU 0.5 to 0.95; None where faster-coco-eval is not installed.
    """

    overlap: Rate
    hits: Rate
    average_precision: float | None

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> Located:
        hits = rate([float(mark.score >= HIT) for mark in marks], [mark.medium for mark in marks])
        try:
            precision = mean_average_precision(marks)
        except InputError:
            precision = None
        return cls(rate_of(marks), hits, precision)

    def to_json(self) -> dict[str, Any]:
        return {
            "overlap": self.overlap.to_json(),
            "hits": self.hits.to_json(),
            "average_precision": None if self.average_precision is None else round(self.average_precision, 4),
        }


def mean_average_precision(marks: Sequence[Mark], at: float | None = None) -> float:
    """COCO's mAP of the places in marks of the task "locate"; every question is a scene of its own.

    Args:
        at: the IoU from which a place is right, 0.5 or 0.75; None for the mean over 0.5 to 0.95.

    Raises:
        InputError: faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise InputError("mAP needs faster-coco-eval; install it with `pip install 'sensorium[eval]'`") from error
    labels = {name: number for number, name in enumerate(sorted({mark.more["label"] for mark in marks}), 1)}
    true = [
        _row(scene, labels[mark.more["label"]], box) for scene, mark in enumerate(marks, 1) for box in mark.more["true"]
    ]
    said = [
        _row(scene, labels[mark.more["label"]], box) | {"score": 1.0}
        for scene, mark in enumerate(marks, 1)
        for box in mark.more["places"]
    ]
    if not said:
        return 0.0
    scenes = [{"id": scene} for scene in range(1, len(marks) + 1)]
    known = {MEDIA: scenes, "categories": [{"id": number, "name": name} for name, number in labels.items()]}
    truth = COCO(known | {"annotations": [row | {"id": number} for number, row in enumerate(true, 1)]})
    found = COCOeval_faster(truth, truth.loadRes(said), iouType="bbox", print_function=lambda *words: None)
    found.evaluate()
    found.accumulate()
    found.summarize()
    return float(found.stats[{None: 0, 0.5: 1, 0.75: 2}[at]])


MEDIA, MEDIUM = "images", "image_id"
"""As COCO calls them."""


def _row(scene: int, label: int, box: Sequence[float]) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    place = {"bbox": [x0, y0, width, height], "area": width * height}
    return {MEDIUM: scene, "category_id": label, "iscrowd": 0, **place}
