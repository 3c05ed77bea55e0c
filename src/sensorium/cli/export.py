"""``sensorium export``: a model as a plain Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sensorium.cli import options


def export(
    model: Annotated[str, typer.Argument(help="A model in the box, a folder, or a Hub id.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    dtype: Annotated[
        Literal["as-is", "float32", "float16", "bfloat16"], typer.Option(help="Type of the stored weights.")
    ] = "as-is",
    base: options.Base = None,
) -> None:
    """Write a model as a plain Hugging Face folder.

    Plain transformers loads it without Sensorium; the codecs lie beside the weights."""
    import torch

    loaded = options.load(model, base)
    folder = loaded.save(out, dtype=None if dtype == "as-is" else getattr(torch, dtype))
    typer.echo(f"wrote {folder}")
