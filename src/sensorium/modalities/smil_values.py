"""Values of SVG animations: numbers in texts, what lies between two of them, and how time runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
TOKEN = re.compile(rf"{NUMBER}|#[0-9a-fA-F]+|[^\s,\d]")
STEPS = 24  # of halving an interval, for the time at which a curve of Bézier is at a place
SAME = 1e-9


def numbers_of(text: str) -> list[float]:
    return [float(one) for one in re.findall(NUMBER, text)]


def between(values: Sequence[str], place: float) -> str:
    """What lies at a place among values, e.g. half way between the first two at 0.5.

    Texts that are alike but for their numbers and colours pass into each other; others change half way.
    """
    before = min(int(place), len(values) - 2)
    share = place - before
    first, second = (TOKEN.findall(_colours(values[number])) for number in (before, before + 1))
    alike = len(first) == len(second) and all(map(_fit, first, second))
    if not alike or share < SAME or share > 1 - SAME:
        return values[before + (share >= 0.5)]
    return " ".join(_mixed(one, other, share) for one, other in zip(first, second, strict=True))


def _is_number(token: str) -> bool:
    return re.fullmatch(NUMBER, token) is not None


def _fit(one: str, other: str) -> bool:
    return one == other or (_is_number(one) and _is_number(other)) or (one[0] == other[0] == "#")


def _mixed(one: str, other: str, share: float) -> str:
    if one == other:
        return one
    if one[0] == "#":
        pairs = zip(_channels(one), _channels(other), strict=True)
        return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)
    return f"{float(one) + share * (float(other) - float(one)):.6g}"


def _channels(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _colours(text: str) -> str:
    """Short colours (#fa0) in full."""
    return re.sub(r"#([0-9a-fA-F])([0-9a-fA-F])([0-9a-fA-F])(?![0-9a-fA-F])", r"#\1\1\2\2\3\3", text)


def easing(share: float, count: int, times: Sequence[float], mode: str, splines: Sequence[Sequence[float]]) -> float:
    """A share of a round's time as a place among so many values, 0 to ``count`` - 1.

    Args:
        times: at which share each value is reached (`keyTimes`); evenly where they are not as many.
        mode: `calcMode`; ``""`` for linear.
        splines: x1, y1, x2, y2 of a curve of Bézier for every stretch between values.
    """
    discrete = mode == "discrete"
    if len(times) != count:
        times = [number / (count if discrete else max(count - 1, 1)) for number in range(count)]
    before = max((number for number in range(count) if times[number] <= share + SAME), default=0)
    if discrete or before >= count - 1:
        return float(before)
    span = times[before + 1] - times[before]
    within = min((share - times[before]) / span, 1.0) if span > 0 else 1.0
    if mode == "spline" and before < len(splines) and len(splines[before]) == 4:
        within = _eased(max(within, 0.0), splines[before])
    return before + max(within, 0.0)


def _eased(x: float, spline: Sequence[float]) -> float:
    """y of a cubic curve of Bézier from (0, 0) to (1, 1), at x."""
    x1, y1, x2, y2 = spline
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _cubic(middle, x1, x2) < x else (low, middle)
    return _cubic(low, y1, y2)


def _cubic(t: float, one: float, other: float) -> float:
    return 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * other + t**3
