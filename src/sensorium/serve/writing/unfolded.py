"""The media of one modality in an answer, decoded while it is written, and how long that takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sensorium.generate.unfolding import Unfolding
from sensorium.serve.metrics import Metrics
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Step
from sensorium.serve.writing.transcript import Medium, Progress
from sensorium.types import Part, Signal


@dataclass(frozen=True)
class Piece:
    """More of a medium.

    Args:
        signal: the piece, if one is settled.
        ended: whether it is the last.
    """

    signal: Signal | None
    ended: bool


class Unfolded:
    """Follows an answer. A medium comes piece by piece where its codec streams, else whole at its end.

    Args:
        name: of the modality.
        started: `time.monotonic` when the request came in.
    """

    def __init__(self, served: Served, metrics: Metrics, name: str, started: float):
        self._served, self._metrics, self._name, self._started = served, metrics, name, started
        self._layout = served.model.vocabulary.writer(name)
        self._codec = served.model.codecs[self._layout.name]
        self._unfolding: Unfolding | None = None
        self._begun, self._lasting_s, self._is_first = 0.0, 0.0, True

    @property
    def streams(self) -> bool:
        return self._codec.stream() is not None

    async def feed(self, step: Step) -> Piece | None:
        """What one more id settles; None where it is of no such medium."""
        for event in step.events:
            if isinstance(event, Progress) and event.modality == self._name:
                return await self._progress(step, begins=event.done == 0)
            if isinstance(event, Medium) and event.part.modality == self._name:
                return await self._end(step, event.part)
        return None

    async def _progress(self, step: Step, begins: bool) -> Piece:
        if begins:
            self._begun, self._lasting_s = time.monotonic(), 0.0
            self._unfolding = Unfolding(self._codec, self._layout) if self.streams else None
        if self._unfolding is None or not self._unfolding.add(step.token.id):
            return Piece(None, False)
        return Piece(self._noted(await self._served.at_desk(self._unfolding.pull)), False)

    async def _end(self, step: Step, part: Part) -> Piece:
        if self._unfolding is None:
            (decoded,) = await self._served.at_desk(self._served.model.senses.decode, [part])
            found = self._noted(decoded.data)
        else:
            found = self._noted(await self._served.at_desk(self._unfolding.pull, True))
        if self._lasting_s:
            pace = self._lasting_s / max(time.monotonic() - self._begun, 1e-6)
            self._metrics.pace.labels(self._served.name, self._name).observe(pace)
        return Piece(found, True)

    def _noted(self, signal: Signal | None) -> Signal | None:
        if signal is not None and signal.rate_hz:
            self._lasting_s += len(signal.array) / signal.rate_hz
            if self._is_first:
                self._is_first = False
                waited_s = time.monotonic() - self._started
                self._metrics.first_piece.labels(self._served.name, self._name).observe(waited_s)
        return signal
