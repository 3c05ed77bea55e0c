"""``sensorium encode``: one medium to codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def encode(
    medium: Annotated[Path, typer.Argument(help="A file, of whatever kind its suffix says.")],
    codec: Annotated[
        str | None, typer.Option(help="A codec in the box by name, or a folder.", show_default="the first of its kind")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Decode again and write what is left of the medium here.")] = None,
) -> None:
    """Print the codes of a medium as JSON.

    One flat list of codes: the header's, then frame by frame, codebook by codebook."""
    import json

    from sensorium import api
    from sensorium.modalities import modality_of

    kind = modality_of(medium)
    coder = api.codec(codec) if codec else api.codec_of(kind.name)
    (codes,) = coder.encode([kind.open(medium, coder.facts.wish)])
    typer.echo(json.dumps({"codec": coder.facts.name, "codes": codes.tolist()}))
    if out is not None:
        kind.save(coder.decode([codes])[0], out)
        typer.echo(f"wrote {out}", err=True)
