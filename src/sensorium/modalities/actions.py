"""Actions: events with times, as arrays (N, 4) float32 of time, x, y and value, with the kind of each.

A file is JSON, times are in seconds and in order:

    {"frame": [1280, 720], "events": [
        {"time": 0.1, "kind": "move", "x": 640, "y": 360}, {"time": 0.4, "kind": "key Enter"},
        {"time": 0.5, "kind": "throttle", "value": 0.7}]}

The frame is (width, height) of the screen. The kind is one word or a few: a pointer's ``move``, ``press``, ``release``,
a key, a control with its value. An event that says no place happens where the one before it did; a value that is not
said is 0. Legend: N events.
"""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from sensorium.modalities import lists
from sensorium.modalities.base import COLOURS, Modality, Wish
from sensorium.modalities.words import ACTIONS
from sensorium.types import InputError, Signal

COLUMNS = ("time", "x", "y", "value")
PLACES = ((1, 2),)


class Actions(Modality):
    """Events in time; see the module's text."""

    name = "actions"
    extensions = (".actions",)
    media_types = ("application/vnd.sensorium.actions+json",)
    viewer = "actions.js"
    words = ACTIONS

    def read(self, data: bytes, where: str, wish: Wish = Wish()) -> Signal:
        return _from_json(lists.parsed(data, where), where)

    def check(self, signal: Signal) -> Signal:
        return _checked(signal, "the actions")

    def adopt(self, thing: Any) -> Signal:
        """What a file holds, as a dict, or the list of events alone."""
        return _from_json(thing, "the actions") if isinstance(thing, (dict, list)) else super().adopt(thing)

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        return lists.fitted(signal, wish, PLACES, "the actions")

    def mend(self, signal: Signal) -> Signal:
        """Times from 0 in order, places within the frame."""
        array = signal.array.copy()
        array[:, 0] = np.maximum.accumulate(np.maximum(array[:, 0], 0))
        return lists.mended(signal.with_array(array), PLACES)

    def write(self, signal: Signal, media_type: str) -> bytes:
        rows = [dict(zip(COLUMNS, map(lists.plain, row), strict=True)) for row in signal.array.tolist()]
        if signal.labels:
            rows = [{"kind": kind, **row} for kind, row in zip(signal.labels, rows, strict=True)]
        frame = {} if signal.frame is None else {"frame": [lists.plain(side) for side in signal.frame]}
        return json.dumps(frame | {"events": rows}, ensure_ascii=False).encode()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """A lane for each kind, a mark for each event from left to right."""
        page = Image.new("RGB", (size_px, max(1, size_px // 2)), "white")
        draw, kinds = ImageDraw.Draw(page), sorted(set(signal.labels)) or [""]
        end, lane_px = max(float(signal.array[-1, 0]), 1e-9), page.height / len(kinds)
        for lane, kind in enumerate(kinds):
            colour = COLOURS[lane % len(COLOURS)]
            times = [
                row[0]
                for row, label in zip(signal.array, signal.labels or [""] * len(signal.array), strict=True)
                if label == kind
            ]
            for time in times:
                x = float(time) / end * (size_px - 1)
                draw.line([(x, (lane + 0.35) * lane_px), (x, (lane + 0.9) * lane_px)], fill=colour)
            draw.text((2, lane * lane_px), kind, fill=colour)
        return np.asarray(page)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Edits between the kinds, as a share of the longer; time and place apart of the events that both have."""
        if original.frame and other.frame:
            original = lists.in_frame(original, other.frame, PLACES, "the actions")
        one, two = (signal.labels or ("",) * len(signal.array) for signal in (original, other))
        blocks = SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks()
        pairs = [(a + at, b + at) for a, b, size in blocks for at in range(size)]
        edits = edit_distance(one, two) / max(len(one), len(two))
        if not pairs:
            return {"edits": edits, "time_error_s": float(original.array[-1, 0]), "place_error": 0.0}
        apart = np.array([original.array[a] - other.array[b] for a, b in pairs], dtype=float)
        places = float(np.hypot(apart[:, 1], apart[:, 2]).mean())
        return {"edits": edits, "time_error_s": float(np.abs(apart[:, 0]).mean()), "place_error": places}


def edit_distance(one: tuple[str, ...], two: tuple[str, ...]) -> int:
    """Least number of events put in, left out or exchanged (Levenshtein 1966)."""
    row = list(range(len(two) + 1))
    for at, kind in enumerate(one, 1):
        before, row[0] = row[0], at
        for to, other in enumerate(two, 1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (kind != other))
    return row[-1]


def _from_json(said: Any, where: str) -> Signal:
    entries = said.get("events") if isinstance(said, dict) else said
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{where} must hold a list of events, each {{'time': seconds, 'kind': ...}}")
    rows, x, y = [], 0.0, 0.0
    for at, entry in enumerate(entries):
        place = f"event {at + 1} of {where}"
        if "time" not in entry:
            raise InputError(f"{place} has no time; give the seconds since the first")
        x, y = lists.number(entry, "x", x, place), lists.number(entry, "y", y, place)
        rows.append([lists.number(entry, "time", 0.0, place), x, y, lists.number(entry, "value", 0.0, place)])
    labels = tuple(str(entry["kind"]) for entry in entries if "kind" in entry)
    frame = lists.frame_of(said.get("frame"), where) if isinstance(said, dict) else None
    return _checked(Signal(np.array(rows), frame=frame, labels=labels), where)


def _checked(signal: Signal, where: str) -> Signal:
    found = lists.checked(signal, COLUMNS, PLACES, where)
    times = found.array[:, 0]
    early = np.flatnonzero(np.diff(times) < 0)
    if times[0] < 0 or len(early):
        row = int(early[0]) + 2 if len(early) else 1
        raise InputError(
            f"{where} has the time {times[row - 1]:g} s in row {row}, before the one above it; sort by time"
        )
    return found


actions = Actions()
