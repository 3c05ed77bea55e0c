"""``sensorium chat``: talk with a model in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options


def chat(
    model: Annotated[str, typer.Argument(help="A model in the box, a folder, or a Hub id.")] = "nano",
    once: Annotated[
        str | None, typer.Option(help='Answer this one line and stop, e.g. "hello" or "/make KIND a red heart".')
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for what the model makes.")] = Path(),
    base: options.Base = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    guidance: options.Guidance = None,
    contrast: options.Contrast = None,
    best_of: options.BestOf = 1,
    think: options.Think = False,
) -> None:
    """Talk with a model: show it media, let it make some. /help lists what can be typed."""
    from sensorium.cli.terminal import Terminal

    sampling = options.given(
        seed=seed, temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance, contrast=contrast,
        best_of=best_of, think=think or None,
    )  # fmt: skip
    terminal = Terminal(options.load(model, base), name=model, out=out, sampling=sampling)
    if once is not None:
        terminal.answer(once)
    else:
        terminal.run()
