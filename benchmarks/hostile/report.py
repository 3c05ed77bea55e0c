"""What a storm found: which promises hold, as JSON and as Markdown."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from math import inf, isfinite, isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hostile.ending import GRACE_S
from benchmarks.hostile.process import MEBIBYTE, Sample
from benchmarks.hostile.quiet import Asked
from benchmarks.hostile.storm import Findings, Row

KINDS = ("words", "picture")
MOST_LOG_MB = 5
SPARE_MB, SPARE_SHARE = 64, 0.2
"""Memory counts as back where it was within the larger of the two: allocators keep some of what was once needed."""
SPARE_FDS = 8
SHOWN = 5


class Promise(NamedTuple):
    promise: str
    holds: bool
    measured: str


def share(values: Sequence[float], part: float) -> float:
    """The value below which that part of all lies; nan without values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else nan


class Told(NamedTuple):
    """The quiet client in a stretch of time. Seconds of what was lost are endless."""

    asked: int
    right: int
    p50_s: dict[str, float]
    p95_s: dict[str, float]


def told(asked: Iterable[Asked]) -> Told:
    asked = list(asked)
    seconds = {kind: [one.seconds if one.right else inf for one in asked if one.kind == kind] for kind in KINDS}
    return Told(
        len(asked),
        sum(one.right for one in asked),
        {kind: share(values, 0.5) for kind, values in seconds.items()},
        {kind: share(values, 0.95) for kind, values in seconds.items()},
    )


def during(findings: Findings, start_s: float, end_s: float) -> list[Asked]:
    return [one for one in findings.asked if start_s <= one.due_s < end_s]


def promises(findings: Findings, slower: float, short: bool) -> list[Promise]:
    """All that was promised."""
    rows = findings.rows
    tallies = [row.tally for row in rows]
    deaths = [f"{row.tally.name}: {row.death}" for row in rows if row.death]
    requests = sum(one.requests for one in tallies)
    unanswered = sum(one.statuses["no answer"] for one in tallies)
    right, wrong = sum(one.right for one in tallies), [what for one in tallies for what in one.wrong]
    bare = [what for one in tallies for what in one.bare]
    found = [
        Promise("the server never died", not deaths, "; ".join(deaths) or "0 deaths"),
        _none("no 5xx that is the server's fault", [what for one in tallies for what in one.unexpected]),
        _none("errors are told in OpenAI's form, with the headers of safety", bare),
        Promise("every whole request is answered in two minutes", not unanswered, f"{unanswered} without an answer"),
        _none(f"answers to attackers are right ({right} were compared)", wrong),
        *_quiet_promises(findings, slower),
        *_rest_promises(findings),
        Promise(
            f"the log stays below {MOST_LOG_MB} MiB", findings.log_bytes < MOST_LOG_MB * MEBIBYTE,
            f"{findings.log_bytes / MEBIBYTE:.2f} MiB",
        ),
    ]  # fmt: skip
    found += [promise for row in rows for promise in _row_promises(row)]
    if not short:
        found.append(Promise("at least 10,000 requests", requests >= 10_000, f"{requests}"))
    return found


def _none(promise: str, found: list[str]) -> Promise:
    return Promise(promise, not found, f"{len(found)}" + "".join(f"; {what}" for what in found[:SHOWN]))


def _quiet_promises(findings: Findings, slower: float) -> list[Promise]:
    alone = told(during(findings, *findings.alone_s))
    attacked = [one for row in _storm(findings) for one in during(findings, row.start_s, row.end_s)]
    lost = [f"{one.kind} {one.outcome}" for one in attacked if not one.right]
    together = told(attacked)
    kinds = "".join(f"; {what}" for what in sorted(set(lost))[:SHOWN])
    promise = f"the quiet client's answers all come and are right ({len(attacked)} were asked)"
    found = [Promise(promise, not lost, f"{len(lost)} did not{kinds}")]
    for kind in KINDS:
        times = together.p95_s[kind] / alone.p95_s[kind]
        said = f"{_ms(alone.p95_s[kind])} alone, {_ms(together.p95_s[kind])} under attack: {times:.1f} times"
        promise = f"the quiet client's p95 ({kind}) is at most {slower:g} times its p95 alone"
        found.append(Promise(promise, times <= slower, said))
    return found


def _storm(findings: Findings) -> list[Row]:
    """The rows in which the quiet client was there."""
    return [row for row in findings.rows if not row.tally.name.startswith("SIG")]


def _rest_promises(findings: Findings) -> list[Promise]:
    before, rested = findings.before, findings.rested
    assert before is not None and rested is not None
    found = []
    for who, was, now in (
        ("server", before.server_mb, rested.server_mb), ("workers", before.workers_mb, rested.workers_mb)
    ):  # fmt: skip
        spare = int(max(SPARE_MB, SPARE_SHARE * was))
        found.append(
            Promise(
                f"memory of the {who} is back within {spare} MiB after rest",
                now <= was + spare,
                f"{was} MiB, then {now}",
            )
        )
    was, now = before.server_fds, rested.server_fds
    found.append(Promise(f"file descriptors are back within {SPARE_FDS}", now <= was + SPARE_FDS, f"{was}, then {now}"))
    return found


