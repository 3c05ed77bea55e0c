"""``sensorium senses``: what goes in and what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options


def senses(
    model: Annotated[
        str | None, typer.Argument(help="A model in the box, a folder, or a Hub id; all that is installed if none.")
    ] = None,
    tests: Annotated[
        Path | None, typer.Option(help="Folder of tests: also tell which show a cell end to end, on real input.")
    ] = None,
    base: options.Base = None,
) -> None:
    """Print for each modality what reads it and what writes it.

    Of a model, its codecs. Else the codecs in the box, bold, and the families of which others can be made."""
    from sensorium import api
    from sensorium.learning import cells

    shown = None if tests is None else cells.shown_by(tests)
    if model is None:
        typer.echo(cells.of_installation([api.codec(name) for name in api.codec_names()], shown))
    else:
        typer.echo(cells.of_codecs(options.load(model, base).codecs.values(), shown))
