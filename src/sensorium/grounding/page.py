"""A report as one HTML page that stands alone: no scripts, no files beside it, nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from sensorium.grounding import tables

COLOURS = ("#1d4ed8", "#c2410c", "#15803d", "#a21caf", "#0e7490", "#b45309", "#4b5563", "#be123c")
STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}h2{margin-top:2.4rem}
table{border-collapse:collapse;font-size:13px;margin:.6rem 0}
th,td{border-bottom:1px solid #8884;padding:.25rem .55rem;text-align:left;vertical-align:top}
td{font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
pre{background:#8881;padding:.7rem;overflow-x:auto;white-space:pre-wrap}
.misses{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:.8rem}
.miss{border:1px solid #8884;border-radius:8px;padding:.6rem;font-size:13px}
.miss img{display:block;width:128px;height:128px;object-fit:contain;background:#8881}
.wrong{color:#b91c1c}.right{color:#15803d}.quiet{opacity:.7}
.heat td,.heat th{padding:.15rem .4rem;text-align:center}
svg text{fill:currentColor;font-size:11px}
@media (prefers-color-scheme:dark){.wrong{color:#f87171}.right{color:#4ade80}}
"""
HOW = """
<p class="quiet">Every score has its 95 % interval (Wilson's; the bootstrap over media where questions share one).
In each group of questions every answer that is offered is right equally often, so words alone give nothing away: what
is at chance has not been shown to see. “No medium” and “another's medium” are the same questions asked blindfolded and
about something else; a model that does as well there has not looked. Refused and unreadable answers count as wrong
and are listed; failed requests are in no score.</p>
"""


