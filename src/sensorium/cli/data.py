"""``sensorium data``: check, import and encode training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options

app = typer.Typer(help="Check, import and encode training data.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def lint(file: Annotated[Path, typer.Argument(help="Conversations as JSONL in the OpenAI chat form.")]) -> None:
    """Say in plain words what is wrong with a file of conversations, line by line."""
    from sensorium.data import lint as check

    report = check(file)
    for problem in report.problems:
        typer.echo(str(problem))
    typer.echo(report.summary())
    if report.problems:
        raise typer.Exit(1)


@app.command("import")
def import_(
    format: Annotated[str, typer.Argument(help='What SRC is: "llava", "sharegpt" or "folder" (files with captions).')],
    src: Annotated[Path, typer.Argument(help="File or folder to read.")],
    out: Annotated[Path, typer.Argument(help="JSONL file to write.")],
    media: Annotated[
        Path | None, typer.Option(help="Folder that paths in SRC are relative to, if not SRC's own.")
    ] = None,
    make: Annotated[
        bool, typer.Option(help="Of a folder: ask for the media too; --no-make for models that only read them.")
    ] = True,
) -> None:
    """Turn data of another form into conversations as JSONL."""
    from sensorium.data import import_file

    typer.echo(f"wrote {import_file(format, src, out, media, make)} conversations to {out}")


@app.command()
def facts(
    form: Annotated[str, typer.Argument(help="What the files are; docs/evaluation.md lists the forms.")],
    files: Annotated[list[Path], typer.Argument(help="Annotations, in the order that docs/evaluation.md lists.")],
    out: Annotated[Path, typer.Option(help="JSONL file of facts to write.")],
    media: Annotated[Path | None, typer.Option(help="Folder of the media, if not that of the first file.")] = None,
) -> None:
    """Turn annotations of another form into facts as JSONL."""
    from sensorium.data.fact_importers import import_facts

    typer.echo(f"wrote the facts of {import_facts(form, files, out, media)} media to {out}")


@app.command()
def encode(
    file: Annotated[Path, typer.Argument(help="Conversations as JSONL in the OpenAI chat form.")],
    out: Annotated[Path, typer.Argument(help="Folder for the token shards.")],
    model: Annotated[str, typer.Option(help="Whose tokens: a model in the box, a folder, or a Hub id.")] = "nano",
    base: options.Base = None,
) -> None:
    """Encode conversations once into token shards; a second run does only what is missing."""
    from sensorium.data import read_conversations, write_shards

    loaded = options.load(model, base)
    typer.echo(f"wrote {write_shards(read_conversations(file), loaded.senses, out)}")
