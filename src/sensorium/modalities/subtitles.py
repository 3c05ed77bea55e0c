"""Subtitles: texts with their times, as SRT (SubRip) and as VTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from sensorium.types import InputError

ARROW = "-->"
"""Between the two times of a cue; where a text has it, a reader may take the text for times."""


@dataclass(frozen=True)
class Segment:
    """A text and when it is said.

    Args:
        start_s, end_s: seconds from the beginning of the medium.
        text: of one line or several.

    Raises:
        InputError: the times are no times, or the wrong way round.
    """

    start_s: float
    end_s: float
    text: str

    def __post_init__(self) -> None:
        if not (isfinite(self.end_s) and 0 <= self.start_s <= self.end_s):
            raise InputError(
                f"{self.text[:40]!r} is said from {self.start_s:g} s to {self.end_s:g} s; "
                "give seconds from 0 on, the earlier first"
            )


def srt(segments: Iterable[Segment]) -> str:
    """The segments as SRT: cues with numbers; one without text is left out. SRT has no way to escape anything."""
    told = [(_times(one, ","), _lines(one.text).replace(ARROW, "->")) for one in segments if one.text.strip()]
    return "".join(f"{number}\n{times}\n{text}\n\n" for number, (times, text) in enumerate(told, start=1))


def vtt(segments: Iterable[Segment]) -> str:
    """The segments as VTT; what would be markup there is escaped."""
    cues = [f"{_times(one, '.')}\n{_escaped(_lines(one.text))}\n\n" for one in segments if one.text.strip()]
    return "".join(["WEBVTT\n\n", *cues])


def _times(segment: Segment, point: str) -> str:
    """Both times to the millisecond; a cue ends after it begins."""
    start_ms, end_ms = round(segment.start_s * 1000), round(segment.end_s * 1000)
    return f"{_time(start_ms, point)} {ARROW} {_time(max(end_ms, start_ms + 1), point)}"


def _time(ms: int, point: str) -> str:
    minutes, rest_ms = divmod(ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest_ms // 1000:02d}{point}{rest_ms % 1000:03d}"


def _lines(text: str) -> str:
    """Without empty lines, at which a cue ends."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
