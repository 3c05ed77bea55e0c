"""``sensorium train``: grow an LLM and train it on conversations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sensorium.cli import options
from sensorium.cli.fields import with_options
from sensorium.train_config import TrainConfig
from sensorium.types import InputError

if TYPE_CHECKING:
    from sensorium.runs import Run

SETTINGS = (
    "max_steps", "warmup", "schedule", "cooldown", "optimizer", "weight_decay", "grad_clip", "ema", "accumulate",
    "validate_every", "save_every", "save_minutes", "log_every", "seed", "threads", "device", "dtype", "compile",
)  # fmt: skip


Model = Annotated[
    str | None, typer.Argument(help="The LLM to grow: a Hub id or a folder. A grown model is trained further.")
]
Data = Annotated[
    list[str] | None,
    typer.Argument(
        help="Conversations as JSONL in the OpenAI chat form; several files are mixed, FILE=SHARE in that share."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder for checkpoints, logs and the trained model (in OUT/model).")]
Config = Annotated[
    Path | None,
    typer.Option(help="A Python file whose function run() returns a sensorium.runs.Run: all that can be said."),
]
Codecs = Annotated[
    list[str] | None,
    typer.Option(
        help="A codec in the box by name, or a folder; may be repeated.",
        show_default="nano's; none for a grown model",
    ),
]
Learn = Annotated[
    Literal["rows", "adapter", "full"],
    typer.Option(help="rows: the LLM itself stays bit-identical; adapter: LoRA as well; full: everything."),
]
Weight = Annotated[
    list[str] | None,
    typer.Option(
        help="KIND=NUMBER: how much a token counts in the loss, e.g. text=4; may be repeated.",
        show_default="text as much as all codes together",
    ),
]
Keep = Annotated[
    float,
    typer.Option(
        min=0,
        max=100,
        help="With --learn adapter: how much words that follow media and are not learned count, such as a user's; "
        "they are kept as the LLM itself says them. 1 is a good start; a step then takes a seventh longer.",
    ),
]
Rows = Annotated[
    int | None, typer.Option(min=1, help="Packed rows in a step.", show_default="by the time a step takes")
]
RowTokens = Annotated[
    int | None, typer.Option(min=16, help="Tokens in a packed row.", show_default="by the longest conversation")
]


@with_options(TrainConfig, SETTINGS)
def train(
    model: Model = None,
    data: Data = None,
    out: Out = None,
    config: Config = None,
    codec: Codecs = None,
    learn: Learn = "rows",
    minutes: Annotated[float, typer.Option(min=0.01, help="Time for all of it, resumes together.")] = 30.0,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate of everything that trains.")] = None,
    validate: Annotated[
        Path | None, typer.Option(help="Conversations that are not trained on; their loss is logged.")
    ] = None,
    weight: Weight = None,
    keep: Keep = 0.0,
    rows: Rows = None,
    row_tokens: RowTokens = None,
    **settings: Any,
) -> None:
    """Grow an LLM by codecs and train it.

    The codecs' tokens are added to the LLM, which then learns from the conversations. The same command again goes on
    where the last run stopped. A model that is grown already keeps its codecs and what it knows; --codec adds others.
    """
    from sensorium import api, runs
    from sensorium.model.folder import is_model

    options.quiet()
    if config is not None:
        train_run(read_run(config))
        return
    if model is None or not data or out is None:
        raise InputError("train needs a model, conversations and --out, or a run file: --config FILE")
    wanted = runs.Data(
        sources=tuple(_source(item) for item in data),
        validate=validate,
        weights={kind: _number(text, kind) for kind, text in map(_pair, weight)} if weight else None,
        keep=keep,
        rows=rows,
        row_tokens=row_tokens,
    )
    train_run(
        runs.Run(
            model=model,
            data=wanted,
            config=TrainConfig(minutes=minutes, **options.given(lr=lr, **settings)),
            out=out,
            codecs=codec or (() if is_model(model) else api.default_codecs()),
            learn=learn,
        )
    )


def train_run(run: Run) -> None:
    """Do it, export the model, and tell."""
    from dataclasses import asdict

    from sensorium import api

    out, seed = Path(run.out), run.config.seed
    grown = api.grow(run.model, codecs=[api.codec(name) for name in run.codecs], learn=run.learn, seed=seed)
    result = api.train(grown, run.data, out=out, **asdict(run.config))
    if os.environ.get("RANK", "0") != "0":  # under torchrun, the first process speaks and writes
        return
    typer.echo(str(result))
    grown.export(out / "model")
    typer.echo(f"wrote {out / 'model'}; talk with it: sensorium chat {out / 'model'}")
    if result.stopped == "signal":
        typer.echo("sensorium: stopped before the end; the same command goes on from here", err=True)
        raise typer.Exit(130)


def read_run(path: Path) -> Run:
    """What the function ``run`` of a Python file returns.

    Raises:
        InputError: there is no such file, no such function, or it returns something else.
    """
    import runpy

    from sensorium.runs import Run

    if not os.path.isfile(path):
        raise InputError(f"the run file {path} does not exist")
    made: Mapping[str, Any] = runpy.run_path(str(path))
    run = made["run"]() if callable(made.get("run")) else None
    if not isinstance(run, Run):
        raise InputError(f"{path} needs a function run() that returns a sensorium.runs.Run; see docs/training.md")
    return run


def _source(text: str) -> Any:
    """FILE or FILE=SHARE."""
    from sensorium.runs import Source

    path, _, share = text.rpartition("=") if "=" in text and not os.path.exists(text) else (text, "", "")
    return Source(path=path, share=_number(share, path) if share else None)


def _pair(text: str) -> Sequence[str]:
    kind, found, number = text.partition("=")
    if not found:
        raise InputError(f"--weight takes KIND=NUMBER, e.g. text=4, not {text!r}")
    return kind, number


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{what}={text}: what follows = must be a number") from None
