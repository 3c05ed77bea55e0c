"""``sensorium codec``: train a codec, fetch one that others have trained, and report on quality."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli.options import given

app = typer.Typer(
    help="Train or fetch a codec, and report on its quality.", no_args_is_help=True, rich_markup_mode=None
)
say = partial(typer.echo, err=True)

Media = Annotated[
    str,
    typer.Argument(help='A folder, a pattern in quotes such as "media/*", or a JSONL file of conversations.'),
]
Modality = Annotated[
    str | None, typer.Option(help="What the media are; what most of them are by their suffix if not given.")
]
Name = Annotated[str | None, typer.Option(help="Name of its tokens; the modality's if not given.")]


@app.command()
def train(
    media: Media,
    out: Annotated[Path, typer.Option(help="Folder for the trained codec.")],
    minutes: Annotated[float, typer.Option(min=0.01, help="Time to train, resumes together.")] = 10.0,
    family: Annotated[
        str | None,
        typer.Option(
            help="fsq (trained as long as you like), kmeans (done in a minute), semantic and lexical (only read; learn "
            "from names of folders or from answers) or another; one that suits the media if not given."
        ),
    ] = None,
    codes: Annotated[int | None, typer.Option(min=2, help="Size of the codebook.")] = None,
    modality: Modality = None,
    name: Name = None,
) -> None:
    """Train a codec on media of your own.

    The same command with more minutes goes on where the last run stopped.
    """
    from sensorium.learning.learn import learn_codec
    from sensorium.learning.media import find_media

    found = find_media(media, modality, say)
    state = out.with_name(f"{out.name}.training.safetensors")
    names = given(name=name) | {"modality": found.kind}
    codec = learn_codec(family, found.media(say), minutes=minutes, codes=codes, checkpoint=state, say=say, **names)
    codec.save(out)
    typer.echo(f"wrote {out}; measure it: sensorium codec report {out} OTHER_MEDIA")


@app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="A Hub id, or a folder with a model of transformers.")],
    out: Annotated[Path, typer.Option(help="Folder for the codec.")],
    modality: Modality = None,
    name: Name = None,
    codebooks: Annotated[
        int | None, typer.Option(min=1, help="Use the first so many codebooks only, where there are several.")
    ] = None,
    size_px: Annotated[
        int | None, typer.Option(min=1, help="Side of a medium, for tokenizers of media that have one.")
    ] = None,
) -> None:
    """Make a codec of a tokenizer that transformers ships; its weights come into the folder."""
    from sensorium.cli.options import quiet
    from sensorium.families.pretrained import PretrainedCodec

    quiet()
    wanted = given(modality=modality, name=name, codebooks=codebooks, size_px=size_px)
    codec = PretrainedCodec.from_hub(source, **wanted)
    codec.save(out)
    facts = codec.facts
    typer.echo(f"wrote {out}: codec {facts.name} of modality {facts.modality}, codebooks of {facts.codebook_sizes}")


@app.command()
def report(
    codec: Annotated[str, typer.Argument(help="A codec in the box by name, or a folder.")],
    media: Media,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report: table, numbers, originals over what is restored.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Measure at most this many, evenly chosen.")] = 2000,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Also write the numbers and this command into the codec's folder; `sensorium codecs` tells them.",
        ),
    ] = False,
) -> None:
    """Measure a codec on media it has not seen.

    Fidelity by the modality's own measures, use of the codebooks, bits, collisions (different media, same codes), and
    what else would do at equal bits, where the modality knows something.
    """
    from sensorium import api
    from sensorium.learning.media import find_media
    from sensorium.learning.report import keep as keep_in
    from sensorium.learning.report import table, write_report
    from sensorium.types import InputError

    if keep and not Path(codec).is_dir():
        raise InputError(f"--keep writes into a codec's folder, and {codec!r} is none; give the folder")
    measured = api.codec(codec)
    found = find_media(media, measured.facts.modality).at_most(most)
    folder = out or Path(f"{measured.facts.name}-report")
    rows = write_report(measured, found.media(say), folder)
    typer.echo(table(rows))
    if keep:
        typed = ["sensorium", "codec", "report", codec, media, "--most", str(most), "--keep"]
        keep_in(rows[0], shlex.join(typed), codec)
    typer.echo(f"wrote {folder}", err=True)
