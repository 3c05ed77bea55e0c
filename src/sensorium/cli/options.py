"""Options that several commands share, and loading a model without noise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sensorium.generate import Assistant

Base = Annotated[
    Path | None, typer.Option(help="Folder of the base LLM of a model that keeps only rows, if it lies elsewhere.")
]
Seed = Annotated[int | None, typer.Option(help="Same seed, same answer.")]
Temperature = Annotated[
    float | None, typer.Option(help="0 takes the likeliest token; 1 samples as the model believes.", show_default=False)
]
TopK = Annotated[int | None, typer.Option(help="Sample among the K likeliest tokens only.")]
TopP = Annotated[float | None, typer.Option(help="Sample among the likeliest tokens that make up this share.")]
Guidance = Annotated[float | None, typer.Option(help="Above 1, what is written keeps closer to the request.")]
Contrast = Annotated[
    float | None, typer.Option(help="Above 0, what is said of media keeps closer to them (contrastive decoding).")
]
BestOf = Annotated[int, typer.Option(min=1, help="Write this many answers and keep the best.")]

Think = Annotated[
    bool, typer.Option("--think", help="Let a model that was taught to think before it answers about media.")
]


def given(**options: Any) -> dict[str, Any]:
    """Only the options that were given, so that the library's own defaults hold for the rest."""
    return {name: value for name, value in options.items() if value is not None}


def quiet() -> None:
    """Keep transformers from telling what it loads and saves."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()


def load(model: str, base: Path | None) -> Assistant:
    """The model, with a spinner on stderr while it loads."""
    from rich.console import Console

    with Console(stderr=True).status(f"loading {model}"):
        quiet()
        import sensorium

        return sensorium.load(model, base)
