"""``sensorium show``: a conversation as the model sees it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options


def show(
    file: Annotated[Path, typer.Argument(help="Conversations as JSONL in the OpenAI chat form.")],
    model: Annotated[str, typer.Option(help="Whose tokens: a model in the box, a folder, or a Hub id.")] = "nano",
    line: Annotated[int, typer.Option(min=1, help="Which conversation of the file to print, counted from 1.")] = 1,
    count: Annotated[int, typer.Option(min=1, help="How many conversations to print.")] = 1,
    base: options.Base = None,
) -> None:
    """Print a conversation as coloured tokens.

    One colour per kind of token; those with loss are bold and underlined."""
    from sensorium.data import read_conversations
    from sensorium.stream import show as print_stream
    from sensorium.types import InputError

    chosen = list(islice(read_conversations(file), line - 1, line - 1 + count))
    if not chosen:
        raise InputError(f"{file} has no conversation {line}; it is shorter than that")
    loaded = options.load(model, base)
    for conversation in chosen:
        print_stream(loaded.stream.render(loaded.senses.encode(conversation)), loaded.stream)
