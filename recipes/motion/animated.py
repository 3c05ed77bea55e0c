"""Animated drawings: what each shows, by its name, and does, read off its animations.

Only those of which one thing can be said are taken: all that moves in it turns, or swings, or falls, or it is drawn
line by line. A drawing stands on one side of the split with all others of its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from xml.etree import ElementTree

import numpy as np
from recipes.motion.clips import DURATION_S, FRAMES, RATE_HZ, SIDE_PX, Clip
from recipes.motion.held_out import TEST, VAL
from recipes.motion.sources import SOURCES, Source
from recipes.pictograms.icons import BRANDS

from sensorium.data.facts import Event, Facts, Medium, Thing
from sensorium.data.iconify import icon_svg, read_icons
from sensorium.data.table import Side, split_of
from sensorium.modalities import Wish, smil
from sensorium.modalities.image import image
from sensorium.modalities.smil import TAGS, clock_s
from sensorium.modalities.smil_values import numbers_of
from sensorium.modalities.svg import to_png

VARIANTS = frozenset(["loop", "twotone", "filled", "fill", "alt", "transition", "in", "out", "off"])
MOST_WORDS = 3
SLANT = 2.0  # times as far one way as the other: then it moves that way
AXES = (("left", "right"), ("up", "down"))
PASSING = frozenset(["opacity", "fill-opacity", "stroke-opacity"])


@dataclass(frozen=True)
class Animated:
    """A drawing with its name and the one thing that it does."""

    source: Source
    key: str
    label: str
    event: Event
    svg: bytes

    @property
    def side(self) -> Side:
        return split_of(self.label, TEST, VAL)

    def facts(self, path: str = "") -> Facts:
        size = {"width_px": SIDE_PX, "height_px": SIDE_PX}
        return Facts(
            medium=Medium(modality="video", path=path or self.key, duration_s=DURATION_S, rate_hz=RATE_HZ, **size),
            things=(Thing(name=self.label),),
            events=(self.event,),
            complete=("things", "events"),
            source=str(self.source.credit.package),
            licence=self.source.credit.licence,
            split=self.side,
        )

    def clip(self, path: str = "") -> Clip:
        return Clip(_frames(self.svg), self.facts(path))


@cache
def animated(side: Side) -> Sequence[Animated]:
    """The usable drawings of a side."""
    return tuple(one for source in SOURCES for one in _of(source) if one.side == side)


def animated_clip(random: Random, side: Side, path: str = "") -> Clip:
    """Any thing that they do as often as another."""
    doings = sorted({one.event.what for one in animated(side)})
    what = random.choice(doings)
    return random.choice([one for one in animated(side) if one.event.what == what]).clip(path)


@cache
def _frames(svg: bytes) -> np.ndarray:
    moving = smil.Animated(svg)
    drawn = (to_png(moving.at(number / RATE_HZ), "the drawing", 2 * SIDE_PX) for number in range(FRAMES))
    return np.stack([image.fit(image.read(one, "the drawing"), Wish(size=(SIDE_PX, SIDE_PX))).array for one in drawn])


def _of(source: Source) -> Iterator[Animated]:
    icons, _ = read_icons(source.credit.package)
    for key in icons["icons"]:
        if BRANDS.search(key):
            continue
        svg = mended(icon_svg(icons, key))
        event, label = event_of(svg, key), label_of(key)
        if event is not None and label:
            yield Animated(source, f"{source.style}/{key}", label, event, svg.encode())


def mended(svg: str) -> str:
    """Iconify renames animations but not where others refer to them: each there goes on after itself."""

    def own(match: re.Match[str]) -> str:
        name = re.search(r'\bid="([^"]+)"', match[0])
        return re.sub(r"(?<![\w-])[a-z]\d?\.end\b", f"{name[1]}.end", match[0]) if name else match[0]

    return re.sub(r"<(?:animate|set)\w*\b[^>]*>", own, svg)


def label_of(key: str) -> str:
    """ "bell-twotone-loop": "bell"; "" for one whose name says two things, or too much."""
    words = [word for word in key.split("-") if word not in VARIANTS]
    plain = all(re.fullmatch(r"[a-z]+", word) for word in words)
    return " ".join(words) if plain and 0 < len(words) <= MOST_WORDS and "to" not in words else ""


def event_of(svg: str, key: str) -> Event | None:
    """What all that moves does; None where that is not one thing."""
    found = [element for element in ElementTree.fromstring(svg).iter() if element.tag.rpartition("}")[2] in TAGS]
    doings = [doing for element in found if (doing := _doing(element))]
    main = [one for one in doings if one != "flashes"] or doings
    hidden = main != doings and main[0] == "sways"  # what flashes is seen more than that
    if not main or len(set(main)) > 1 or main[0] == "?" or hidden:
        return None
    for_ever = any(
        element.get("repeatCount") == "indefinite" or ".end" in element.get("begin", "") for element in found
    )
    end_s = DURATION_S if for_ever else min(max(_end_s(element) for element in found), DURATION_S)
    what, _, direction = main[0].partition(" to the ")
    return Event(subject=0, what=what, direction=direction, start_s=0.0, end_s=end_s) if end_s > 0 else None


def _end_s(element: ElementTree.Element) -> float:
    begins = [clock_s(said) or 0.0 for said in (element.get("begin") or "0s").split(";")]
    return max(begins) + (clock_s(element.get("dur", "")) or 0.0)


def _doing(element: ElementTree.Element) -> str:
    """In words; "?" for what has none, "" for what is but part of something else."""
    tag, name = element.tag.rpartition("}")[2], element.get("attributeName", "")
    values = [numbers_of(one) for one in element.get("values", "").split(";") if one.strip()]
    if tag == "set":
        return ""
    if name in PASSING:
        return "flashes"
    if name == "stroke-dashoffset" and element.get("repeatCount") is None:
        last = values[-1] if values else numbers_of(element.get("to", ""))
        return "is drawn" if last == [0.0] else "?"
    if tag != "animateTransform" or len(values) < 2 or not all(values):
        return "?"
    first, last = np.array(values[0][:2]), np.array(values[-1][:2])
    kind, net = element.get("type"), (last - first) if len(first) == len(last) else np.zeros(2)
    if kind == "rotate":
        return "turns" if net[0] else "swings"
    if kind == "translate":
        return _way(net)
    return "?" if kind != "scale" or not net.any() else "grows" if net[0] > 0 else "shrinks"


def _way(net: np.ndarray) -> str:
    if not net.any():
        return "sways"
    net = np.append(net, 0.0)[:2]
    axis = int(abs(net[1]) > abs(net[0]))
    if abs(net[axis]) < SLANT * abs(net[1 - axis]):
        return "?"
    return f"moves to the {AXES[axis][int(net[axis] > 0)]}"
