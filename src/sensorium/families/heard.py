"""What the encoder of a Whisper model hears (Radford et al. 2022, arXiv:2212.04356), as features: rows of numbers,
fifty a second, that are alike where sounds are of one kind.

It was trained to write speech down, and its middle layers tell other sounds as well (Gong et al. 2023,
arXiv:2307.03183). The model does not lie with a codec of such features: they are known by its source.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from sensorium.checked import Range
from sensorium.families.ears import pretrained_ear
from sensorium.families.features import Features
from sensorium.families.loudness import samples_of, unit_loud
from sensorium.families.whisper import HALF, HOP, LOUD, MOST_FRAMES, RATE_HZ, Ear, WhisperConfig, log_mel
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

ROW = HOP * HALF
"""Samples of a row."""
LAYER = 3
"""Behind which rows are taken, of six."""


class Heard(Features):
    """Sounds as an encoder hears them, whatever their loudness; they cannot be turned back.

    Args:
        source: of a Whisper model, see `pretrained_ear`; it is looked for when something is heard.
        layer: behind which rows are taken.
    """

    writes = False

    def __init__(self, source: Annotated[str, Range(1, 1024)], layer: Annotated[int, Range(1, 128)] = LAYER):
        self.source, self.layer = source, layer
        self.facts = {
            "grid": (None,), "max_frames": 2**20, "frame_rate_hz": RATE_HZ / ROW, "hop": ROW,
            "wish": Wish(rate_hz=float(RATE_HZ), channels=1),
        }  # fmt: skip

    @torch.inference_mode()
    def __call__(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        """Rows (N, W) of a sound, half a minute heard at a time.

        Raises:
            InputError: it is no sound of one channel, or there is no Whisper model with so many layers.
        """
        ear, bands = _first_layers(self.source, self.layer)
        _, loud_S = unit_loud(samples_of(signal, "heard"))
        pieces = torch.from_numpy(np.pad(LOUD * loud_S, (0, -len(loud_S) % ROW))).split(ROW * MOST_FRAMES)
        with torch.autocast("cpu", enabled=False):
            rows = [ear(log_mel(piece, bands)[None])[0] for piece in pieces]
        return [], torch.cat(rows).numpy()


@lru_cache(1)
def _first_layers(source: str, layer: int) -> tuple[Ear, int]:
    """An encoder that stops behind a layer, and the mel bands that it takes."""
    shape, weights = pretrained_ear(source)
    if layer > shape["ear_layers"]:
        raise InputError(f"the Whisper model {source} has {shape['ear_layers']} layers, not {layer}; name one of these")
    settings: dict[str, Any] = shape | {"ear_layers": layer}
    ear = Ear(WhisperConfig(signs="", **settings)).eval().requires_grad_(False)
    ear.norm = nn.Identity()  # type: ignore[assignment]
    known: dict[str, Tensor] = {name: one for name, one in weights.items() if name in ear.state_dict()}
    ear.load_state_dict(known)
    return ear, shape["ear_bands"]
