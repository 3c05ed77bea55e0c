"""A clip and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensorium.data.facts import Event, Facts
from sensorium.types import Part, Signal

SIDE_PX, RATE_HZ, DURATION_S = 64, 8.0, 2.0
FRAMES = round(DURATION_S * RATE_HZ)


@dataclass(frozen=True)
class Clip:
    """Frames (`FRAMES`, `SIDE_PX`, `SIDE_PX`, 3) uint8 at `RATE_HZ`, with facts."""

    frames: np.ndarray
    facts: Facts

    @property
    def part(self) -> Part:
        return Part("video", Signal(self.frames, rate_hz=RATE_HZ))


def done(event: Event) -> str:
    """ "moves left", "grows"."""
    return f"{event.what} {event.direction}".rstrip()
