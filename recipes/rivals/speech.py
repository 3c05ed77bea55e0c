"""Speech beside pictures: clips of the recipe speech, for the shared encoder as windows of their log-mel spectra.

A clip is moved in time, and a stretch of its time and some of its bands are taken away (SpecAugment, arXiv:1904.08779).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.pictograms.phrases import phrase
from recipes.rivals.lessons import Reading, Turn, WindowLessons
from recipes.speech.clips import Clip
from recipes.speech.sound import at_rate, read_sound
from recipes.speech.tasks import ASK_NAMED, ASK_SAID, Spoken, transcript
from torch import Tensor

from sensorium.families.spectra import Spectra
from sensorium.types import Signal

SPECTRA = Spectra()
WINDOW, SECONDS = 16, 5.12
FRAMES = round(SECONDS * SPECTRA.rate_hz / SPECTRA.hop)
MOVED, HIDDEN_FRAMES, HIDDEN_BANDS = 60, 40, 16
"""At most, in frames, frames, and bands."""


def turns(clip: Clip, spoken: Spoken) -> list[Turn]:
    """What is said, asked in its forms; and what thing is named, where one is."""
    found = [(form, transcript(clip)) for form in ASK_SAID]
    thing = spoken.thing(clip)
    return found + [(form, phrase(thing)) for form in ASK_NAMED if thing in spoken.names and clip.lang == "en"]


def speech_lessons(reading: Reading, spoken: Spoken) -> WindowLessons:
    """Lessons on all clips that may be trained on."""
    return WindowLessons(reading, [turns(clip, spoken) for clip in spoken.clips])


class SpectraOfClips:
    """Windows of spectra; see `recipes.rivals.lessons.Reading`. All lie in memory, in half precision.

    Args:
        clips: that may be trained on.
        folder: they lie beneath.
    """

    places, numbers, frozen = FRAMES // WINDOW, WINDOW * SPECTRA.bands, ()

    def __init__(self, clips: Sequence[Clip], folder: Path):
        self._mel_NTM = [frames(read_sound(folder / clip.path)).half() for clip in clips]

    def view(self, number: int, rng: np.random.Generator) -> Tensor:
        return cut(changed(self._mel_NTM[number].float(), rng))

    def read(self, data: Any) -> Tensor:
        return cut(frames(read_sound(data)))


def frames(sound: Signal) -> Tensor:
    """(T, M) log-mel of the first seconds, each clip less its mean, over its spread."""
    samples = at_rate(sound, SPECTRA.rate_hz).array[: FRAMES * SPECTRA.hop, 0]
    whole = np.pad(samples, (0, -len(samples) % SPECTRA.hop)).astype(np.float32)
    mel_TM = SPECTRA.log_mel(torch.from_numpy(whole)[None])[0].T
    return (mel_TM - mel_TM.mean()) / (mel_TM.std() + 1e-6)


def cut(mel_TM: Tensor) -> Tensor:
    """(32, 1280): sixteen frames each, silence behind a short clip."""
    filled_TM = mel_TM.new_full((FRAMES, SPECTRA.bands), float(mel_TM.min()))
    filled_TM[: len(mel_TM)] = mel_TM[:FRAMES]
    return filled_TM.unflatten(0, (-1, WINDOW)).flatten(1)


def changed(mel_TM: Tensor, rng: np.random.Generator) -> Tensor:
    """Moved behind a silence, with a stretch of time and some bands hidden."""
    silence = mel_TM.new_full((int(rng.integers(MOVED + 1)), mel_TM.shape[1]), float(mel_TM.min()))
    found_TM = torch.cat([silence, mel_TM])
    frame, band = rng.integers(len(found_TM)), rng.integers(SPECTRA.bands)
    found_TM[frame : frame + rng.integers(HIDDEN_FRAMES + 1)] = 0
    found_TM[:, band : band + rng.integers(HIDDEN_BANDS + 1)] = 0
    return found_TM
