"""Speech as the codec `audio` hears it before it quantises: for the ways that see through frozen encoders.

The encoder of Whisper, and the network behind it that learned to spell the same clips, are to speech what the encoder
of `image-read` is to pictures. Since both are frozen, what they make of every clip is kept in a file.

Legend: T windows, P numbers of a window, G frames, W channels of a frame, N clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.rivals.lessons import windowed
from recipes.speech.clips import Clip
from recipes.speech.coded import seen
from recipes.speech.model import views
from recipes.speech.sound import read_sound
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.device import computing
from sensorium.families.fsq_net import fold
from sensorium.families.whisper import WhisperCodec, jittered
from sensorium.files import atomic_file
from sensorium.types import Signal

WINDOW, PLACES = 3, 43
"""Frames of a window, of 25 a second; windows of the longest sound, five seconds."""


class Ear:
    """What lies before the bottleneck of a codec.

    Args:
        codec: of speech, with its encoder.
    """

    def __init__(self, codec: WhisperCodec):
        self.codec, self.frozen = codec, codec.net
        body = list(codec.net.encoder.body)
        self._deep, self.channels = nn.Sequential(*body[:-1]), body[-1].in_channels

    @torch.inference_mode()
    def __call__(self, sound: Signal) -> np.ndarray:
        """(G, W) float16 of the first seconds, each frame at mean 0 and variance 1."""
        heard_1MN = torch.from_numpy(self.codec.heard(*self.codec.fitted([sound])).T.copy())[None]
        folded = fold(heard_1MN.to(self.codec.device), self.codec.net.encoder.folds).contiguous()
        frames_GW = self._deep(folded)[0].T[: WINDOW * PLACES].float()
        return F.layer_norm(frames_GW, frames_GW.shape[1:]).half().cpu().numpy()


class HeardClips:
    """Clips as an ear hears them, in the views that the codecs learn from; see `recipes.rivals.lessons.Reading`.

    Args:
        heard: frames (G, W) of every clip, by its views.
    """

    places = PLACES

    def __init__(self, heard: Sequence[Sequence[np.ndarray]], ear: Ear):
        self._heard, self._ear = heard, ear
        self.numbers, self.frozen = WINDOW * ear.channels, (ear.frozen,)

    def view(self, number: int, rng: np.random.Generator) -> Tensor:
        known = self._heard[number]
        return self._windows(jittered(known[int(rng.integers(len(known)))].astype(np.float32), rng))

    def read(self, data: Any) -> Tensor:
        return self._windows(self._ear(read_sound(data)).astype(np.float32))

    def _windows(self, frames_GW: np.ndarray) -> Tensor:
        return windowed(torch.from_numpy(frames_GW), WINDOW, PLACES)


def heard(clips: Sequence[Clip], ear: Ear, path: Path) -> list[list[np.ndarray]]:
    """What an ear hears of every clip in its views; kept in a file (npz), which another codec or other clips begin
    anew."""
    counts = [views(clip) for clip in clips]
    told = "\n".join([ear.codec.fingerprint(), *(clip.path for clip in clips)])
    frames = _kept(path, told)
    if frames is None:
        with computing("auto", ear.codec.device):
            frames = [ear(seen(clip, view)) for clip, count in zip(clips, counts, strict=True) for view in range(count)]
        with atomic_file(path) as out:
            np.savez(out, told=told, lengths=[len(one) for one in frames], frames=np.concatenate(frames))
    pieces = iter(frames)
    return [[next(pieces) for _ in range(count)] for count in counts]


def _kept(path: Path, told: str) -> list[np.ndarray] | None:
    """The frames of every view in a file; None where there is none, or one of other clips."""
    if not path.exists():
        return None
    with np.load(path) as file:
        found = np.split(file["frames"], np.cumsum(file["lengths"])[:-1]) if str(file["told"]) == told else None
    return found
