"""Icon sets as npm's ``@iconify-json`` packages hold them: bodies of SVG in ``icons.json``, emoji in ``chars.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sensorium.data.fetch import Package, fetch


def read_icons(package: Package) -> tuple[dict[str, Any], dict[str, str]]:
    """``icons.json`` and ``chars.json`` (hexcode -> icon name, empty where the set has none)."""
    place = fetch(package)
    chars = place / "chars.json"
    return json.loads((place / "icons.json").read_text()), json.loads(chars.read_text()) if chars.exists() else {}


def icon_svg(icons: Mapping[str, Any], name: str) -> str:
    """An icon of an Iconify set (``icons.json``) as an SVG document; aliases may mirror or turn their parent."""
    chain = _resolve(icons, name)
    box = {"left": 0, "top": 0, "width": icons.get("width", 16), "height": icons.get("height", 16), **chain}
    left, top, width, height = (box[side] for side in ("left", "top", "width", "height"))
    body = chain["body"]
    middle = (left + width / 2, top + height / 2)
    turns = []
    if chain.get("rotate"):
        turns.append(f"rotate({90 * chain['rotate']} {middle[0]} {middle[1]})")
    if chain.get("hFlip") or chain.get("vFlip"):
        x, y = (-1 if chain.get("hFlip") else 1), (-1 if chain.get("vFlip") else 1)
        turns.append(f"translate({middle[0] * (1 - x)} {middle[1] * (1 - y)}) scale({x} {y})")
    if turns:
        body = f'<g transform="{" ".join(turns)}">{body}</g>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{body}</svg>'
    )


def _resolve(icons: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name in icons["icons"]:
        return dict(icons["icons"][name])
    alias = icons["aliases"][name]
    return {**_resolve(icons, alias["parent"]), **{k: v for k, v in alias.items() if k != "parent"}}
