"""Which frames of a clip are shown at even instants. Frames come with times of their own, which need not be even.

Row n of a clip at ``rate_hz`` is what is shown n / rate_hz seconds after its first frame: the rate and the row tell the
time in the source, whatever rates the source and the codec have, and nothing else need be written down.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sensorium.modalities.base import Wish
from sensorium.modalities.image import to_square
from sensorium.types import InputError, Signal

MAX_PIXELS = 2**27
"""Of all frames that are kept."""
MAX_FRAMES = 2**16
MAX_RATE_HZ = 1000.0
ROUNDED_S = 0.00112
"""How far off a time may be that was written down in milliseconds, and a little, so that no usual rate hits it."""

Take = Callable[[], np.ndarray]


def slack_s(rate_hz: float, rounded_s: float = ROUNDED_S) -> float:
    """How long after an instant a frame may come and count as shown at it: times are rounded."""
    return min(rounded_s, 0.25 / rate_hz)


class Shown:
    """Takes frames as they come and keeps those that are wanted, at the wished size; memory is bounded.

    Args:
        where: what to call the clip in messages.
        rate_hz: of the wanted instants.
        wish: of a codec; its size is kept to.
        rounded_s: how far off the times of the source may be.
    """

    def __init__(self, where: str, rate_hz: float, wish: Wish = Wish(), rounded_s: float = ROUNDED_S):
        if not 0 < rate_hz <= MAX_RATE_HZ:
            raise InputError(f"{where} has a rate of {rate_hz:g} frames/s; 0 to {MAX_RATE_HZ:g} can be opened")
        self._where, self._rate_hz, self._wish = where, rate_hz, wish
        self._slack_s = slack_s(rate_hz, rounded_s)
        self._rows: list[np.ndarray] = []
        self._waiting: Take | None = None
        self._first_s = 0.0
        self._last_s = 0.0

    def show(self, time_s: float, take: Take) -> None:
        """A frame is shown from a time on.

        Args:
            time_s: by the clock of the source; one that does not rise counts as that of the frame before.
            take: gives the frame (H, W, 3) uint8; called only if it is wanted.
        """
        if self._waiting is None:
            self._first_s = time_s
        else:
            self._keep_until(time_s - self._first_s - self._slack_s)
            self._last_s = max(self._last_s, time_s - self._first_s)
        self._waiting = take

    def finish(self, lasting_s: float) -> Signal:
        """The clip; its last frame is shown for so long.

        Raises:
            InputError: there were no frames.
        """
        if self._waiting is None:
            raise InputError(f"{self._where} has no frames; give a clip that has some")
        self._keep_until(self._last_s + max(lasting_s - self._slack_s, self._slack_s / 2))
        return Signal(np.stack(self._rows), rate_hz=self._rate_hz)

    def _keep_until(self, end_s: float) -> None:
        """Keep what is shown now for every instant before a time."""
        frame = None
        while len(self._rows) / self._rate_hz < end_s:
            if frame is None:
                assert self._waiting is not None
                frame = fitted(self._waiting(), self._wish)
            check_room(self._where, len(self._rows) + 1, frame.shape)
            if self._rows and self._rows[0].shape != frame.shape:
                raise InputError(f"{self._where} changes its size to {size_of(frame)}; cut it there")
            self._rows.append(frame)


def size_of(frame: np.ndarray) -> str:
    """ "640 x 480"."""
    return f"{frame.shape[1]} x {frame.shape[0]}"


def check_room(where: str, frames: int, shape: tuple[int, ...]) -> None:
    """InputError for more frames (H, W, ...) than are kept."""
    pixels = frames * shape[0] * shape[1]
    if pixels > MAX_PIXELS or frames > MAX_FRAMES:
        raise InputError(
            f"{where} has too many frames of {shape[1]} x {shape[0]} to keep: more than {MAX_FRAMES} frames or "
            f"{MAX_PIXELS} pixels; cut it, make it smaller, or wish for a lower rate or size"
        )


def fitted(frame: np.ndarray, wish: Wish) -> np.ndarray:
    """A frame in a white square of the wished side, just as a picture would be."""
    return frame if wish.size is None else to_square(frame, wish.size[0])


def rows_shown(rows: int, rate_hz: float, wished_hz: float, first: int = 0) -> np.ndarray:
    """Which rows of a clip are shown at the instants of another rate.

    Args:
        first: number of the first instant that is asked for.
    """
    slack = slack_s(wished_hz)
    count = max(1, int(np.ceil((rows / rate_hz - slack) * wished_hz)))
    instants_s = np.arange(first, count) / wished_hz
    return np.minimum(((instants_s + slack) * rate_hz).astype(np.int64), rows - 1)
