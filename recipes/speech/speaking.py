"""Measuring what a model says: what an outside recogniser understands of it, beside the codec alone; and its speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from recipes.speech import tasks
from recipes.speech.clips import Clip, folder
from recipes.speech.errors import counted, rate_of
from recipes.speech.round_trip import Recognise
from recipes.speech.sound import AUDIO, read_sound

from sensorium.codecs import Codec
from sensorium.engines import Token, generate
from sensorium.evaluate import Mean, Results
from sensorium.generate import Assistant
from sensorium.generate.spoken import speaking as turn_of
from sensorium.generate.unfolding import Unfolding
from sensorium.types import Signal


@dataclass(frozen=True, kw_only=True)
class Uttered:
    """A sound that was said, and the seconds until all of it was there, and its first piece (None: it has none)."""

    sound: Signal
    took_s: float
    first_s: float | None

    @property
    def pace(self) -> float:
        """Seconds of sound made in a second."""
        return len(self.sound.array) / (self.sound.rate_hz or 1) / self.took_s


Say = Callable[[str, int], Uttered]


def measure_speaking(
    model: Assistant, results: Results, clips: Sequence[Clip], recognise: Recognise, count: int, seed: int = 0
) -> None:
    """Held-out sentences said by a model, see `compare`.

    Args:
        clips: of the manifest; the first ``count`` of its test in the speaking voice are said.
    """
    chosen = [clip for clip in clips if clip.part == "test"][:count]
    codec = model.codecs[model.vocabulary.writer(AUDIO).facts.name]
    compare(partial(uttered, model), codec, results, chosen, recognise, seed)


def uttered(model: Assistant, text: str, seed: int) -> Uttered:
    """A text said as a user would ask for it."""
    layout = model.vocabulary.writer(AUDIO)
    codec = model.codecs[layout.facts.name]
    unfolding = Unfolding(codec, layout) if codec.stream() is not None else None
    first: list[float] = []

    def note(token: Token) -> None:
        if unfolding is not None and not first and unfolding.add(token.id) and unfolding.pull() is not None:
            first.append(perf_counter() - began)

    began = perf_counter()
    (made,) = generate(model.engine, [turn_of(model, tasks.saying(text), seed=seed)], on_token=note)
    sound = model.reply(made.ids, made.finish).parts[0].data
    return Uttered(sound=sound, took_s=perf_counter() - began, first_s=first[0] if first else None)


def compare(
    say: Say, codec: Codec, results: Results, clips: Sequence[Clip], recognise: Recognise, seed: int = 0
) -> None:
    """What is said; the teacher's clips, and these through the codec; and what was said for another text."""
    texts, languages = [clip.text for clip in clips], [clip.lang for clip in clips]
    said = [say(text, seed + number) for number, text in enumerate(texts)]
    originals = [read_sound(folder() / clip.path) for clip in clips]
    heard = recognise([one.sound for one in said], languages)
    for condition, written in (
        ("model", heard),
        ("the teacher's clip through the codec", recognise(codec.decode(codec.encode(originals)), languages)),
        ("the teacher's clip", recognise(originals, languages)),
        ("said for another text", heard[1:] + heard[:1]),
    ):
        results.add("speaking, CER", condition, rate_of(*counted(texts, written, "letters", languages)))
    results.add("speaking, seconds of sound in a second", "model", Mean.of([one.pace for one in said]))
    if firsts := [one.first_s for one in said if one.first_s is not None]:
        results.add("speaking, time to the first sound", "model", Mean.of(firsts, "s"))
        results.notes["time to the first sound, median, s"] = round(float(np.median(firsts)), 3)
    pairs = zip(texts[:12], heard[:12], strict=True)
    results.notes["speaking"] = [{"text": text, "heard": one} for text, one in pairs]
