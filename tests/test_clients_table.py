"""The table of foreign clients judges rightly, and its rows, files and pins belong together."""

from __future__ import annotations

import json
import re
import subprocess
import sys
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
    for path in HERE.glob("with_*.py"):
        found = re.findall(r"^@call\n(?:async )?def (\w+?)_?\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert found and set(found) <= set(rows), path.name
    for path in (*HERE.glob("with_openai.mjs"), HERE / "ai_calls.mjs"):
        found = re.findall(r"^ {2,4}(?:async )?(\w+)(?:\(\) \{|: (?:async )?\(\) =>)", path.read_text(), re.MULTILINE)
        assert len(found) > 5 and set(found) <= set(rows), path.name


@pytest.mark.slow
def test_openais_client_fares_with_nano_as_the_table_says(table, tmp_path):
    """In this environment, whose version of the client may differ; the whole table: CONTRIBUTING.md."""
    from environments import variables

    known = json.loads((HERE.parents[1] / "results" / "serve" / "clients.json").read_text(encoding="utf-8"))["openai"]
    out = tmp_path / "told.json"
    with running({"nano": "nano"}, api_keys=("secret",)) as server:
        command = [sys.executable, str(HERE / "with_openai.py"), str(out)]
        subprocess.run(command, env=variables(server.url, "secret", "nano"), check=True, timeout=240)
    found = table.judged({"openai": json.loads(out.read_text(encoding="utf-8"))})["openai"]
    assert {name: told["verdict"] for name, told in found.items()} == {
        name: told["verdict"] for name, told in known.items()
    }
