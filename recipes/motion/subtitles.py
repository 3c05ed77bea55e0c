"""What happens in a clip as subtitles, SRT or WebVTT: a cue for each event, in order of time."""

from __future__ import annotations

from collections.abc import Callable

from sensorium.data.facts import Event, Facts
from sensorium.modalities.subtitles import Segment, srt, vtt

LEAST_S = 0.25  # that a cue stands, also of what happens at once
FORMS = {"SRT": srt, "WebVTT": vtt}


def subtitles(facts: Facts, form: str, told: Callable[[Event], str]) -> str:
    """The file as text, less the blank line at its end.

    Args:
        form: one of `FORMS`.
        told: what a cue says of an event.
    """
    events = sorted(facts.events, key=lambda one: (one.start_s, one.subject))
    cues = [Segment(one.start_s, max(one.end_s, one.start_s + LEAST_S), told(one)) for one in events]
    return FORMS[form](cues).removesuffix("\n")
