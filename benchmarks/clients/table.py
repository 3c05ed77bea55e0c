"""What came of the calls, judged by what is wanted, as a table."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from environments import HERE, Client

WORKS, REFUSED, CANNOT = "works", "refused", "client cannot"
IGNORED, WRONG, BADLY_REFUSED = "ignored in silence", "wrong", "refused, not as wanted"
FAILURES = (IGNORED, WRONG, BADLY_REFUSED)
NANO = "nano"
DRAWINGS = ("drawing", "drawing_stream", "responses_drawing")
SOUNDS = (
    "speech", "speech_stream", "transcription", "transcription_times", "transcription_stream", "translation", "hearing",
    "saying", "saying_stream", "words_or_sound",
)  # fmt: skip
SIGNS = {WORKS: "✓", REFUSED: "refused", CANNOT: "cannot", IGNORED: "**✗ ignored**", WRONG: "**✗ wrong**",
         BADLY_REFUSED: "**✗ refused**"}  # fmt: skip
LEGEND = """\
- ✓: what the client gives to its user was checked and is right.
- refused: an error of the client's own kind, whose sentence names what is not offered; that is how it should be.
- cannot: the client has no way to do it, or a defect of its own, whatever the server does; the reasons are below.
- **✗ refused**: refused where it should work, or with an error that does not say what is wrong.
- **✗ wrong**: no error of the server's, and not what was asked for.
- **✗ ignored**: accepted, and without effect.
- An empty cell: the client does not offer this call.
"""


def all_calls() -> dict[str, dict[str, Any]]:
    """The rows of ``calls.toml`` by name."""
    return tomllib.loads((HERE / "calls.toml").read_text(encoding="utf-8"))


def asked_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Calls by the model that they are asked of."""
    rows, found = all_calls(), {}
    for name in names:
        found.setdefault(rows[name].get("model", NANO), []).append(name)
    return found


def verdict(told: dict[str, Any], row: dict[str, Any]) -> str:
    """What a client told of a call (see ``calls.py``), judged by the call's row."""
    wanted, outcome = row.get("wanted", "works"), told["outcome"]
    if outcome == "cannot":
        return CANNOT
    if outcome == "done":
        return IGNORED if wanted == "refused" else WORKS
    if outcome == "wrong":
        return IGNORED if wanted != "works" and "ignored" in told["says"] else WRONG
    as_wanted = told["status"] in row.get("status", [400]) and any(
        name.lower() in told["says"].lower() for name in row.get("names", ())
    )
    return REFUSED if wanted != "works" and as_wanted else BADLY_REFUSED


def judged(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The results by client and call, each call with its ``verdict``."""
    rows = all_calls()
    return {
        client: {name: told | {"verdict": verdict(told, rows[name])} for name, told in calls.items() if name in rows}
        for client, calls in results.items()
    }


def counts(calls: dict[str, Any]) -> Counter[str]:
    return Counter(told["verdict"] for told in calls.values())


def markdown(results: dict[str, dict[str, Any]], clients: dict[str, Client], head: str) -> str:
    """The table, and below it every failure, refusal and inability in words.

    Args:
        results: as `judged` gives them.
        clients: in the order of the columns.
        head: a line above: what was run against what.
    """
    rows = all_calls()
    shown = [client for name, client in clients.items() if name in results]
    lines = ["# Foreign clients", "", head, "", LEGEND]
    lines += [f"| | {' | '.join(f'{one.title} {one.version}' for one in shown)} |", "|---" * (len(shown) + 1) + "|"]
    for name, row in rows.items():
        cells = [_sign(results[one.name].get(name)) for one in shown]
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    for kinds, title in (((WORKS,), "works"), ((REFUSED,), "refused"), ((CANNOT,), "cannot"), (FAILURES, "fails")):
        sums = [str(sum(counts(results[one.name])[kind] for kind in kinds)) for one in shown]
        lines.append(f"| **{title}** | {' | '.join(sums)} |")
    lines += ["", "## Where a drawing is seen", "", *_seen(results, shown, DRAWINGS)]
    lines += ["", "## What was said and heard", "", *_seen(results, shown, SOUNDS)]
    for title, kinds in (
        ("Fails", FAILURES),
        ("Is refused, as it should be", (REFUSED,)),
        ("What a client cannot", (CANNOT,)),
    ):
        lines += ["", f"## {title}", "", *_details(results, shown, kinds)]
    return "\n".join(lines) + "\n"


def _seen(results: dict[str, dict[str, Any]], shown: list[Client], calls: tuple[str, ...]) -> list[str]:
    return [
        f"- {client.title}, `{name}`: {told['says']}"
        for client in shown
        for name in calls
        if (told := results[client.name].get(name)) and told["verdict"] == WORKS
    ] or ["Nowhere."]


def _sign(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    sign = SIGNS[told["verdict"]]
    return f"{sign} {told['status']}" if told["outcome"] == "refused" else sign


def _details(results: dict[str, dict[str, Any]], shown: list[Client], kinds: tuple[str, ...]) -> list[str]:
    """A line for each client and thing said, with all calls to which it was said."""
    calls_by_words: dict[tuple[str, str], list[str]] = {}
    for client in shown:
        for name, told in results[client.name].items():
            if told["verdict"] in kinds:
                calls_by_words.setdefault((client.title, _in_words(told)), []).append(f"`{name}`")
    return [f"- {title}, {', '.join(names)}: {words}" for (title, words), names in calls_by_words.items()] or [
        "Nothing."
    ]


def _in_words(told: dict[str, Any]) -> str:
    if told["verdict"] == IGNORED:
        return "accepted, and without effect"
    error = f"`{told['error']}` " if "error" in told else ""
    status = f"{told['status']}, code {told['code']}: " if told["outcome"] == "refused" else ""
    return f"{error}{status}{told['says'][:300]}"
