"""Boxes and points on a picture: arrays (N, 4) float32 of x0, y0, x1, y1, a label for each, and the picture's size.

A file is JSON, points are boxes without size:

    {"frame": [640, 480], "boxes": [{"label": "cat", "box": [12, 30, 200, 310]}, {"label": "nose", "point": [90, 80]}]}

COCO files of one picture are opened too; `coco.signals` gives those of all pictures. The frame is (width, height) of
the picture that the numbers refer to. Legend: N boxes, M others.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw

from sensorium.modalities import coco, lists
from sensorium.modalities.base import COLOURS, Modality, Wish
from sensorium.modalities.words import BOXES
from sensorium.types import InputError, Signal

COLUMNS = ("x0", "y0", "x1", "y1")
PLACES = ((0, 1), (2, 3))


class Boxes(Modality):
    """Boxes with labels; see the module's text."""

    name = "boxes"
    locates = True
    extensions = (".json", ".boxes")
    media_types = ("application/json",)
    writes: ClassVar[Mapping[str, str]] = dict.fromkeys(extensions, "application/json")
    viewer = "boxes.js"
    words = BOXES

    def read(self, data: bytes, where: str, wish: Wish = Wish()) -> Signal:
        return _from_json(lists.parsed(data, where), where)

    def check(self, signal: Signal) -> Signal:
        """Arrays may be (N, 4), or (N, 2) for points."""
        return _checked(signal, "the boxes")

    def adopt(self, thing: Any) -> Signal:
        """What a file holds, as a dict, or the list of boxes alone."""
        return _from_json(thing, "the boxes") if isinstance(thing, (dict, list)) else super().adopt(thing)

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        return lists.fitted(signal, wish, PLACES, "the boxes")

    def mend(self, signal: Signal) -> Signal:
        """Corners in order, within the frame."""
        low, high = (
            np.minimum(signal.array[:, :2], signal.array[:, 2:]),
            np.maximum(signal.array[:, :2], signal.array[:, 2:]),
        )
        return lists.mended(signal.with_array(np.concatenate([low, high], 1)), PLACES)

    def write(self, signal: Signal, media_type: str) -> bytes:
        rows = [[lists.plain(value) for value in row] for row in signal.array.tolist()]
        said = [{"point": row[:2]} if row[:2] == row[2:] else {"box": row} for row in rows]
        named = (
            [{"label": label, **one} for label, one in zip(signal.labels, said, strict=True)] if signal.labels else said
        )
        frame = {} if signal.frame is None else {"frame": [lists.plain(side) for side in signal.frame]}
        return json.dumps(frame | {"boxes": named}, ensure_ascii=False).encode()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """The boxes with their labels on an empty page of the picture's shape."""
        width, height = signal.frame or np.maximum(signal.array[:, 2:].max(0), 1)
        scale = size_px / max(width, height)
        page = Image.new("RGB", (max(1, round(width * scale)), max(1, round(height * scale))), "white")
        draw, kinds = ImageDraw.Draw(page), sorted(set(signal.labels))
        for row, corners in enumerate((signal.array * scale).tolist()):
            label = signal.labels[row] if signal.labels else ""
            colour = COLOURS[kinds.index(label) % len(COLOURS)] if label else COLOURS[0]
            if corners[:2] == corners[2:]:
                draw.circle(corners[:2], 2, fill=colour)
            else:
                draw.rectangle(corners, outline=colour)
            draw.text((corners[0] + 2, corners[1] + 1), label, fill=colour)
        return np.asarray(page)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Intersection over union of the best pairs of one label, and labels that both have; lone boxes count as 0."""
        if original.frame and other.frame:
            original = lists.in_frame(original, other.frame, PLACES, "the boxes")
        most = max(len(original.array), len(other.array))
        both = Counter(original.labels) & Counter(other.labels)
        shared = both.total() if original.labels or other.labels else min(len(original.array), len(other.array))
        return {"mean_iou": _matched(original, other) / most, "labels": shared / most}


def _from_json(said: Any, where: str) -> Signal:
    if isinstance(said, dict) and "annotations" in said:
        found = coco.signals(said, where)
        if len(found) != 1:
            raise InputError(f"{where} holds boxes of {len(found)} pictures; give those of one, see modalities.coco")
        return _checked(next(iter(found.values())), where)
    entries = said.get("boxes") if isinstance(said, dict) else said
    if entries == []:
        raise InputError(f"{where} holds no boxes; give one at least, or leave it out")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{where} must hold a list of boxes, each {{'label': ..., 'box': [x0, y0, x1, y1]}}")
    rows = [_row(entry, f"box {at + 1} of {where}") for at, entry in enumerate(entries)]
    labels = tuple(str(entry["label"]) for entry in entries if "label" in entry)
    frame = lists.frame_of(said.get("frame"), where) if isinstance(said, dict) else None
    return _checked(Signal(np.array(rows), frame=frame, labels=labels), where)


def _row(entry: Mapping[str, Any], where: str) -> list[float]:
    return (
        lists.numbers(entry["point"], 2, where) * 2 if "point" in entry else lists.numbers(entry.get("box"), 4, where)
    )


def _checked(signal: Signal, where: str) -> Signal:
    array = np.asarray(signal.array)
    if array.ndim == 2 and array.shape[1] == 2:
        signal = signal.with_array(np.concatenate([array, array], 1))
    found = lists.checked(signal, COLUMNS, PLACES, where)
    swapped = (found.array[:, :2] > found.array[:, 2:]).any(1)
    if swapped.any():
        raise InputError(f"{where} has the corners of row {int(np.argmax(swapped)) + 1} swapped; the first is top left")
    return found


def _matched(a: Signal, b: Signal) -> float:
    """Sum of intersections over union of pairs of one label, the best pairs first."""
    size_NM = lambda low, high: np.prod(np.maximum(high - low, 0), axis=-1)  # noqa: E731
    one, two = a.array.astype(float)[:, None], b.array.astype(float)[None]
    both = size_NM(np.maximum(one[..., :2], two[..., :2]), np.minimum(one[..., 2:], two[..., 2:]))
    union = size_NM(one[..., :2], one[..., 2:]) + size_NM(two[..., :2], two[..., 2:]) - both
    iou_NM = np.divide(both, union, out=(one == two).all(-1).astype(float), where=union > 0)
    if a.labels or b.labels:
        iou_NM *= np.array(
            [[la == lb for lb in b.labels or [""] * len(b.array)] for la in a.labels or [""] * len(a.array)]
        )
    total = 0.0
    while iou_NM.size and iou_NM.max() > 0:
        row, column = np.unravel_index(int(iou_NM.argmax()), iou_NM.shape)
        total += float(iou_NM[row, column])
        iou_NM = np.delete(np.delete(iou_NM, row, 0), column, 1)
    return total


boxes = Boxes()
