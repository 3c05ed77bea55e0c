"""``sensorium transcribe``: what is said in a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sensorium.cli import options

if TYPE_CHECKING:
    from sensorium.generate.spoken import Transcript


def transcribe(
    file: Annotated[Path, typer.Argument(help="A recording, of any length.")],
    format: Annotated[
        Literal["text", "srt", "vtt", "json"],
        typer.Option(help="Text alone, subtitles, or segments with their times in seconds."),
    ] = "text",
    out: Annotated[Path | None, typer.Option(help="File to write, in place of stdout.")] = None,
    english: Annotated[
        bool, typer.Option("--english", help="Write it in English, if the model has learned that.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="A model in the box, a folder, or a Hub id; one in the box that hears if none.")
    ] = None,
    base: options.Base = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
) -> None:
    """Write down what is said in a recording.

    It is cut at its pauses, so that subtitles have true times."""
    from sensorium import api
    from sensorium.files import atomic_file
    from sensorium.generate.spoken import transcribe

    sampling = options.given(seed=seed, temperature=temperature)
    loaded = options.load(model or api.model_of("audio", "read"), base)
    written = _spelled(transcribe(loaded, file, english=english, **sampling), format)
    if out is None:
        typer.echo(written, nl=False)
        return
    with atomic_file(out) as temporary:
        temporary.write_text(written, encoding="utf-8")
    typer.echo(f"saved {out}", err=True)


def _spelled(transcript: Transcript, format: str) -> str:
    import json

    from sensorium.modalities.subtitles import srt, vtt

    if format == "json":
        segments = [{"start": one.start_s, "end": one.end_s, "text": one.text} for one in transcript.segments]
        told = {"text": transcript.text, "duration": transcript.duration_s, "segments": segments}
        return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    return {"srt": srt, "vtt": vtt}[format](transcript.segments) if format != "text" else f"{transcript.text}\n"
