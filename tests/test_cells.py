"""``sensorium senses``: what reads and what writes each modality, and which tests show it."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import ToyCodec
from typer.testing import CliRunner

from sensorium import plugins
from sensorium.cli import app
from sensorium.learning.cells import of_codecs, of_installation, shown_by
from sensorium.types import InputError

TESTS = Path(__file__).parent


def cells(text: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {row[0]: row[1:] for row in rows}


def test_a_model_reads_and_writes_by_its_codecs():
    found = cells(
        of_codecs([ToyCodec("eye", "read"), ToyCodec("hand", "write", (8,)), ToyCodec("s", modality="series")])
    )
    assert found["toy"] == ["eye (toy)", "hand (toy)"]
    assert found["series"] == ["s (toy)", "s (toy)"]
    assert found["text"] == ["tokens", "tokens"]
    assert found["boxes"] == ["-", "-"]


def test_what_is_installed_has_boxed_codecs_and_families(monkeypatch):
    class Humming(ToyCodec):
        family, suits, uses = "humming", ("toy",), ("read",)

    monkeypatch.setitem(plugins._registered, (plugins.CODECS, "humming"), Humming)
    found = cells(of_installation([ToyCodec("eye", "read")]))
    assert found["toy"] == ["**eye**, humming", "-"]
    assert "uniform" in found["boxes"][0] and "frames" in found["video"][0] and "frames" not in found["video"][1]


def test_what_a_family_suits_is_a_modality_that_there_is():
    known = set(plugins.names(plugins.MODALITIES))
    for name in plugins.names(plugins.CODECS):
        kind = plugins.load(plugins.CODECS, name)
        assert set(kind.suits) <= known and set(kind.uses) <= {"read", "write"}


def test_tests_tell_by_marks_what_they_show(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import pytest\n@pytest.mark.cell('toy in', 'toy out')\ndef test_one(): ...\n\ndef test_other(): ...\n"
    )
    assert shown_by(tmp_path) == {"toy in": ["test_a.py::test_one"], "toy out": ["test_a.py::test_one"]}
    found = cells(of_codecs([ToyCodec()], shown_by(tmp_path)))
    assert found["modality"] == ["in", "out", "in, shown by", "out, shown by"]
    assert found["toy"][2:] == ["test_a.py::test_one"] * 2 and found["boxes"][2:] == ["-", "-"]
    with pytest.raises(InputError, match="folder of tests"):
        shown_by(tmp_path / "nowhere")


def test_every_cell_of_the_package_is_shown_by_a_test():
    shown = shown_by(TESTS)
    families = [plugins.load(plugins.CODECS, name) for name in plugins.names(plugins.CODECS)]
    ways = {"read": "in", "write": "out"}
    wanted = {f"{modality} {ways[use]}" for kind in families for modality in kind.suits for use in kind.uses}
    assert wanted | {"text in", "text out"} == set(shown)


def test_the_command_tells_of_a_model_and_of_all():
    every = CliRunner().invoke(app, ["senses", "--tests", str(TESTS)])
    assert every.exit_code == 0 and "**image-read**" in every.stdout
    assert "test_spoken_taught.py" in cells(every.stdout)["audio"][2]
    nano = CliRunner().invoke(app, ["senses", "nano"])
    assert cells(nano.stdout)["image"] == ["image-read (semantic)", "image (fsq)"]
