"""Annotations of other forms as facts (see `sensorium.data.facts`), and the check that the media are there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from sensorium.checked import told
from sensorium.data.facts import Facts, Medium, Thing, read_facts, write_facts
from sensorium.data.importers import read_folder
from sensorium.data.labelled_boxes import coco, open_images
from sensorium.data.scene_graphs import gqa, visual_genome
from sensorium.types import InputError

FORMS: Mapping[str, tuple[str, ...]] = {
    "visual-genome": ("scene_graphs.json", "image_data.json"),
    "gqa": ("sceneGraphs.json",),
    "coco": ("instances.json",),
    "open-images": ("annotations-bbox.csv", "class-descriptions.csv"),
    "folder": ("a folder of media with captions, of one thing each",),
}
"""Forms that are understood, and the files that each takes; Open Images may have its verified labels as a third."""


def import_facts(form: str, files: Sequence[Path], out: str | PathLike[str], media: Path | None = None) -> int:
    """Write annotations of another form as a file of facts, and return of how many media.

    Args:
        form: one of `FORMS`.
        files: as `FORMS` lists them.
        media: folder of the media; by default that of the first file.

    Raises:
        InputError: unknown form, files missing or too few, or of another form.
    """
    if form not in FORMS:
        raise InputError(f"no facts are made of the form {form!r}; there are: {', '.join(FORMS)}")
    if len(files) < len(FORMS[form]):
        raise InputError(f"{form} takes {len(FORMS[form])} files ({', '.join(FORMS[form])}), not {len(files)}")
    for path in files:
        if not path.exists():
            raise InputError(f"there is no file at {path}")
    root = media or (files[0] if files[0].is_dir() else files[0].parent)
    folder = os.path.relpath(root, Path(out).parent)
    with told(f"{files[0]} is not in the form of {form}, or wrong", "; export it again", again=False):
        found = list(READERS[form](files, "" if folder == "." else folder, root))
    write_facts(found, out)
    return len(found)


Reader = Callable[[Sequence[Path], str, Path], Iterator[Facts]]


def _open_images(files: Sequence[Path], folder: str, root: Path) -> Iterator[Facts]:
    with files[1].open(encoding="utf-8", newline="") as file:
        classes = {label: name for label, name in csv.reader(file) if label != "LabelName"}
    labels = _rows(files[2]) if len(files) > 2 else []
    return open_images(_rows(files[0]), classes, labels, folder, root)


def _folder(files: Sequence[Path], folder: str, root: Path) -> Iterator[Facts]:
    """One thing for each medium, named by its caption; nothing else is there."""
    for talk in read_folder(files[0], make=False):
        (medium,) = [part for part in talk.parts() if not part.is_text]
        path = os.path.join(folder, os.path.relpath(medium.data, files[0]))
        known = Medium(modality=medium.modality, path=path)
        yield Facts(medium=known, things=(Thing(name=talk.messages[-1].text),), complete=("things",))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


READERS: Mapping[str, Reader] = {
    "visual-genome": lambda files, folder, root: visual_genome(_json(files[0]), _json(files[1]), folder),
    "gqa": lambda files, folder, root: gqa(_json(files[0]), folder),
    "coco": lambda files, folder, root: coco(_json(files[0]), folder),
    "open-images": _open_images,
    "folder": _folder,
}


def gathered(files: Iterable[str | PathLike[str]]) -> list[tuple[Facts, Path]]:
    """The facts of several files, each with the path of its medium.

    Raises:
        InputError: a file cannot be read, or media are missing; the first of them is named.
    """
    found = [(facts, Path(path).parent / facts.medium.path) for path in files for facts in read_facts(path)]
    missing = [path for _, path in found if not path.exists()]
    if missing:
        raise InputError(f"{len(missing)} of {len(found)} media that there are facts of are missing, e.g. {missing[0]}")
    if not found:
        raise InputError("there are no facts in the files given")
    return found