def page(said: dict[str, Any]) -> str:
    about = said["about"]
    models = [row["model"] for row in said["rows"] if row["condition"] == "model"]
    body = [
        "<h1>Does it see what it says?</h1>",
        f"<p>{about['questions']} questions about {about['media']} media; {_counts(about['tasks'])}.</p>",
        "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in said["verdicts"]) + "</ul>",
        HOW,
        *_table(*tables.leaderboard(said)),
        "<h2>Multiple choice by aspect</h2>",
        _legend(models),
        _bars(said, models),
        *(line for make in tables.TABLES[1:-1] for line in _table(*make(said))),
        "<h2>Models against each other</h2><p class='quiet'>McNemar's exact test on the same questions, Holm's "
        "correction over all comparisons.</p><ul>",
        *(f"<li>{escape(one['task'])}: {escape(one['sentence'])}</li>" for one in said["comparisons"]),
        "</ul>",
        *_confusions(said),
        *_misses(said),
        *_table(*tables.costs(said)),
        "<h2>How it was made</h2>",
        f"<pre>{escape(about['command'])}</pre>",
        f"<p class='quiet'>Questions {escape(about['digest'])}; {escape(_versions(about['versions']))}.</p>",
    ]
    size = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"{size}<title>Grounding</title><style>{STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _counts(tasks: dict[str, int]) -> str:
    return ", ".join(f"{count} {escape(task)}" for task, count in tasks.items())


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    lines = ("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in rows)
    return [f"<h2>{escape(title)}</h2><div class='wide'><table><tr>{head}</tr>", *lines, "</table></div>"]


def _legend(models: Sequence[str]) -> str:
    marks = (
        f"<span style='color:{COLOURS[n % len(COLOURS)]}'>■</span> {escape(model)}" for n, model in enumerate(models)
    )
    return f"<p>{' &nbsp; '.join(marks)} &nbsp; <span class='quiet'>┆ chance</span></p>"


LEFT, WIDE, BAR = 110, 640, 13
"""Of the bars, in units of the drawing: room for names, 100 %, height of one."""


def _bars(said: dict[str, Any], models: Sequence[str]) -> str:
    """One block of bars for each aspect: a bar for each model, its interval, and the line of chance."""
    shown = [row for row in said["rows"] if row["condition"] == "model"]
    rows = {row["model"]: row["tasks"].get("choice", {}).get("aspects", {}) for row in shown}
    lines: list[str] = []
    y = 6
    for aspect in sorted({aspect for found in rows.values() for aspect in found}):
        own = [(n, model, rows[model][aspect]) for n, model in enumerate(models) if aspect in rows.get(model, {})]
        lines += [
            _bar(n, f"{model}, {aspect}", one["score"], y + BAR * place) for place, (n, model, one) in enumerate(own)
        ]
        x, bottom = LEFT + WIDE * own[0][2]["chance"], y + BAR * len(own)
        lines.append(f"<text x='{LEFT - 8}' y='{(y + bottom) / 2 + 4}' text-anchor='end'>{escape(aspect)}</text>")
        lines.append(f"<path d='M{x:.1f} {y - 2}V{bottom}' stroke='currentColor' stroke-dasharray='3 2'/>")
        y = bottom + 9
    box = f"viewBox='0 0 {LEFT + WIDE + 70} {y}' width='100%'"
    return f"<svg {box} role='img' aria-label='scores by aspect'>{''.join(lines)}</svg>"


def _bar(number: int, name: str, score: dict[str, Any], y: int) -> str:
    low, value, high = (LEFT + WIDE * score[one] for one in ("low", "value", "high"))
    told = escape(f"{name}: {tables.interval(score)} %, n = {score['count']}")
    place = f"x='{LEFT}' y='{y}' width='{value - LEFT:.1f}' height='{BAR - 3}'"
    return (
        f"<rect {place} fill='{COLOURS[number % len(COLOURS)]}' opacity='.75'><title>{told}</title></rect>"
        f"<path d='M{low:.1f} {y + BAR / 2 - 1.5:.1f}H{high:.1f}' stroke='currentColor' stroke-width='1.5'/>"
        f"<text x='{max(high, value) + 5:.1f}' y='{y + BAR / 2 + 2.5:.1f}'>{tables.percent(score['value'])}</text>"
    )


def _confusions(said: dict[str, Any]) -> list[str]:
    found = ["<h2>What is taken for what (multiple choice)</h2>"]
    for row in said["rows"]:
        if row["condition"] != "model" or "choice" not in row["tasks"]:
            continue
        found.append(f"<details><summary>{escape(row['model'])}</summary>")
        for aspect, one in row["tasks"]["choice"]["confusions"].items():
            found.append(_heat(aspect, one))
        found.append("</details>")
    return found


def _heat(aspect: str, one: dict[str, Any]) -> str:
    head = "".join(f"<th>{escape(said)}</th>" for said in one["said"])
    lines = []
    for truth, counts in zip(one["truth"], one["counts"], strict=True):
        most = max(sum(counts), 1)
        shades = [f"{'#15803d' if said == truth else '#b91c1c'}{round(200 * count / most):02x}"
                  for said, count in zip(one["said"], counts, strict=True)]  # fmt: skip
        cells = "".join(f"<td style='background:{s}'>{n or ''}</td>" for s, n in zip(shades, counts, strict=True))
        lines.append(f"<tr><th>{escape(truth)}</th>{cells}</tr>")
    return (
        f"<p><b>{escape(aspect)}</b> <span class='quiet'>rows: right; columns: said</span></p>"
        f"<div class='wide'><table class='heat'><tr><th></th>{head}</tr>{''.join(lines)}</table></div>"
    )


def _misses(said: dict[str, Any]) -> list[str]:
    found = ["<h2>Examples of misses</h2>"]
    for one in said["misses"]:
        if one["examples"]:
            cards = "".join(_miss(example) for example in one["examples"])
            found.append(f"<h3>{escape(one['model'])}</h3><div class='misses'>{cards}</div>")
    return found


def _miss(one: dict[str, Any]) -> str:
    options = f"<div class='quiet'>{escape(' / '.join(one['options']))}</div>" if one["options"] else ""
    kind = " · ".join(filter(None, (one["task"], one["aspect"], one["tier"])))
    return (
        f"<div class='miss'><img src='{one['preview']}' alt='what was shown'><div class='quiet'>{escape(kind)}</div>"
        f"<div>{escape(one['text'])}</div>{options}<div class='wrong'>said: {escape(one['said'][:160])}</div>"
        f"<div class='right'>right: {escape(one['truth'])}</div></div>"
    )
