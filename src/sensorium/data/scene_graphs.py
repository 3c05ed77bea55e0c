"""Scene graphs of pictures as facts: Visual Genome (arXiv:1602.07332) and GQA (arXiv:1902.09506), in their own JSON.

Both are made by people who said what they saw, so nothing is complete: of what they do not say nothing follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os.path import join
from typing import Any

from sensorium.data.facts import OPPOSITE, Box, Facts, Medium, Relation, Stated, Thing

SAID = {
    "colour": "red orange yellow green blue purple violet pink brown black white gray grey beige tan gold silver",
    "material": "wooden wood metal metallic plastic glass brick stone concrete leather paper cloth ceramic rubber "
    "striped dotted checkered checked plaid floral",
    "size": "small large big little tiny huge giant",
    "shape": "round square rectangular triangular oval circular curved straight flat",
    "state": "open closed empty full on off lit wet dry clean dirty broken folded sitting standing lying walking "
    "running sleeping parked flying",
}
ASPECTS: Mapping[str, frozenset[str]] = {aspect: frozenset(words.split()) for aspect, words in SAID.items()}
"""Aspects of the values that these sources give without one."""
SAME = {"to the left of": "left of", "to the right of": "right of", "on the left of": "left of", "in": "inside"}
LICENCES = {"visual-genome": "CC-BY-4.0", "gqa": "CC-BY-4.0"}


def visual_genome(graphs: Any, sizes: Any, folder: str) -> Iterator[Facts]:
    """The facts of every picture of ``scene_graphs.json``.

    Args:
        graphs: the list in that file.
        sizes: the list in ``image_data.json``, which has sizes and addresses.
        folder: of the pictures, as the addresses name them (``VG_100K/1.jpg``).
    """
    known = {one["image_id"]: one for one in sizes}
    for graph in graphs:
        said = known[graph["image_id"]]
        places = {one["object_id"]: number for number, one in enumerate(graph["objects"])}
        things = [
            _thing(one, one.get("names") or [one["name"]], (said["width"], said["height"])) for one in graph["objects"]
        ]
        stated = (
            (places.get(one["subject_id"]), one["predicate"], places.get(one["object_id"]))
            for one in graph.get("relationships", ())
        )
        path = join(folder, *str(said["url"]).split("/")[-2:])
        yield _facts("visual-genome", path, said, things, stated)


def gqa(graphs: Mapping[str, Any], folder: str) -> Iterator[Facts]:
    """The facts of every picture of GQA's ``train_sceneGraphs.json`` or ``val_sceneGraphs.json``."""
    for name, graph in graphs.items():
        objects = list(graph["objects"].values())
        places = {key: number for number, key in enumerate(graph["objects"])}
        things = [_thing(one, [one["name"]], (graph["width"], graph["height"])) for one in objects]
        stated = (
            (number, relation["name"], places.get(str(relation["object"])))
            for number, one in enumerate(objects)
            for relation in one.get("relations", ())
        )
        setting = {aspect: (graph[aspect],) for aspect in ("location", "weather") if graph.get(aspect)}
        yield _facts("gqa", join(folder, f"{name}.jpg"), graph, things, stated, setting)


def _thing(said: Mapping[str, Any], names: list[str], size: tuple[int, int]) -> Thing:
    values: dict[str, list[str]] = {}
    for value in dict.fromkeys(one.strip().lower() for one in said.get("attributes") or ()):
        aspect = next((aspect for aspect, known in ASPECTS.items() if value in known), "other")
        values.setdefault(aspect, []).append(value)
    name, *more = dict.fromkeys(one.strip().lower() for one in names)
    return Thing(
        name=name,
        synonyms=tuple(more),
        attributes={aspect: tuple(own) for aspect, own in values.items()},
        box=box_within(said["x"], said["y"], said["w"], said["h"], size),
    )


def box_within(x: float, y: float, width: float, height: float, size: tuple[float, float]) -> Box:
    """Corners of a box in px, inside the picture: annotators draw beyond its edges."""
    x0, x1 = (min(max(float(one), 0.0), float(size[0])) for one in (x, x + width))
    y0, y1 = (min(max(float(one), 0.0), float(size[1])) for one in (y, y + height))
    return x0, y0, x1, y1


def _facts(
    source: str,
    path: str,
    size: Mapping[str, Any],
    things: list[Thing],
    stated: Iterable[tuple[int | None, str, int | None]],
    setting: Mapping[str, tuple[str, ...]] | None = None,
) -> Facts:
    medium = Medium(modality="image", path=path, width_px=size["width"], height_px=size["height"])
    return Facts(
        medium=medium,
        things=tuple(things),
        relations=tuple(_agreeing(stated)),
        setting=setting or {},
        source=source,
        licence=LICENCES[source],
    )


def _agreeing(stated: Iterable[tuple[int | None, str, int | None]]) -> Iterator[Relation]:
    """Relations without those to itself or to nothing, and without any two of which one excludes the other."""
    said: dict[Stated, None] = {}
    for subject, predicate, other in stated:
        words = " ".join(predicate.lower().split())
        if subject is not None and other is not None and subject != other and words:
            said[subject, SAME.get(words, words), (other,)] = None
    for subject, predicate, others in said:
        turned = OPPOSITE.get(predicate)
        against = turned and ((subject, turned, others) in said or (others[0], predicate, (subject,)) in said)
        if not against:
            yield Relation(subject=subject, predicate=predicate, objects=others)
