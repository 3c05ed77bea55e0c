"""``sensorium codecs``: the codecs there are."""

from __future__ import annotations

from typing import Annotated

import typer


def codecs(
    folders: Annotated[list[str] | None, typer.Argument(help="Names or folders; those in the box if none.")] = None,
    time: Annotated[bool, typer.Option("--time", help="Measure their speed on this machine, on noise.")] = False,
) -> None:
    """Print every codec with its facts: codebooks, frames, codes and bits of a medium or of a second."""
    from sensorium import api
    from sensorium.learning.listing import table

    typer.echo(table([api.codec(name) for name in folders or api.codec_names()], timed=time))
