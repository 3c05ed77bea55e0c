"""``sensorium codec``: train a codec and report on its quality."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train a codec and report on its quality.", no_args_is_help=True, rich_markup_mode=None)
say = partial(typer.echo, err=True)

Media = Annotated[str, typer.Argument(help='A folder, or a pattern in quotes such as "pictures/*.png".')]
Modality = Annotated[str, typer.Option(help="What the media are.")]


@app.command()
def train(
    media: Media,
    out: Annotated[Path, typer.Option(help="Folder for the trained codec.")],
    minutes: Annotated[float, typer.Option(min=0.01, help="Time to train, resumes together.")] = 10.0,
    family: Annotated[
        str, typer.Option(help="fsq (trained as long as you like) or kmeans (done in a minute).")
    ] = "fsq",
    codes: Annotated[int | None, typer.Option(min=2, help="Size of the codebook.")] = None,
    modality: Modality = "image",
    name: Annotated[str | None, typer.Option(help="Name of its tokens; the modality's if not given.")] = None,
) -> None:
    """Train a codec on media of your own.

    The same command with more minutes goes on where the last run stopped.
    """
    from sensorium.learning.learn import find_media, learn_codec, open_media

    arrays = open_media(find_media(media, modality), modality, say)
    state = out.with_name(f"{out.name}.training.safetensors")
    names = {"name": name or modality, "modality": modality}
    codec = learn_codec(family, arrays, minutes=minutes, codes=codes, checkpoint=state, say=say, **names)
    codec.save(out)
    typer.echo(f"wrote {out}; measure it: sensorium codec report {out} OTHER_MEDIA")


@app.command()
def report(
    codec: Annotated[str, typer.Argument(help="A codec in the box by name, or a folder.")],
    media: Media,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report: table, numbers, originals over reconstructions.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Measure at most this many, evenly chosen.")] = 2000,
) -> None:
    """Measure a codec on media it has not seen.

    Fidelity, use of the codebook, bits, collisions (different media, same codes), and JPEG at equal bits.
    """
    from sensorium import api
    from sensorium.learning.learn import find_media, open_media
    from sensorium.learning.report import table, write_report

    measured = api.codec(codec)
    files = find_media(media, measured.facts.modality)
    files = files[:: -(-len(files) // most)]
    folder = out or Path(f"{measured.facts.name}-report")
    rows = write_report(measured, list(open_media(files, measured.facts.modality, say)), folder)
    typer.echo(table(rows))
    typer.echo(f"wrote {folder}", err=True)
