"""One door for everything that can be added: Python entry points, and `register` inside a running program.

The built-in modalities, codec families and engines are registered in ``pyproject.toml`` exactly as an outside
package would register its own, so the core never holds a list of names.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

MODALITIES = "sensorium.modalities"
CODECS = "sensorium.codecs"
ROUTES = "sensorium.routes"
"""Routers that the server takes in: doors of single modalities that OpenAI's API has, or of a package's own."""

_registered: dict[tuple[str, str], Any] = {}


def register(group: str, name: str, thing: Any) -> None:
    """Make ``thing`` known under a name in this process, e.g. from a notebook; it goes before an installed one."""
    _registered[group, name] = thing


def unregister(group: str, name: str) -> None:
    """Take back what `register` made known; nothing happens when it is not."""
    _registered.pop((group, name), None)


def registered() -> dict[tuple[str, str], Any]:
    """All that `register` made known, by group and name, e.g. to make it known in a worker process."""
    return dict(_registered)


def names(group: str) -> tuple[str, ...]:
    """Names registered in this process or under an entry-point group, sorted."""
    here = {name for known, name in _registered if known == group}
    return tuple(sorted(here | set(_installed(group))))


def load(group: str, name: str) -> Any:
    """The object registered as ``name`` in ``group``.

    Raises:
        ValueError: nothing is registered under that name; the message lists what is.
    """
    if (group, name) in _registered:
        return _registered[group, name]
    if name in _installed(group):
        return _loaded(group, name)
    kind = group.rsplit(".", 1)[-1]
    known = ", ".join(names(group)) or "none"
    raise ValueError(f"no {kind} named {name!r} is installed; installed {kind}: {known}")


@cache
def _installed(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name; looked for once, since that is slow."""
    return {point.name: point for point in entry_points(group=group)}


@cache
def _loaded(group: str, name: str) -> Any:
    return _installed(group)[name].load()
