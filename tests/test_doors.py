"""A medium of every modality of the package goes through every door, and docs/doors.md says so."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from serving import Greys, as_uri, running, tiny_assistant
from test_docs import tool
from typer.testing import CliRunner

import sensorium as sm
from sensorium.cli import app, options
from sensorium.cli.terminal import Terminal
from sensorium.data import read_conversations, write_conversations
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.uniform import UniformCodec
from sensorium.modalities import modality, modality_of
from sensorium.modalities.contract import check_modality
from sensorium.types import Conversation, as_message

DOORS = tool("doors_docs")
NAMES = sorted(DOORS.SAMPLES)


def codec(name: str) -> Any:
    """A small codec for the sample of a modality."""
    if name == "image":
        return Greys()
    signal = modality(name).open(DOORS.SAMPLES[name])
    if name == "video":
        small = {"encoder_widths": (8,), "encoder_blocks": (1,), "decoder_widths": (8,), "decoder_blocks": (1,)}
        shape = {"size_px": 8, "grid": 2, "levels": (4, 4), "hop": 2, "most_steps": 3, "rate_hz": signal.rate_hz}
        return FSQCodec(FSQConfig(name=name, modality=name, **shape, **small))
    ranges = {
        "audio": [(-1, 1)],
        "boxes": [(0, 64), (0, 48)] * 2,
        "actions": [(0, 4), (0, 64), (0, 48), (0, 1)],
        "series": [],
    }[name]
    named = {"categories": sorted(set(signal.labels)), "frame": signal.frame, "rate_hz": signal.rate_hz}
    return UniformCodec(signal.array.shape[1], bins=8, ranges=ranges, max_frames=6, name=name, modality=name, **named)


@pytest.fixture(scope="module")
def server():
    with running({name: tiny_assistant(codecs=[codec(name)]) for name in NAMES}) as found:
        yield found


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def file(name, tmp_path):
    """The sample as a file of the preferred kind."""
    path = tmp_path / f"medium{next(iter(modality(name).suffixes))}"
    modality(name).save(modality(name).open(DOORS.SAMPLES[name]), path)
    return path


def test_the_page_of_doors_is_that_of_the_modalities():
    assert DOORS.PAGE.read_text(encoding="utf-8") == DOORS.page(), "run `python tools/doors_docs.py`"
    assert sorted(kind.name for kind in DOORS.own_modalities()) == NAMES


def test_the_contract(name, file):
    other = codec(name)
    check_modality(modality(name), [file, other.decode([np.zeros(other.layout.min_codes, np.int64)])[0]])


def test_python_and_files_of_conversations(name, file, tmp_path):
    part = getattr(sm, name.capitalize())(file)
    model = tiny_assistant(codecs=[codec(name)])
    reply = model.chat([part, "?"], want=name, seed=1)
    talk = Conversation((as_message("user", [part, "?"]), sm.Message("assistant", reply.parts)))
    write_conversations([talk], tmp_path / "talks.jsonl")
    (read,) = read_conversations(tmp_path / "talks.jsonl")
    np.testing.assert_array_equal(read.messages[1].parts[0].codes, reply.parts[0].codes)
    assert modality_of(file).name == name
    again = model.senses.encode(read)
    np.testing.assert_array_equal(again.messages[1].parts[0].codes, reply.parts[0].codes)


def test_the_api_reads_and_writes_it_and_takes_back_what_it_wrote(name, file, server):
    uri = as_uri(file.read_bytes(), modality(name).media_types[0])
    asked = [{"type": f"{name}_url", f"{name}_url": {"url": uri}}, {"type": "text", "text": "?"}]
    own_form = next(iter(modality(name).suffixes)).removeprefix(".")
    body = {"model": name, "messages": [{"role": "user", "content": asked}], "modalities": [name], "seed": 2}
    message = server.post("/v1/chat/completions", body | {name: {"format": own_form}}).json()["choices"][0]["message"]
    (part,) = message["parts"]
    assert part["type"] == f"{name}_url"
    assert part["codec"] == name
    assert message[name]["data"]
    back = [*body["messages"], message, {"role": "user", "content": "and?"}]
    told = server.post("/v1/tokenize", {"model": name, "messages": back}).json()
    assert [span["codes"] for span in told["spans"]][1] == part["codes"]
    assert told["spans"][1]["reconstruction"][f"{name}_url"] == part[f"{name}_url"]


def test_the_terminal_shows_it_and_makes_one(name, file, tmp_path, monkeypatch):
    model = tiny_assistant(codecs=[codec(name)])
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    terminal = Terminal(model, name="tiny", out=tmp_path / "out", sampling={}, console=console)
    (tmp_path / "out").mkdir()
    terminal.answer(f"/{name} {file} ?")
    terminal.answer(f"/make {name} something")
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert "\N{UPPER HALF BLOCK}" in console.file.getvalue()
    monkeypatch.setattr(options, "load", lambda *_: model)
    words = ["generate", "tiny", "?", "--media", str(file), "--want", name, "--out", str(tmp_path / file.name)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


def test_the_page_gets_its_viewer_and_words(name, server):
    cards = {card["id"]: card for card in server.get("/v1/modalities").json()["data"]}
    viewer = server.get(f"/{cards[name]['viewer']}")
    assert viewer.status_code == 200
    assert "export default" in viewer.text
    assert {"en", "fr"} <= cards[name]["words"].keys()
