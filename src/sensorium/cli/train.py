"""``sensorium train``: grow an LLM and train it on conversations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from sensorium.cli import options

IN_THE_BOX = ("image", "image-read")  # one writes, the other reads


def train(
    model: Annotated[
        str, typer.Argument(help="The LLM to grow: a Hub id or a folder. A grown model is trained further.")
    ],
    data: Annotated[Path, typer.Argument(help="Conversations as JSONL in the OpenAI chat form.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the trained model (in OUT/model).")],
    codec: Annotated[
        list[str] | None,
        typer.Option(
            help="A codec in the box by name, or a folder; may be repeated.",
            show_default="image and image-read; none for a grown model",
        ),
    ] = None,
    learn: Annotated[
        Literal["rows", "adapter", "full"],
        typer.Option(help="rows: the LLM itself stays bit-identical; adapter: LoRA as well; full: everything."),
    ] = "rows",
    minutes: Annotated[float, typer.Option(min=0.01, help="Time for all of it, resumes together.")] = 30.0,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many steps, if that comes first.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate of everything that trains.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Packed rows in a step.")] = 8,
    row_tokens: Annotated[int, typer.Option(min=16, help="Tokens in a packed row.")] = 512,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random in the run.")] = 0,
) -> None:
    """Grow an LLM by codecs and train it.

    The codecs' tokens are added to the LLM, which then learns from the conversations. The same command again goes on
    where the last run stopped. A model that is grown already keeps its codecs and what it knows; --codec adds others.
    """
    from sensorium import api
    from sensorium.model.model import is_model

    options.quiet()
    added = codec or ([] if is_model(model) else IN_THE_BOX)
    grown = api.grow(model, codecs=[api.codec(name) for name in added], learn=learn, seed=seed)
    settings = options.given(max_steps=max_steps, lr=lr, threads=threads, seed=seed)
    result = api.train(grown, data, minutes=minutes, out=out, rows=rows, row_tokens=row_tokens, **settings)
    if os.environ.get("RANK", "0") != "0":  # under torchrun, the first process speaks and writes
        return
    typer.echo(str(result))
    grown.export(out / "model")
    typer.echo(f"wrote {out / 'model'}; talk with it: sensorium chat {out / 'model'}")
    if result.stopped == "signal":
        typer.echo("sensorium: stopped before the end; the same command goes on from here", err=True)
        raise typer.Exit(130)
