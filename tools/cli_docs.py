"""Write docs/cli.md from the commands' own help.

.venv/bin/python tools/cli_docs.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
HEAD = """\
# The command line

Written by `make docs` from the commands' own help; a test keeps the two equal. Bad input is told in one sentence on
stderr, with exit code 2.
"""
COMMAND = re.compile(r"^  ([a-z]+)\b", re.MULTILINE)


def reference() -> str:
    """The text of docs/cli.md."""
    return "\n".join([HEAD, *(f"## {' '.join(path)}\n\n```text\n{text}```\n" for path, text in pages(("sensorium",)))])


def pages(path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Full names of a command and of those below it, each with its help."""
    text = help_of(path)
    yield path, text
    _, _, below = text.partition("\nCommands:\n")
    for name in COMMAND.findall(below):
        yield from pages((*path, name))


def help_of(path: tuple[str, ...]) -> str:
    from typer.testing import CliRunner

    from sensorium.cli import app

    result = CliRunner(env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"}).invoke(
        app, [*path[1:], "--help"], prog_name=path[0]
    )
    assert result.exit_code == 0, result.output
    return "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    print(f"wrote {TARGET}")
