"""What happens in a clip as subtitles, SRT or WebVTT: a cue for each event, in order of time."""

from __future__ import annotations

from collections.abc import Callable

from sensorium.data.facts import Event, Facts

LEAST_S = 0.25  # that a cue stands, also of what happens at once
FORMS = {"SRT": ("", ","), "WebVTT": ("WEBVTT\n\n", ".")}
"""Head, and what stands before thousandths of a second."""


def subtitles(facts: Facts, form: str, told: Callable[[Event], str]) -> str:
    """The file as text.

    Args:
        form: one of `FORMS`.
        told: what a cue says of an event.
    """
    head, point = FORMS[form]
    cues = []
    for number, event in enumerate(sorted(facts.events, key=lambda one: (one.start_s, one.subject)), start=1):
        end_s = max(event.end_s, event.start_s + LEAST_S)
        times = f"{_clock(event.start_s, point)} --> {_clock(end_s, point)}"
        lines = [str(number)] if form == "SRT" else []
        cues.append("\n".join([*lines, times, told(event), ""]))
    return head + "\n".join(cues)


def _clock(time_s: float, point: str) -> str:
    whole, thousandths = divmod(round(time_s * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
