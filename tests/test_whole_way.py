"""The whole way through the command line, from a folder of pictures to a drawing, on a tiny LLM."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from toys import tiny_base
from typer.testing import CliRunner

from sensorium.cli import app

COLOURS = ("red", "green", "blue", "orange", "purple", "black")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with captioned pictures, and a tiny LLM to grow."""
    place = tmp_path_factory.mktemp("whole-way")
    (place / "pictures").mkdir()
    for number in range(24):
        colour = COLOURS[number % len(COLOURS)]
        picture = Image.new("RGB", (48, 48), "white")
        ImageDraw.Draw(picture).ellipse((number, 8, number + 20, 40), fill=colour)
        picture.save(place / "pictures" / f"{number}.png")
        (place / "pictures" / f"{number}.txt").write_text(f"a {colour} spot")
    base = tiny_base("llama-tied")
    base.lm.save_pretrained(place / "base")
    base.tokenizer.save_pretrained(place / "base")
    return place


@pytest.fixture
def run(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("SENSORIUM_CACHE", str(place / "cache"))

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result

    return run


def test_from_a_folder_of_pictures_to_a_drawing(run, place):
    run("codec", "train", "pictures", "--out", "codec", "--family", "kmeans", "--codes", "32")
    assert "| image | 24 |" in run("codec", "report", "codec", "pictures", "--out", "report").stdout
    assert (place / "report" / "contact.png").is_file()

    run("encode", "pictures/0.png", "--codec", "codec", "--out", "decoded.png")
    assert Image.open(place / "decoded.png").size == (64, 64)

    assert "48 conversations" in run("data", "import", "folder", "pictures", "chats.jsonl").stdout
    run("data", "lint", "chats.jsonl")
    run("train", "base", "chats.jsonl", "--codec", "codec", "--out", "run", "--learn", "full", "--max-steps", "3",
        "--rows", "2", "--row-tokens", "256")  # fmt: skip
    assert "64" in run("show", "chats.jsonl", "--model", "run/model").stdout

    run("data", "encode", "chats.jsonl", "shards", "--model", "run/model")
    written = {path: path.stat().st_mtime_ns for path in (place / "shards").iterdir() if path.suffix != ".json"}
    run("data", "encode", "chats.jsonl", "shards", "--model", "run/model")
    assert written
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in written.items()), "a second run wrote again"

    run("chat", "run/model", "--once", "draw a red spot")
    assert np.asarray(Image.open(place / "made-1.png")).shape == (64, 64, 3)
    run("chat", "run/model", "--once", "/image made-1.png what is this?")
    run("generate", "run/model", "a red spot", "--want", "image", "--out", "red.png", "--seed", "1")
    assert (place / "red.png").is_file()
    run("export", "run/model", "plain", "--dtype", "float16")
    assert (place / "plain" / "model.safetensors").is_file()


def test_an_fsq_codec_from_pictures_goes_on_where_it_stopped(run, place):
    first = run("codec", "train", "pictures", "--out", "fsq", "--minutes", "0.02")
    again = run("codec", "train", "pictures", "--out", "fsq", "--minutes", "0.04")
    assert "going on" not in first.output
    assert "going on" in again.output
    assert "| image | 24 |" in run("codec", "report", "fsq", "pictures", "--out", "fsq-report").stdout
