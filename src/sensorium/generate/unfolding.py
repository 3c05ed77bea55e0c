"""A medium that is decoded while it is being written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensorium.codecs import Codec, CodecStream, Layout
from sensorium.types import Signal

FIRST_S, LONGEST_S, GROWTH = 0.1, 0.6, 1.5
"""The first piece of a medium in time is short, so that it is heard soon. Each later one is longer, since a codec may
have to look again at what came before a piece; what was sent lasts until the next is there."""
FIRST_STEPS, MOST_STEPS = 4, 32
"""Of codecs without a rate."""


class Unfolding:
    """Gathers the ids of one medium and gives it piece by piece, as its codec streams it.

    Args:
        codec: that writes it; its `stream` must not be None.
        layout: of its codes.
    """

    def __init__(self, codec: Codec, layout: Layout):
        stream, rate_hz = codec.stream(), layout.facts.frame_rate_hz
        assert stream is not None, "only a codec that streams can unfold"
        self._stream: CodecStream = stream
        self._layout, self._codes, self._taken = layout, list[int](), 0
        self._steps = FIRST_STEPS if rate_hz is None else max(1.0, FIRST_S * rate_hz)
        self._most_steps = MOST_STEPS if rate_hz is None else max(1.0, LONGEST_S * rate_hz)

    def add(self, token: int) -> bool:
        """Take note of an id, markers included; whether it is time to `pull`."""
        if token == self._layout.open_id:
            return False
        if token == self._layout.close_id:
            return True
        self._codes.append(self._layout.code(token, self._taken + len(self._codes)))
        header = max(0, self._layout.header_codes - self._taken)
        return len(self._codes) - header >= int(self._steps) * self._layout.step_codes

    def pull(self, ended: bool = False) -> Signal | None:
        """The piece that the ids so far settle, or None; once the medium has ended, all that remains."""
        codes, self._codes = np.array(self._codes, dtype=np.int64), []
        self._taken += len(codes)
        self._steps = min(self._steps * GROWTH, self._most_steps)
        pieces = [self._stream.pull(codes) if len(codes) else None, self._stream.rest() if ended else None]
        found = [piece for piece in pieces if piece is not None and len(piece.array)]
        return joined(found) if found else None


def joined(pieces: Sequence[Signal]) -> Signal:
    """One signal of its pieces, at least one."""
    return pieces[0].with_array(np.concatenate([piece.array for piece in pieces]))
