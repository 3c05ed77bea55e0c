"""The report on failures: JSON with everything, and Markdown with example pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sensorium.files import atomic_file
from sensorium.grounding.failures import Found, Verified
from sensorium.grounding.material import Pair
from sensorium.grounding.modes import Mode

KEPT = 20
"""Examples of each mode in the JSON."""
SHOWN = 3
"""In the Markdown."""
HEADS = ("mode", "scraped pairs", "share (of random pairs)", "new pairs", "confused", "the very same", "mean distance",
         "over random")  # fmt: skip


def save(found: Found, out: Path, command: str) -> Path:
    """Write ``report.json`` and ``report.md``; the path of the latter."""
    data = json.dumps(as_json(found, command), indent=1, ensure_ascii=False) + "\n"
    for name, text in (("report.json", data), ("report.md", "\n".join(lines(found, command)) + "\n")):
        with atomic_file(out / name) as path:
            path.write_text(text, encoding="utf-8")
    return out / "report.md"


def as_json(found: Found, command: str) -> dict[str, Any]:
    modes = [
        {
            "name": mode.name,
            "about": mode.about,
            "aspects": list(mode.aspects),
            "scraped": len(mode.pairs),
            "share": round(mode.share, 4),
            "usual": round(mode.usual, 4),
            "examples": [pair.to_json() for pair in mode.pairs[:KEPT]],
            "new": [one.to_json(KEPT) for one in new],
        }
        for mode, new in found.modes
    ]
    return {
        "command": command,
        "encoder": found.encoder.name,
        "unit": found.encoder.unit,
        "near": found.near,
        "about": list(found.about),
        "samples": found.counts[0],
        "held_out": found.counts[1],
        "scraped": {"pairs": len(found.scraped), "confused": found.confused, "same": found.collisions},
        "control": found.control.to_json(0),
        "nothing": None if found.nothing is None else found.nothing.to_json(KEPT),
        "modes": modes,
    }


def lines(found: Found, command: str) -> Iterator[str]:
    yield from (
        f"# What {found.encoder.name} does not tell apart",
        "",
        "```bash",
        command,
        "```",
        "",
        scraped(found),
        "",
    )
    if found.about:
        yield from (f"Only differences that name {' or '.join(found.about)}.", "")
    yield f"| {' | '.join(HEADS)} |"
    yield "|" + "---|" * len(HEADS)
    for mode, new in found.modes:
        seen = f"| {mode.name} | {len(mode.pairs)} | {100 * mode.share:.0f} % ({100 * mode.usual:.0f} %)"
        for one in new:
            yield f"{seen} | {row(one)} | {points(one)} |"
        if not new:
            yield f"{seen} | none differ in this alone | | | | |"
    yield f"| any difference | | | {row(found.control)} | |"
    if found.nothing is not None:
        yield f"| none | | | {row(found.nothing)} | |"
    yield ""
    for mode, new in found.modes:
        yield from (f"- {sentence(mode, one)}" for one in new)
    for mode, new in found.modes:
        yield from _examples(mode, new, found)


def scraped(found: Found) -> str:
    """What came out of looking through all pairs, in sentences."""
    first, held = found.counts
    said = (
        f"Of {first} samples {found.collisions} pairs that differ are encoded the very same, {found.confused} within "
    )
    said += f"{found.near:.3g} ({found.encoder.unit}). "
    if not found.confused:
        said += f"So the modes are sought in the {len(found.scraped)} closest pairs. "
    return said + f"New pairs are of {held} others."


def row(one: Verified) -> str:
    return f"{one.confused.count}, {one.origin} | {one.confused} | {one.same} | {one.distance:.3f}"


def points(one: Verified) -> str:
    return f"{100 * one.over.value:+.1f} points ({100 * one.over.low:+.1f} to {100 * one.over.high:+.1f})"


def sentence(mode: Mode, one: Verified) -> str:
    """Whether new pairs of a mode are confused more often than random ones that differ."""
    said = f"{mode.name} ({mode.about}), {one.origin}: {one.confused} of new pairs are confused"
    if one.over.low > 0:
        return f"{said}, more than random ones: {points(one)}."
    return f"{said}; not shown to be more than of random ones: {points(one)}."


def _examples(mode: Mode, new: list[Verified], found: Found) -> Iterator[str]:
    yield from ("", f"## {mode.name}", "", "Scraped:", "")
    yield from map(_shown, mode.pairs[:SHOWN])
    for one in new:
        yield from ("", f"New, {one.origin}:", "")
        yield from map(_shown, one.pairs[:SHOWN])


def _shown(pair: Pair) -> str:
    media = "".join(f" `{one.medium.name}`" for one in (pair.one, pair.other) if one.medium)
    return f"- {pair.difference.words} (distance {pair.distance:.3f}){media}"
