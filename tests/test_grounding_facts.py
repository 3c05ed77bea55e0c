"""Annotations of other forms as facts: small files in their exact forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.data.fact_importers import gathered, import_facts
from sensorium.data.facts import Facts, Medium, Relation, read_facts, write_facts
from sensorium.types import InputError


def imported(tmp_path: Path, form: str, *files: object, **more) -> list[Facts]:
    paths = []
    for number, said in enumerate(files):
        paths.append(tmp_path / f"{number}.{'csv' if isinstance(said, str) else 'json'}")
        paths[-1].write_text(said if isinstance(said, str) else json.dumps(said))
    assert import_facts(form, paths, tmp_path / "facts.jsonl", **more) == len(
        list(read_facts(tmp_path / "facts.jsonl"))
    )
    return list(read_facts(tmp_path / "facts.jsonl"))


GRAPH = [
    {
        "image_id": 7,
        "objects": [
            {
                "object_id": 11,
                "names": ["Car", "automobile"],
                "synsets": ["car.n.01"],
                "attributes": ["Red", "parked", "shiny"],
                "x": 10,
                "y": 20,
                "w": 50,
                "h": 900,
            },
            {"object_id": 12, "names": ["tree"], "synsets": ["tree.n.01"], "x": 60, "y": 0, "w": 20, "h": 30},
        ],
        "relationships": [
            {"relationship_id": 1, "predicate": "to the left of", "subject_id": 11, "object_id": 12, "synsets": []},
            {"relationship_id": 2, "predicate": "under", "subject_id": 11, "object_id": 12, "synsets": []},
            {"relationship_id": 3, "predicate": "on", "subject_id": 12, "object_id": 12, "synsets": []},
        ],
    }
]
SIZES = [
    {"image_id": 7, "width": 80, "height": 60, "url": "https://x.org/VG_100K_2/7.jpg", "coco_id": None, "flickr_id": 1}
]


def test_visual_genome(tmp_path):
    (found,) = imported(tmp_path, "visual-genome", GRAPH, SIZES)
    car, _ = found.things
    assert (found.medium.path, found.medium.width_px) == ("VG_100K_2/7.jpg", 80)
    assert (car.name, car.synonyms) == ("car", ("automobile",))
    assert car.attributes == {"colour": ("red",), "state": ("parked",), "other": ("shiny",)}
    assert car.box == (10, 20, 60, 60), "cut at the edge"
    assert [(one.subject, one.predicate, one.objects) for one in found.relations] == [
        (0, "left of", (1,)),
        (0, "under", (1,)),
    ]
    assert found.complete == () and found.count({"name": "car"}) is None


def test_relations_that_exclude_each_other_are_dropped_not_believed(tmp_path):
    graph = json.loads(json.dumps(GRAPH))
    graph[0]["relationships"][1]["predicate"] = "to the right of"
    (found,) = imported(tmp_path, "visual-genome", graph, SIZES)
    assert found.relations == ()


def test_gqa(tmp_path):
    said = {
        "2407890": {
            "width": 640,
            "height": 480,
            "location": "living room",
            "weather": "none",
            "objects": {
                "271881": {
                    "name": "chair",
                    "h": 34,
                    "w": 51,
                    "x": 40,
                    "y": 78,
                    "attributes": ["wooden", "small"],
                    "relations": [{"object": "32452", "name": "to the right of"}],
                },
                "32452": {"name": "table", "h": 10, "w": 10, "x": 0, "y": 0, "attributes": [], "relations": []},
            },
        }
    }
    (found,) = imported(tmp_path, "gqa", said, media=tmp_path / "images")
    assert found.medium.path == "images/2407890.jpg"
    assert found.things[0].attributes == {"material": ("wooden",), "size": ("small",)}
    assert found.holds(1, "left of", (0,)) is True
    assert found.setting["location"] == ("living room",)


def test_coco(tmp_path):
    said = {
        "licenses": [{"id": 4, "name": "Attribution License", "url": "x"}],
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 50, "license": 4},
            {"id": 2, "file_name": "b.jpg", "width": 9, "height": 9},
        ],
        "annotations": [
            {
                "id": 5,
                "image_id": 1,
                "category_id": 18,
                "bbox": [1.5, 2, 10, 20],
                "area": 200,
                "iscrowd": 0,
                "segmentation": [],
            },
            {
                "id": 6,
                "image_id": 1,
                "category_id": 1,
                "bbox": [0, 0, 5, 5],
                "area": 25,
                "iscrowd": 1,
                "segmentation": {},
            },
        ],
        "categories": [
            {"id": 18, "name": "dog", "supercategory": "animal"},
            {"id": 1, "name": "person", "supercategory": "person"},
        ],
    }
    one, other = imported(tmp_path, "coco", said)
    assert one.things[0].box == (1.5, 2, 11.5, 22)
    assert (one.count({"name": "dog"}), one.count({"name": "person"}), one.licence) == (1, None, "Attribution License")
    assert other.things == () and other.count({"name": "dog"}) == 0


BOXES = """ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
abc,xclick,/m/0k4j,1,0.1,0.5,0.2,0.9,0,0,0,0,0
abc,xclick,/m/07j7r,1,0,1,0,1,0,0,1,0,0
abc,xclick,/m/0k4j,1,0,0.1,0,0.1,0,0,0,1,0
"""
CLASSES = "/m/0k4j,Car\n/m/07j7r,Tree\n/m/0bt9lr,Dog\n"
LABELS = """ImageID,Source,LabelName,Confidence
abc,verification,/m/0bt9lr,0
abc,verification,/m/0k4j,1
"""


def test_open_images(tmp_path):
    Image.new("RGB", (200, 100)).save(tmp_path / "abc.jpg")
    (found,) = imported(tmp_path, "open-images", BOXES, CLASSES, LABELS)
    assert [(one.name, one.count) for one in found.things] == [("car", 1), ("tree", None)]
    assert found.things[0].box == pytest.approx((20, 20, 100, 90))
    assert found.absent == ("dog",)


def test_a_folder_of_captioned_media_of_any_kind(tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    Image.new("RGB", (8, 8)).save(media / "a.png")
    (media / "a.txt").write_text("woman running")
    (media / "b.csv").write_text("t,x\n0,1\n1,2\n")
    (media / "b.txt").write_text("rising")
    assert import_facts("folder", [media], tmp_path / "facts.jsonl") == 2
    found = {one.medium.modality: one for one in read_facts(tmp_path / "facts.jsonl")}
    assert found["image"].things[0].name == "woman running"
    assert (found["image"].medium.path, found["series"].things[0].name) == ("media/a.png", "rising")
    assert len(gathered([tmp_path / "facts.jsonl"])) == 2


# --- bad input


def test_files_of_another_form_are_told(tmp_path):
    with pytest.raises(InputError, match=r"0\.json is not in the form of coco, or wrong .*categories"):
        imported(tmp_path, "coco", {"images": []})
    with pytest.raises(InputError, match="visual-genome takes 2 files"):
        imported(tmp_path, "visual-genome", GRAPH)
    with pytest.raises(InputError, match="no facts are made of the form 'x'; there are: visual-genome"):
        imported(tmp_path, "x", [])
    with pytest.raises(InputError, match=r"there is no picture at .*abc\.jpg"):
        imported(tmp_path, "open-images", BOXES, CLASSES)


def test_missing_media_and_contradictions_are_told(tmp_path):
    known = Medium(modality="image", path="gone.png", width_px=8, height_px=8)
    write_facts([Facts(medium=known)], tmp_path / "facts.jsonl")
    with pytest.raises(InputError, match=r"1 of 1 media .* missing, e.g. .*gone\.png"):
        gathered([tmp_path / "facts.jsonl"])
    line = {
        "version": 1,
        "medium": {"modality": "image", "path": "a.png"},
        "things": [{"name": "cat"}],
        "absent": ["cat"],
    }
    (tmp_path / "facts.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"line 1 .*thing 0 \(cat\) is there and is said to be absent"):
        gathered([tmp_path / "facts.jsonl"])


def test_the_command(tmp_path):
    (tmp_path / "g.json").write_text(json.dumps(GRAPH))
    (tmp_path / "s.json").write_text(json.dumps(SIZES))
    said = CliRunner().invoke(
        app,
        [
            "data",
            "facts",
            "visual-genome",
            str(tmp_path / "g.json"),
            str(tmp_path / "s.json"),
            "--out",
            str(tmp_path / "f.jsonl"),
        ],
    )
    assert said.exit_code == 0 and "wrote the facts of 1 media" in said.output
    assert Relation(subject=0, predicate="under", objects=(1,)) in next(read_facts(tmp_path / "f.jsonl")).relations
