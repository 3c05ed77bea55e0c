"""What happens in a clip as subtitles, SRT or WebVTT: a cue for each event, in order of time; how they are judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sensorium.data.facts import Event, Facts
from sensorium.evaluate import Share, Verdict, Written
from sensorium.evaluate.scorers import asked
from sensorium.evaluate.values import Value
from sensorium.modalities.subtitles import ARROW, Segment, srt, vtt
from sensorium.types import Conversation

LEAST_S = 0.25  # that a cue stands, also of what happens at once
FORMS = {"SRT": srt, "WebVTT": vtt}
CUE = re.compile(rf"^(\S+ {ARROW} \S+)\n(.+)$", re.MULTILINE)


def subtitles(facts: Facts, form: str, told: Callable[[Event], str]) -> str:
    """The file as text, less the blank line at its end.

    Args:
        form: one of `FORMS`.
        told: what a cue says of an event.
    """
    events = sorted(facts.events, key=lambda one: (one.start_s, one.subject))
    cues = [Segment(one.start_s, max(one.end_s, one.start_s + LEAST_S), told(one)) for one in events]
    return FORMS[form](cues).removesuffix("\n")


@dataclass(frozen=True)
class Captioned(Verdict):
    """On one file: cues whose times and words are all right, of how many; ``value`` is 0 where all of the file is."""

    cues: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Cued(Written):
    """Subtitles written freely, cue by cue, and as files, which are right to the letter or not.

    Args:
        mark: what ends the thought before a file; "" where there is none. Without the mark nothing is right.
    """

    max_tokens: int = 200
    mark: str = ""

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        found: list[Verdict] = []
        for prompt, truth in map(asked, conversations):
            said, right = self._file(self._say(model, prompt)), self._file(truth.text)
            there, whole = set(CUE.findall(right)), Verdict.of([said], right)
            found.append(Captioned(whole.value, whole.said, (len(there & set(CUE.findall(said))), len(there))))
        return found

    def _file(self, text: str) -> str:
        return (text.partition(self.mark)[2] if self.mark else text).strip()

    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        right, there = (sum(one.cues[n] for one in verdicts if isinstance(one, Captioned)) for n in (0, 1))
        return [*super().values(verdicts), (", cues", Share(right, there))]
