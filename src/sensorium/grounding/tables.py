"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def interval(rate: dict[str, Any] | None) -> str:
    """ "62.5 (50.1 to 73.0)", in percent."""
    return "" if rate is None else f"{percent(rate['value'])} ({percent(rate['low'])} to {percent(rate['high'])})"


Table = tuple[str, Sequence[str], list[list[str]]]
"""Title, heads of columns, rows."""


NOTHING = {"score": {"value": 0.0}}


def leaderboard(said: dict[str, Any]) -> Table:
    """Models and their controls, by the score of multiple choice."""
    rows = []
    for row in sorted(
        said["rows"], key=lambda one: -one["tasks"].get("choice", {"score": {"value": 0}})["score"]["value"]
    ):
        tasks = row["tasks"]
        choice, groups, pope = (tasks.get(task, {}) for task in ("choice", "groups", "pope"))
        circular = "ranks" if choice.get("ranked") else interval(choice.get("circular"))
        rows.append(
            [row["model"], row["condition"], interval(choice.get("score")), percent(choice.get("chance")), circular,
             interval(groups.get("whole")), interval(pope.get("accuracy")), percent(pope.get("yes_share")),
             interval(tasks.get("open", {}).get("score")), str(row["outcomes"]["refused"]),
             str(row["outcomes"]["unparsable"]), str(row["outcomes"]["failed"])]
        )  # fmt: skip
    heads = ("model", "condition", "choice", "chance", "right in every order", "groups, all 4", "yes/no on existence",
             "yes-share", "open", "refused", "unparsable", "failed")  # fmt: skip
    return "Leaderboard (percent, 95 % intervals by medium)", heads, rows


def aspects(said: dict[str, Any]) -> Table:
    names = sorted({aspect for row in said["rows"] for aspect in row["tasks"].get("choice", {}).get("aspects", ())})
    rows = []
    for row in (row for row in said["rows"] if "choice" in row["tasks"]):
        choice = row["tasks"]["choice"]
        own = (interval(choice["aspects"].get(name, {}).get("score")) for name in names)
        rows.append([row["model"], row["condition"], *own, percent(choice["macro"])])
    return "Multiple choice by aspect", ("model", "condition", *names, "mean of aspects"), rows


def pope(said: dict[str, Any]) -> Table:
    names = ("precision", "recall", "f1", "yes_share")
    rows = [
        [row["model"], row["condition"], tier, interval(one["accuracy"]), *(percent(one[name]) for name in names)]
        for row in said["rows"]
        for tier, one in row["tasks"].get("pope", {}).get("tiers", {}).items()
    ]
    heads = ("model", "condition", "negatives", "accuracy", "precision", "recall", "F1", "yes-share of answers")
    return "Yes or no on what is there (POPE)", heads, rows


def groups(said: dict[str, Any]) -> Table:
    names = ("questions", "one_medium", "one_question", "whole")
    rows = [
        [row["model"], row["condition"], *(interval(row["tasks"]["groups"][name]) for name in names)]
        for row in said["rows"]
        if "groups" in row["tasks"]
    ]
    heads = ("questions (chance 50)", "both of a medium (25)", "both of a question (25)", "all four (6.25)")
    return "Groups: two media by two questions", ("model", "condition", *heads), rows


def others(said: dict[str, Any]) -> Table:
    rows = []
    for row in said["rows"]:
        locate, caption = row["tasks"].get("locate", {}), row["tasks"].get("caption", {})
        if locate or caption:
            placed = [
                interval(locate.get("overlap")),
                interval(locate.get("hits")),
                percent(locate.get("average_precision")),
            ]
            named = [
                percent(caption.get("instances")),
                interval(caption.get("captions")),
                percent(caption.get("coverage")),
                interval(caption.get("bleu")),
                interval(caption.get("cider")),
            ]
            rows.append([row["model"], row["condition"], *placed, *named])
    heads = (
        "mean IoU of places",
        "IoU over a half",
        "mAP",
        "made up, of mentions",
        "captions with one made up",
        "covered",
        "BLEU-4",
        "CIDEr-D",
    )
    return "Places, and captions (CHAIR; BLEU and CIDEr-D times 100)", ("model", "condition", *heads), rows


def controls(said: dict[str, Any]) -> Table:
    rows = [
        [one["model"], one["task"], one["condition"], interval(one["control"]), interval(one["gain"])]
        for one in said["gains"]
    ]
    return (
        "Controls: what the medium is worth",
        ("model", "task", "control", "score there", "gain of the real medium"),
        rows,
    )


def costs(said: dict[str, Any]) -> Table:
    rows = []
    for row in said["rows"]:
        cost = row["cost"]
        energy = "" if cost["energy"] is None else f"{cost['energy']['wh']:.3g} Wh ({cost['energy']['source']})"
        numbers = [
            str(cost["requests"]),
            f"{cost['seconds']:.1f}",
            str(cost["input_tokens"]),
            str(cost["output_tokens"]),
        ]
        rows.append([row["model"], row["condition"], *numbers, energy])
    return "Cost", ("model", "condition", "requests", "seconds", "tokens read", "tokens written", "energy"), rows


TABLES = (leaderboard, aspects, groups, pope, others, controls, costs)


def markdown(said: dict[str, Any]) -> str:
    about = said["about"]
    lines = [
        "# Does it see what it says?",
        "",
        f"{about['questions']} questions about {about['media']} media (digest {about['digest']}).",
        "",
        "```bash",
        about["command"],
        "```",
        "",
        *(f"- {one}" for one in said["verdicts"]),
    ]
    for make in TABLES:
        title, heads, rows = make(said)
        if rows:
            lines += ["", f"## {title}", "", *_table(heads, rows)]
    lines += ["", "## Models against each other (McNemar's exact test, Holm over all)", ""]
    lines += [f"- {one['task']}: {one['sentence']}" for one in said["comparisons"]]
    lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in about["versions"].items()) + "."]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {' | '.join(row)} |" for row in rows)]
