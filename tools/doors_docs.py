"""Write docs/doors.md: what each modality of the package brings through which door."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from sensorium import plugins
from sensorium.modalities import Modality, modality
from sensorium.modalities.base import viewer_file
from sensorium.types import Signal

PAGE = Path(__file__).resolve().parent.parent / "docs" / "doors.md"
SAMPLES: dict[str, Any] = {
    "actions": {
        "frame": [64, 48],
        "events": [{"time": 0.5, "kind": "press", "x": 3, "y": 4}, {"time": 1, "kind": "go"}],
    },
    "audio": Signal(np.array([0, 0.5, 0.25, -0.5, -0.25, 0], np.float32), rate_hz=8000),
    "boxes": {"frame": [64, 48], "boxes": [{"label": "cat", "box": [1, 2, 30, 40]}, {"label": "dog", "point": [9, 9]}]},
    "image": np.full((16, 16, 3), (200, 100, 0), np.uint8),
    "video": Signal(np.repeat(np.arange(0, 240, 40, dtype=np.uint8), 16 * 16 * 3).reshape(6, 16, 16, 3), rate_hz=8),
    "series": {"time": [0.0, 0.5, 1.0, 1.5], "ax [m/s2]": [0.0, 1.0, 2.0, 1.0]},
}
"""One medium of each modality, as a user might give it."""
HEAD = """# Doors: what each modality brings

Made by `tools/doors_docs.py`; `tests/test_doors.py` puts a medium of each through every door. How to write a modality:
[write-a-modality.md](write-a-modality.md).

"""


def own_modalities() -> list[Modality]:
    """Those of this package, not those of others that are installed beside it."""
    points = [point for point in entry_points(group=plugins.MODALITIES) if point.value.startswith("sensorium.")]
    return [modality(name) for name in sorted({point.name for point in points})]


def rows(kind: Modality) -> dict[str, str]:
    """Door by door, what a modality has."""
    name = kind.name
    viewer = viewer_file(kind)
    return {
        "Python": f"`sm.{name.capitalize()}(...)`",
        "files read": " ".join(f"`{suffix}`" for suffix in kind.extensions),
        "files written": " ".join(f"`{suffix}`" for suffix in kind.suffixes),
        "media types": ", ".join(kind.media_types),
        "parts of files and requests": f"`{name}_url`, `input_{name}`, `{name}`",
        "asked for by": f'`"modalities": ["{name}"]`, in a form of its own by `"{name}": {{"format": ...}}`',
        "terminal": f"`--media FILE`, `/{name} FILE`, `/make {name} WORDS`, preview",
        "page": f"`{viewer.name}`" if viewer else "a link",
        "words": ", ".join(sorted(kind.words)) or "none",
        "measures": ", ".join(kind.measures(*[kind.open(SAMPLES[name])] * 2)),
    }


def page() -> str:
    """The page as Markdown."""
    kinds = own_modalities()
    table = {kind.name: rows(kind) for kind in kinds}
    lines = [f"| door | {' | '.join(table)} |", "|---" * (len(table) + 1) + "|"]
    lines += [f"| {door} | {' | '.join(row[door] for row in table.values())} |" for door in next(iter(table.values()))]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
