"""Which modalities go in and come out, and what shows it: a table of cells of a model, or of all that is installed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sensorium import plugins
from sensorium.codecs import Codec
from sensorium.types import TEXT, InputError

WAYS = {"in": "read", "out": "write"}
Shown = Mapping[str, Sequence[str]]
"""By cell, e.g. ``"toy in"``, the tests that show it."""


def of_codecs(codecs: Iterable[Codec], shown: Shown | None = None) -> str:
    """The cells of a model with these codecs, Markdown: for each modality the codec that reads it, and that writes it.

    Args:
        shown: adds what shows the cells, see `shown_by`.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for codec in codecs:
        facts = codec.facts
        for way, use in WAYS.items():
            if facts.use in (use, "both"):
                found.setdefault(facts.modality, {}).setdefault(way, []).append(f"{facts.name} ({codec.family})")
    return _table(found, shown)


def of_installation(boxed: Iterable[Codec], shown: Shown | None = None) -> str:
    """What can be had: for each modality the codecs that are there, and the families of which more can be made.

    Args:
        boxed: codecs that are there.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for codec in boxed:
        for way, use in WAYS.items():
            if codec.facts.use in (use, "both"):
                found.setdefault(codec.facts.modality, {}).setdefault(way, []).append(f"**{codec.facts.name}**")
    for family in plugins.names(plugins.CODECS):
        kind = plugins.load(plugins.CODECS, family)
        for modality in kind.suits:
            for way, use in WAYS.items():
                if use in kind.uses:
                    found.setdefault(modality, {}).setdefault(way, []).append(family)
    return _table(found, shown)


def _table(found: Mapping[str, Mapping[str, Sequence[str]]], shown: Shown | None) -> str:
    heads = ["modality", *WAYS, *([] if shown is None else [f"{way}, shown by" for way in WAYS])]
    rows = [heads]
    for modality in (TEXT, *dict.fromkeys([*plugins.names(plugins.MODALITIES), *found])):
        own = found.get(modality, {})
        row = [modality, *("tokens" if modality == TEXT else ", ".join(own.get(way, [])) or "-" for way in WAYS)]
        if shown is not None:
            row += [", ".join(shown.get(f"{modality} {way}", [])) or "-" for way in WAYS]
        rows.append(row)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def shown_by(folder: Path) -> dict[str, list[str]]:
    """Tests that are marked as showing cells end to end on real input: ``@pytest.mark.cell("toy in", "toy out")``.

    Files are read, not run.

    Raises:
        InputError: there are no tests.
    """
    files = sorted(folder.rglob("test_*.py"))
    if not files:
        raise InputError(f"there are no tests in {folder}; give the folder of tests of a source checkout")
    found: dict[str, list[str]] = {}
    for path in files:
        for name, cell in _marks(path):
            found.setdefault(cell, []).append(f"{path.name}::{name}")
    return found


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    """Names of tests with the cells that they are marked with."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.cell":
                    yield from ((node.name, str(ast.literal_eval(cell))) for cell in mark.args)
