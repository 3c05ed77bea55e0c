"""One door for everything that can be added from outside: Python entry points.

The built-in modalities and codec families are registered in ``pyproject.toml`` exactly as an outside
package would register its own, so the core never holds a list of names.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any

MODALITIES = "sensorium.modalities"
CODECS = "sensorium.codecs"


@cache
def names(group: str) -> tuple[str, ...]:
    """Names registered under an entry-point group, sorted; looked for once, since that is slow."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


@cache
def load(group: str, name: str) -> Any:
    """The object registered as ``name`` in ``group``.

    Raises:
        ValueError: nothing is registered under that name; the message lists what is.
    """
    for point in entry_points(group=group):
        if point.name == name:
            return point.load()
    kind = group.rsplit(".", 1)[-1]
    known = ", ".join(names(group)) or "none"
    raise ValueError(f"no {kind} named {name!r} is installed; installed {kind}: {known}")
