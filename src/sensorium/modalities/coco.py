"""Boxes in the form of COCO (Lin et al. 2014, https://cocodataset.org/#format-data), JSON of many pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sensorium.modalities import lists
from sensorium.types import InputError, Signal


def signals(coco: Mapping[str, Any], where: str = "the COCO file") -> dict[str, Signal]:
    """The boxes of every picture that has some, by its file name.

    Raises:
        InputError: it is not in COCO's form.
    """
    try:
        names = {one["id"]: str(one["name"]) for one in coco["categories"]}
        pictures = {one["id"]: one for one in coco["images"]}
        rows: dict[Any, list[tuple[str, list[float]]]] = {}
        for one in coco["annotations"]:
            x, y, width, height = lists.numbers(one["bbox"], 4, where)
            rows.setdefault(one["image_id"], []).append((names[one["category_id"]], [x, y, x + width, y + height]))
        return {str(pictures[key].get("file_name", key)): _signal(pictures[key], boxes) for key, boxes in rows.items()}
    except (KeyError, TypeError) as error:
        raise InputError(f"{where} is not in the form of COCO: {error} is missing or wrong; export it again") from error


def _signal(picture: Mapping[str, Any], boxes: list[tuple[str, list[float]]]) -> Signal:
    frame = (float(picture["width"]), float(picture["height"]))
    return Signal(np.array([row for _, row in boxes]), frame=frame, labels=tuple(label for label, _ in boxes))