def _row_promises(row: Row) -> Iterable[Promise]:
    notes = row.tally.notes
    if "seconds to its end" in notes:
        seconds, flying = notes["seconds to its end"], notes["in flight at SIGTERM"]
        measured = f"{seconds} s, {flying} requests in flight"
        yield Promise(f"after SIGTERM the server ends within {GRACE_S} s", seconds is not None, measured)
        yield _none("after SIGTERM every request in flight is answered or told", notes["lost"])
    if "workers killed" in notes:
        killed = notes["workers killed"]
        yield Promise("workers were killed, or nothing is shown by that", killed > 0, f"{killed} killed")
    if "processes left" in notes:
        left = notes["processes left"]
        yield Promise(f"after {row.tally.name} no process of the server is left", not left, f"{left} left")
    if "heads open after 60 s" in notes:
        yield Promise("heads end within 60 s", False, f"{notes['heads open after 60 s']} connections were still open")


def facts(command: str) -> dict[str, Any]:
    """What was run, of which commit, where."""
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {"command": command, "commit": asked.stdout.strip(), "cores": os.cpu_count()}


def finite(value: Any) -> Any:
    """JSON has no infinity: what never came is null."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def write_json(path: Path, told: dict[str, Any]) -> None:
    path.write_text(json.dumps(finite(told), indent=1) + "\n", encoding="utf-8")


def as_json(findings: Findings, kept: list[Promise], about: dict[str, Any]) -> dict[str, Any]:
    """All numbers."""
    alone = told(during(findings, *findings.alone_s))
    return {
        **about,
        "requests": sum(row.tally.requests for row in findings.rows),
        "promises": [one._asdict() for one in kept],
        "quiet alone": alone._asdict(),
        "before": findings.before and findings.before._asdict(),
        "after rest": findings.rested and findings.rested._asdict(),
        "generators": [_row_json(row, during(findings, row.start_s, row.end_s)) for row in findings.rows],
    }


def _row_json(row: Row, asked: list[Asked]) -> dict[str, Any]:
    """A generator; ``slowest`` tells when in it the quiet client waited longest: [seconds since its begin, waited]."""
    tally = row.tally
    slowest = sorted(asked, key=lambda one: one.seconds, reverse=True)[:20]
    return {
        "name": tally.name,
        "seconds": round(row.end_s - row.start_s, 1),
        "requests": tally.requests,
        "statuses": dict(sorted(tally.statuses.items())),
        "unexpected": tally.unexpected[:50],
        "bare": tally.bare[:50],
        "right": tally.right,
        "wrong": tally.wrong[:50],
        "notes": tally.notes,
        "death": row.death,
        "quiet": told(asked)._asdict(),
        "slowest": [[round(one.due_s - row.start_s, 2), round(one.seconds, 2), one.outcome] for one in slowest],
        "before": row.before._asdict(),
        "peak": row.peak._asdict(),
        "after": row.after._asdict(),
    }


def as_markdown(findings: Findings, kept: list[Promise], command: str) -> str:
    """Tables: promises, generators, the quiet client."""
    lines = [f"`{command}` printed:", "", "| promise | holds | measured |", "|---|---|---|"]
    lines += [f"| {one.promise} | {'yes' if one.holds else '**no**'} | {_cell(one.measured)} |" for one in kept]
    lines += ["", "| generator | s | requests | statuses | 5xx | bare errors | wrong | death |", "|" + "---|" * 8]
    for row in findings.rows:
        tally = row.tally
        statuses = ", ".join(f"{status} {count}" for status, count in sorted(tally.statuses.items()))
        lines.append(
            f"| {tally.name} | {row.end_s - row.start_s:.0f} | {tally.requests} | {statuses} | {len(tally.unexpected)} "
            f"| {len(tally.bare)} | {len(tally.wrong)} of {len(tally.wrong) + tally.right} | {_cell(row.death or '')} |"
        )
    return "\n".join([*lines, "", *_quiet_table(findings), "", *_memory_table(findings)]) + "\n"


def _quiet_table(findings: Findings) -> list[str]:
    """Of each generator, the quiet client's answers beside it."""
    alone = told(during(findings, *findings.alone_s))
    lines = [
        "| the quiet client beside | asked | right | words p50, p95 | times alone | picture p50, p95 | times alone |"
    ]
    lines += ["|" + "---|" * 7, _quiet_row("nobody", alone, alone)]
    for row in _storm(findings):
        lines.append(_quiet_row(row.tally.name, told(during(findings, row.start_s, row.end_s)), alone))
    return lines


def _quiet_row(name: str, now: Told, alone: Told) -> str:
    cells = [name, str(now.asked), str(now.right)]
    for kind in KINDS:
        times = now.p95_s[kind] / alone.p95_s[kind]
        cells += [f"{_ms(now.p50_s[kind])}, {_ms(now.p95_s[kind])}", f"{times:.1f}" if isfinite(times) else ""]
    return f"| {' | '.join(cells)} |"


def _memory_table(findings: Findings) -> list[str]:
    """MiB and file descriptors, as a generator began, at the peak, and a moment after."""
    lines = ["| MiB and file descriptors | server | its fds | workers | their fds |", "|---|---|---|---|---|"]
    rows = [(row.tally.name, row.before, row.peak, row.after) for row in findings.rows]
    if findings.before and findings.rested:
        rows.append(("all, after rest", findings.before, findings.before, findings.rested))
    for name, *three in rows:
        cells = [_three(three, field) for field in ("server_mb", "server_fds", "workers_mb", "workers_fds")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _three(samples: list[Sample], field: str) -> str:
    return ", ".join(str(getattr(sample, field)) for sample in samples)


def _ms(seconds: float) -> str:
    if isnan(seconds):
        return "not asked"
    return "never" if seconds == inf else f"{seconds * 1000:.0f} ms"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:400]
