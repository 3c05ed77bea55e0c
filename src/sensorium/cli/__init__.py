"""The ``sensorium`` command: one file per command, no logic. Heavy modules are imported when a command runs."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from sensorium.cli import (
    chat,
    codec,
    codecs,
    data,
    doctor,
    encode,
    eval,
    export,
    generate,
    senses,
    serve,
    show,
    speak,
    train,
    transcribe,
)
from sensorium.types import InputError


class Commands(TyperGroup):
    """Tells bad input in one sentence on stderr and exits with 2, instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            typer.echo(f"sensorium: {error}", err=True)
            raise typer.Exit(2) from error
        except OSError as error:
            if error.filename is None:  # not about a file
                raise
            typer.echo(f"sensorium: {error.filename}: {error.strerror}; check the path and its rights", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            typer.echo("\nsensorium: stopped", err=True)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=Commands,
    name="sensorium",
    help="Your LLM, plus any modality, still a plain LLM.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        import sensorium

        typer.echo(sensorium.__version__)
        raise typer.Exit


app.command("chat")(chat.chat)
app.command("generate")(generate.generate)
app.command("transcribe")(transcribe.transcribe)
app.command("speak")(speak.speak)
app.command("train")(train.train)
app.command("export")(export.export)
app.command("encode")(encode.encode)
app.command("serve")(serve.serve)
app.command("codecs")(codecs.codecs)
app.command("senses")(senses.senses)
app.command("show")(show.show)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(codec.app, name="codec")
app.add_typer(eval.app, name="eval")


def main() -> None:
    app()
