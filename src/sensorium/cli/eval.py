"""``sensorium eval``: what models see of what they say, and whether they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Ask models what they see, and compare them.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def questions(
    facts: Annotated[list[Path], typer.Argument(help="Files of facts (JSONL, docs/facts.md).")],
    out: Annotated[Path, typer.Option(help="JSONL file of questions; its data card is written beside it.")],
    count: Annotated[int, typer.Option(min=1, help="About how many questions.")] = 1000,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same questions.")] = 0,
) -> None:
    """Write questions from facts of media, balanced so that nobody can tell the answers from the words."""
    from sensorium.grounding.writing import write

    typer.echo(write(facts, out, count, task, seed), nl=False)


@app.command()
def compare(
    logs: Annotated[
        list[Path], typer.Argument(help="Logs of inspect_ai (.eval, .json) or samples of lmms-eval (.jsonl).")
    ],
    measure: Annotated[str | None, typer.Option(help="Scorer or measure, where logs have several.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for all of it.")] = None,
) -> None:
    """Compare models on the questions that both were asked.

    Intervals by medium, exact McNemar tests, Holm's correction over all comparisons."""
    import json

    from sensorium.evaluate import compare as compared
    from sensorium.evaluate import read_log, table
    from sensorium.files import atomic_file

    runs = [read_log(path, measure) for path in logs]
    comparisons = compared(runs)
    typer.echo(table(runs, comparisons), nl=False)
    if out is not None:
        said = {
            "runs": [{"task": run.task, "model": run.name, "score": run.rate.to_json()} for run in runs],
            "comparisons": [one.to_json() for one in comparisons],
        }
        with atomic_file(out) as path:
            path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
