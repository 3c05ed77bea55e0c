"""Bits of what is said in held-out clips under a model that hears, beside counts and a small LSTM of the same ids.

The texts are the same for every model, so that bits a character can be compared; what the baselines learn from are
training clips, whose codes they see as the model does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from recipes.speech import tasks
from recipes.speech.clips import Clip, folder
from recipes.speech.sound import read_sound

from sensorium.evaluate import Results
from sensorium.evaluate.bits import measure_bits
from sensorium.types import Conversation, Part

TAUGHT = 3
"""Training clips that the baselines learn from, for each held-out one."""


def bits_report(results: Results, model: Any, clips: Sequence[Clip], count: int, minutes: float) -> None:
    """Rows of `sensorium.evaluate.bits` for sentences by unseen voices, half in each language.

    Args:
        results: where they go.
        count: clips of each language.
        minutes: of the LSTM, 0 for none.
    """
    held_out, taught = (
        [_said(clip) for language in ("en", "es") for clip in _first(clips, parts, language, most)]
        for parts, most in ((("test-unseen",), count), (("train", "start"), TAUGHT * count))
    )
    found = measure_bits(model, held_out, taught, minutes=minutes, say=results.say)
    results.rows += [row._replace(measure=f"speech, {row.measure}") for row in found.rows]
    results.notes |= found.notes


def _first(clips: Iterable[Clip], parts: Sequence[str], language: str, most: int) -> list[Clip]:
    return [clip for clip in clips if clip.part in parts and clip.lang == language][:most]


def _said(clip: Clip) -> Conversation:
    return tasks.transcribing(Part("audio", data=read_sound(folder() / clip.path)), clip.text, clip.lang)
