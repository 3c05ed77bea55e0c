"""``sensorium speak``: words said aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options


def speak(
    words: Annotated[str, typer.Argument(help="What is to be said, of any length.")],
    out: Annotated[Path, typer.Option(help="File to write, e.g. hello.wav.")],
    model: Annotated[
        str | None, typer.Option(help="A model in the box, a folder, or a Hub id; one in the box that speaks if none.")
    ] = None,
    base: options.Base = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    guidance: options.Guidance = None,
) -> None:
    """Say words aloud, into a file of the kind that its suffix says."""
    from sensorium import api
    from sensorium.generate.spoken import speak

    sampling = options.given(seed=seed, temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance)
    loaded = options.load(model or api.model_of("audio", "write"), base)
    speak(loaded, words, **sampling).save(out)
    typer.echo(f"saved {out}", err=True)
