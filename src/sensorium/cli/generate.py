"""``sensorium generate``: one prompt in, one answer out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options


def generate(
    model: Annotated[str, typer.Argument(help="A model in the box, a folder, or a Hub id.")],
    prompt: Annotated[str, typer.Argument(help="What is said to the model.")],
    media: Annotated[
        list[Path] | None, typer.Option(help="A file shown first, of whatever kind its suffix says; may be repeated.")
    ] = None,
    want: Annotated[str | None, typer.Option(help='"text", or the kind of medium to be written.')] = None,
    out: Annotated[Path | None, typer.Option(help="File for the medium that is written.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="File with a JSON schema; the answer is JSON that fits it.", exists=True)
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens written.")] = None,
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
    """Answer one prompt in words or with a medium.

    Text goes to stdout, what was thought before it to stderr, a medium to the file given with --out."""
    from sensorium.cli.media import save_media
    from sensorium.modalities import modality_of
    from sensorium.stream import Form
    from sensorium.types import InputError, Part

    if want not in (None, "text") and out is None:
        raise InputError(f"--want {want} needs --out FILE for what is written")
    sampling = options.given(
        seed=seed, temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance, contrast=contrast,
        max_tokens=max_tokens, think=think or None,
    )  # fmt: skip
    content = [*(Part(modality_of(path).name, path) for path in media or []), prompt]
    form = None if schema is None else Form.of(schema.read_text(encoding="utf-8"))
    reply = options.load(model, base).chat(content, want=want, form=form, best_of=best_of, **sampling)
    if reply.thought:
        typer.secho(reply.thought, dim=True, err=True)
    if reply.text.strip():
        typer.echo(reply.text.strip())
    for path in save_media(reply, out):
        typer.echo(f"saved {path}", err=True)
