"""``sensorium codecs``: the codecs there are."""

from __future__ import annotations

from typing import Annotated

import typer


def codecs(
    folders: Annotated[
        list[str] | None, typer.Argument(help="Names, MODEL/NAME, or folders; all that are in the box if none.")
    ] = None,
    time: Annotated[
        bool,
        typer.Option(
            "--time",
            help="Measure their speed on this machine, on noise: media a second, or for media in time seconds of them "
            "in one (x).",
        ),
    ] = False,
) -> None:
    """Print every codec with its facts: codebooks, frames, codes and bits.

    Codes and bits are those of a second where the codec has a rate, else those of a frame and the most that a medium
    takes."""
    from sensorium import api
    from sensorium.learning.listing import table

    typer.echo(table({name: api.codec(name) for name in folders or api.boxed_codecs()}, timed=time))
