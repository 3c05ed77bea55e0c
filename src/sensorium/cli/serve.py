"""``sensorium serve``: an OpenAI-compatible server, with a web page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sensorium.types import InputError

KEY = "SENSORIUM_API_KEY"


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models in the box, folders, or Hub ids; NAME=MODEL gives one a name.", metavar="[MODEL]..."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = 8000,
    engine: Annotated[
        str | None,
        typer.Option(
            help="torch, onnx, onnx-int8, fast (the quicker of torch and onnx-int8), vllm=URL or llamacpp=URL."
        ),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(envvar=KEY, help="Ask for this key; may be repeated.", show_default=False),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address of a reverse proxy that tells clients' addresses; may be repeated."),
    ] = None,
    allow_media_domain: Annotated[
        list[str] | None, typer.Option(help="Fetch media from this host; may be repeated.")
    ] = None,
    allow_media_path: Annotated[
        Path | None, typer.Option(help="Take file: addresses of media in this folder.", file_okay=False, exists=True)
    ] = None,
    max_queue: Annotated[int | None, typer.Option(min=1, help="Most answers that wait for their turn.")] = None,
    max_batch: Annotated[int | None, typer.Option(min=1, help="Answers written at the same time.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens one answer may ask for.")] = None,
    max_media_mb: Annotated[int | None, typer.Option(min=1, help="Largest medium as a file, in MiB.")] = None,
    max_parts: Annotated[int | None, typer.Option(min=1, help="Most parts of all messages of a request.")] = None,
    request_s: Annotated[float | None, typer.Option(min=1, help="Seconds in which a request must be answered.")] = None,
) -> None:
    """Serve models over HTTP, as OpenAI does, and a web page to talk with them."""
    from sensorium.cli import options
    from sensorium.serve.run import run

    settings = options.given(
        host=host,
        port=port,
        engine=engine,
        api_keys=_keys(api_key),
        proxies=tuple(proxy or ()),
        media_domains=tuple(name.lower() for name in allow_media_domain or ()),
        media_path=allow_media_path,
        max_queue=max_queue,
        max_batch=max_batch,
        max_tokens=max_tokens,
        max_media_bytes=None if max_media_mb is None else max_media_mb * 2**20,
        max_parts=max_parts,
        request_s=request_s,
    )
    run(models or ["nano"], **settings)


def _keys(given: list[str] | None) -> tuple[str, ...]:
    """InputError for a variable that is there and empty, e.g. of a command that failed: it must not open the server."""
    if not given and not os.environ.get(KEY, "any").strip():
        raise InputError(f"{KEY} is set but empty; give it a key, or unset it to serve without one")
    return tuple(given or ())
