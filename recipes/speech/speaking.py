"""Measuring what a model says: what an outside recogniser understands of it, beside the codec alone; and its speed."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from recipes.speech import tasks
from recipes.speech.clips import Clip, folder
from recipes.speech.errors import counted, rate_of
from recipes.speech.round_trip import Recognise
from recipes.speech.sound import read_sound

from sensorium.evaluate import Mean, Results
from sensorium.types import Signal

AUDIO = "audio"


def speaking(
    model: Any, results: Results, clips: Sequence[Clip], recognise: Recognise, count: int, seed: int = 0
) -> None:
    """Held-out sentences said by the model; the teacher's own clips, and these through the codec; the words of others.

    Args:
        clips: of the manifest; the first ``count`` of its test in the speaking voice are said.
    """
    chosen = [clip for clip in clips if clip.part == "test"][:count]
    texts, languages = [clip.text for clip in chosen], [clip.lang for clip in chosen]
    said, factors = _said(model, texts, seed)
    originals = [read_sound(folder() / clip.path) for clip in chosen]
    codec = model.codecs[model.vocabulary.writer(AUDIO).facts.name]
    back = [codec.decode(codec.encode([sound]))[0] for sound in originals]
    heard = recognise(said, languages)
    for condition, written in (
        ("model", heard),
        ("the teacher's clip through the codec", recognise(back, languages)),
        ("the teacher's clip", recognise(originals, languages)),
        ("said for another text", heard[1:] + heard[:1]),
    ):
        results.add("speaking, CER", condition, rate_of(*counted(texts, written, "letters", languages)))
    results.add("speaking, seconds of sound in a second", "model", Mean.of(factors))
    results.notes["speaking"] = [{"text": text, "heard": one} for text, one in zip(texts[:12], heard[:12], strict=True)]


def _said(model: Any, texts: Sequence[str], seed: int) -> tuple[list[Signal], list[float]]:
    """The sounds, and for each how many seconds of it were made in a second."""
    sounds, factors = [], []
    for number, text in enumerate(texts):
        began = perf_counter()
        sound = model.chat(tasks.saying(text), want=AUDIO, seed=seed + number).parts[0].data
        factors.append(len(sound.array) / (sound.rate_hz or 1) / (perf_counter() - began))
        sounds.append(sound)
    return sounds, factors
