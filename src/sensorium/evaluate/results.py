"""A table of results: what was measured, under which condition, and what came out; Markdown and JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from sensorium.evaluate.values import Value
from sensorium.files import atomic_file
from sensorium.types import InputError


class Row(NamedTuple):
    """A line of the table: measure, condition, value with its interval; a digest of what was asked, in order."""

    measure: str
    condition: str
    value: Value
    items: str = ""


@dataclass
class Results:
    """Rows in the order measured.

    Args:
        notes: whatever else is worth keeping, as JSON: settings, mistakes, test statistics.
        say: hears of every row as it is added, so that a long evaluation can be watched.
    """

    rows: list[Row] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    say: Callable[[str], None] = print

    def add(self, measure: str, condition: str, value: Value, items: Sequence[str] = ()) -> None:
        """A row.

        Args:
            items: what tells each item that was asked from the others, so that a later run is known to ask the same.
        """
        digest = hashlib.sha256("\n".join(items).encode()).hexdigest()[:16] if items else ""
        self.rows.append(Row(measure, condition, value, digest))
        self.say(f"{measure} | {condition} | {value}")

    def value(self, measure: str, condition: str = "model") -> Any:
        """The value of a row; KeyError when there is none."""
        return {(row.measure, row.condition): row.value for row in self.rows}[measure, condition]

    def to_json(self) -> dict[str, Any]:
        rows = [
            {"measure": row.measure, "condition": row.condition, **row.value.to_json()}
            | ({"items": row.items} if row.items else {})
            for row in self.rows
        ]
        return {"rows": rows, "notes": self.notes}

    def to_markdown(self) -> str:
        lines = ["| measure | condition | value (95 % interval) |", "|---|---|---|"]
        return "\n".join([*lines, *(f"| {row.measure} | {row.condition} | {row.value} |" for row in self.rows)]) + "\n"

    def save(self, folder: str | PathLike[str], stem: str = "evaluation") -> Path:
        """Write ``evaluation.md`` and ``evaluation.json``; the path of the latter.

        Raises:
            InputError: nothing was measured.
        """
        if not self.rows:
            raise InputError("nothing was measured, so there is nothing to write")
        with atomic_file(Path(folder) / f"{stem}.md") as path:
            path.write_text(self.to_markdown(), encoding="utf-8")
        with atomic_file(Path(folder) / f"{stem}.json") as path:
            path.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return Path(folder) / f"{stem}.json"
