"""Labelled boxes of pictures as facts: COCO's instances (arXiv:1405.0312) and Open Images (arXiv:1811.00982)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os.path import join
from pathlib import Path
from typing import Any

from PIL import Image

from sensorium.data.facts import Facts, Medium, Thing
from sensorium.data.scene_graphs import box_within
from sensorium.types import InputError


def coco(said: Mapping[str, Any], folder: str) -> Iterator[Facts]:
    """The facts of every picture of ``instances_*.json``.

    Annotators looked for every category, so what is not there of them is absent; a crowd is not counted.
    """
    names = {one["id"]: str(one["name"]) for one in said["categories"]}
    licences = {one["id"]: str(one.get("name", "")) for one in said.get("licenses", ())}
    boxes: dict[Any, list[Mapping[str, Any]]] = {one["id"]: [] for one in said["images"]}
    for one in said["annotations"]:
        boxes[one["image_id"]].append(one)
    for picture in said["images"]:
        size = picture["width"], picture["height"]
        things = [
            Thing(
                name=names[one["category_id"]],
                count=None if one.get("iscrowd") else 1,
                box=box_within(*one["bbox"], size),
            )
            for one in boxes[picture["id"]]
        ]
        path = join(folder, picture["file_name"])
        yield Facts(
            medium=Medium(modality="image", path=path, width_px=size[0], height_px=size[1]),
            things=tuple(things),
            complete=("things",),
            source="coco",
            licence=licences.get(picture.get("license"), ""),
        )


def open_images(
    boxes: Iterable[Mapping[str, str]],
    classes: Mapping[str, str],
    labels: Iterable[Mapping[str, str]],
    folder: str,
    root: Path,
) -> Iterator[Facts]:
    """The facts of every picture that has boxes or labels.

    A class that people verified not to be there (confidence 0) is absent; of others nothing is known. Groups are not
    counted, and what is only depicted, or seen from inside, is left out.

    Args:
        boxes: rows of ``*-annotations-bbox.csv``.
        classes: display names by label (``class-descriptions-boxable.csv``).
        labels: rows of ``*-annotations-human-imagelabels-boxable.csv``; none if there is no such file.
        folder, root: of the pictures, as the facts are to say and as it is found; sizes are read from the files.
    """
    things: dict[str, list[Mapping[str, str]]] = {}
    absent: dict[str, list[str]] = {}
    for row in boxes:
        things.setdefault(row["ImageID"], []).append(row)
    for row in labels:
        things.setdefault(row["ImageID"], [])
        if float(row["Confidence"]) == 0:
            absent.setdefault(row["ImageID"], []).append(classes[row["LabelName"]].lower())
    for name, rows in things.items():
        size = _size(root / f"{name}.jpg")
        kept = [row for row in rows if row.get("IsDepiction") != "1" and row.get("IsInside") != "1"]
        found = tuple(_thing(row, classes, size) for row in kept)
        there = {classes[row["LabelName"]].lower() for row in rows}
        yield Facts(
            medium=Medium(modality="image", path=join(folder, f"{name}.jpg"), width_px=size[0], height_px=size[1]),
            things=found,
            absent=tuple(one for one in dict.fromkeys(absent.get(name, ())) if one not in there),
            source="open-images",
            licence="CC-BY-4.0 (annotations)",
        )


def _thing(row: Mapping[str, str], classes: Mapping[str, str], size: tuple[int, int]) -> Thing:
    x0, x1 = (float(row[one]) * size[0] for one in ("XMin", "XMax"))
    y0, y1 = (float(row[one]) * size[1] for one in ("YMin", "YMax"))
    count = None if row.get("IsGroupOf") == "1" else 1
    return Thing(name=classes[row["LabelName"]].lower(), count=count, box=box_within(x0, y0, x1 - x0, y1 - y0, size))


def _size(path: Path) -> tuple[int, int]:
    if not path.is_file():
        raise InputError(f"there is no picture at {path}, whose size is needed; give the folder of the pictures")
    with Image.open(path) as picture:
        return picture.size
