"""Animated SVG at a time: rewrites a drawing as it stands then, since resvg draws the first moment only.

What is known of SMIL (SVG 1.1, chapter 19): `animate`, `set`, `animateTransform`, `animateMotion` along a path; begins
at times, before the start, and at the begin or end of others; `dur`, `repeatCount`, `repeatDur`, `fill`, `values`,
`from`/`to`/`by`, `keyTimes`, `calcMode` with `keySplines`, `additive`. Events of a person never come, and animations in
CSS are not looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from xml.etree import ElementTree

from sensorium.modalities import motion_path
from sensorium.modalities.smil_values import between, easing, numbers_of

TAGS = ("animate", "set", "animateTransform", "animateMotion")
LONGEST_S = 10.0
"""Of what is shown of a drawing that moves for ever."""
MOST_BEGINS = 1000
CLOCK = re.compile(r"([+-]?)\s*(?:(?:(\d+):)?(\d+):)?(\d*\.?\d+)\s*(h|min|s|ms)?$")
AFTER = re.compile(r"([\w-]+)\.(begin|end)\s*(.*)$", re.DOTALL)
UNITS_S = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001, None: 1.0}


class Animated:
    """A drawing that may move.

    Args:
        data: of an SVG file.

    Raises:
        ElementTree.ParseError: it is no XML.
    """

    def __init__(self, data: bytes):
        self._root = ElementTree.fromstring(data)
        parents = {child: parent for parent in self._root.iter() for child in parent}
        named = {element.get("id"): element for element in self._root.iter() if element.get("id")}
        self._animations = []
        for element in self._root.iter():
            if _tag(element) in TAGS:
                link = next((value for name, value in element.attrib.items() if name.endswith("href")), "")
                target = named.get(link.removeprefix("#")) if link else parents.get(element)
                if target is not None:
                    self._animations.append(_Animation(element, target))
        self._begin()

    def _begin(self) -> None:
        """Work out when each begins; what begins after others does so again and again, until nothing new comes."""
        by_name = {one.element.get("id"): one for one in self._animations if one.element.get("id")}
        for one in self._animations:
            one.begins = [at for said in one.said if (at := clock_s(said)) is not None]
        for _ in range(MOST_BEGINS):
            grown = [one for one in self._animations if one.begin_after(by_name)]
            if not grown:
                return

    @property
    def lasting_s(self) -> float:
        """How long it takes until all has ended, or come round once; 0 of a drawing that stands still."""
        return min(LONGEST_S, max((one.ends_s for one in self._animations if one.begins), default=0.0))

    def at(self, time_s: float) -> bytes:
        """The drawing as it is so many seconds after it was shown, as an SVG that stands still."""
        before = [(one.target, dict(one.target.attrib)) for one in self._animations]
        try:
            running = [(begin, one) for one in self._animations if (begin := one.begun(time_s)) is not None]
            for begin, one in sorted(running, key=lambda pair: pair[0]):  # what began later goes over what came before
                one.apply(time_s - begin)
            return ElementTree.tostring(self._root)
        finally:
            for target, attributes in reversed(before):
                target.attrib.clear()
                target.attrib.update(attributes)


@dataclass(eq=False)
class _Animation:
    element: ElementTree.Element
    target: ElementTree.Element
    begins: list[float] = field(default_factory=list)

    def get(self, name: str) -> str:
        return self.element.get(name, "").strip()

    @cached_property
    def said(self) -> list[str]:
        return [one.strip() for one in (self.get("begin") or "0s").split(";")]

    @cached_property
    def once_s(self) -> float:
        """Of one round; for ever where nothing is said."""
        found = clock_s(self.get("dur"))
        return found if found and found > 0 else math.inf

    @cached_property
    def whole_s(self) -> float:
        """Of all rounds."""
        count, during = self.get("repeatCount"), self.get("repeatDur")
        if not count and not during:
            return self.once_s
        rounds = float(count) if re.fullmatch(r"\d*\.?\d+", count) else math.inf
        return min(rounds * self.once_s, clock_s(during) or math.inf)

    @property
    def ends_s(self) -> float:
        """When its first time is over, or the first round of those without end."""
        first = max(min(self.begins), 0.0)
        for lasting in (self.whole_s, self.once_s):
            if math.isfinite(lasting):
                return first + lasting
        return first

    def begin_after(self, others: Mapping[str | None, _Animation]) -> bool:
        """Whether it begins more often now that others do."""
        found = set(self.begins)
        for match in filter(None, map(AFTER.match, self.said)):
            other, later_s = others.get(match[1]), clock_s(match[3] or "0s")
            if other is not None and later_s is not None:
                lasting = other.whole_s if match[2] == "end" else 0.0
                found |= {begin + lasting + later_s for begin in other.begins}
        soon = sorted(begin for begin in found if begin < LONGEST_S)[:MOST_BEGINS]
        grown = len(soon) > len(self.begins)
        self.begins = soon if grown else self.begins
        return grown

    def begun(self, time_s: float) -> float | None:
        """When its last time began, if that still shows."""
        begin = max((one for one in self.begins if one <= time_s), default=None)
        running = begin is not None and (time_s - begin < self.whole_s or self.get("fill") == "freeze")
        return begin if running else None

    def apply(self, since_s: float) -> None:
        """Write into the target what it has so long after the begin."""
        within_s = min(since_s, self.whole_s)
        share = within_s / self.once_s % 1.0 if math.isfinite(self.once_s) else 0.0
        if since_s >= self.whole_s and not share:
            share = 1.0
        tag, before = _tag(self.element), self.target.get("transform", "")
        if tag == "animateMotion":
            self._set("transform", f"translate({self._place(share)}) {before}".strip())
        elif tag == "animateTransform":
            value = f"{self.get('type') or 'translate'}({self._value(share, '0')})"
            self._set("transform", f"{before} {value}".strip() if self.get("additive") == "sum" else value)
        elif name := self.get("attributeName"):
            self._set(name, self._value(share, self.target.get(name, "0")))

    def _set(self, name: str, value: str) -> None:
        if re.fullmatch(r"[\w-]+", name):
            self.target.set(name, value)

    def _value(self, share: float, base: str) -> str:
        values = self._values(base)
        if _tag(self.element) == "set":
            return values[-1]
        if len(values) == 1:
            return values[0]
        return between(values, self._eased(share, len(values)))

    def _values(self, base: str) -> list[str]:
        if said := [value.strip() for value in self.get("values").split(";") if value.strip()]:
            return said
        start, end, by = self.get("from") or base, self.get("to"), self.get("by")
        if by and not end:
            end = " ".join(f"{a + b:g}" for a, b in zip(numbers_of(start), numbers_of(by), strict=False))
        return [start, end or start]

    def _eased(self, share: float, count: int) -> float:
        """A share of the time as a place among the values, 0 to their number less one."""
        times, splines = numbers_of(self.get("keyTimes")), self.get("keySplines").split(";")
        return easing(share, count, times, self.get("calcMode"), [numbers_of(one) for one in splines if one.strip()])

    def _place(self, share: float) -> str:
        path = self.get("path") or "M" + " L".join(value.replace(",", " ") for value in self._values("0 0"))
        x, y = motion_path.at(path, self._eased(share, 2))
        return f"{x:g} {y:g}"


def clock_s(text: str) -> float | None:
    """Seconds of "1.5s", "300ms", "2", "00:01:30", with a sign or without; None of anything else."""
    match = CLOCK.match(text.strip())
    if not match:
        return None
    sign, hours, minutes, seconds, unit = match.groups()
    found = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds) * UNITS_S[unit]
    return -found if sign == "-" else found


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
