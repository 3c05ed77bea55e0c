"""How a medium in time goes on: its codes are given as the beginning of the answer, and the model writes more.

Several continuations are sampled; their quantiles are the forecast (as Chronos does, arXiv 2403.07815).
Legend: T rows that are known, H rows to come, C channels, S samples, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensorium.codecs import Codec, Layout, Ranges
from sensorium.engines import Sampling, Turn, generate
from sensorium.generate.assistant import Assistant
from sensorium.stream import Grammar
from sensorium.types import Conversation, InputError, Part, as_message

LEVELS = tuple(level / 10 for level in range(1, 10))
GO_ON = "Go on."


class Unending(Grammar):
    """The rules of a medium that must not end yet."""

    def allowed(self) -> Ranges:
        close = self.inside.close_id if self.inside else None
        return tuple(ids for ids in super().allowed() if ids[0] != close)


@dataclass(frozen=True)
class Forecast:
    """Args:
    mean: (H, C) of all continuations.
    quantiles: (Q, H, C) at the levels asked for.
    """

    mean: np.ndarray
    quantiles: np.ndarray


@dataclass(frozen=True)
class Continuation:
    """A medium that is to go on.

    Args:
        turn: to be written; every number of it gives another continuation.
        codec, layout: that write.
        begun: ids of what is known, without the marker.
        known: rows that they stand for.
        centre, spread: (C,) that written numbers are moved and stretched by.
        horizon: H.
    """

    turn: Turn
    codec: Codec
    layout: Layout
    begun: list[int]
    known: int
    centre: np.ndarray
    spread: np.ndarray
    horizon: int

    def rows(self, ids: Sequence[int]) -> np.ndarray:
        """(H, C) rows that written ids stand for."""
        (signal,) = self.codec.decode([self.layout.codes([*self.begun, *ids])])
        return signal.array[self.known : self.known + self.horizon] * self.spread + self.centre

    def forecast(self, paths: Sequence[np.ndarray], levels: Sequence[float] = LEVELS) -> Forecast:
        """Of continuations (H, C)."""
        paths_SHC = np.stack(paths)
        return Forecast(paths_SHC.mean(0), np.quantile(paths_SHC, levels, axis=0))


def continuation(
    model: Assistant,
    history: Part,
    horizon: int,
    *,
    request: str = GO_ON,
    deviations: bool = False,
    temperature: float = 1.0,
    seed: int = 0,
) -> Continuation:
    """A medium to go on with for ``horizon`` rows. Of a long one the last rows are taken that leave room for them.

    Args:
        request: what the user says, as it was said in training.
        deviations: give the model what is known in standard deviations from its mean, if it was trained so. A codec
            that has the scale in its header does not need it, but its continuations stay in the range of the history.

    Raises:
        InputError: the model does not write this modality, or the codec cannot hold so many rows.
    """
    codec = model.codecs[model.vocabulary.writer(history.modality).name]
    layout = model.vocabulary.layout(codec.facts.name)
    if codec.facts.hop is None or codec.facts.frames_per_step != 1:
        raise InputError(f"codec {layout.name!r} does not write a medium row by row, so it cannot go on")
    signal = model.senses.signal(history, codec.facts.wish)
    per_frame, frames = codec.facts.hop, codec.facts.max_frames
    steps = -(-horizon // per_frame)
    room = min(len(signal.array) // per_frame, frames - steps)
    if horizon < 1 or room < max(1, codec.facts.min_frames):
        most = (frames - max(1, codec.facts.min_frames)) * per_frame
        raise InputError(f"codec {layout.name!r} goes on for 1 to {most} rows, not {horizon}; ask for fewer, in pieces")
    known = signal.array[len(signal.array) - room * per_frame :]
    centre, spread = np.zeros(known.shape[1:]), np.ones(known.shape[1:])
    if deviations:
        centre, spread = known.mean(0), np.maximum(known.std(0), 1e-9)
    (started,) = codec.encode([signal.with_array(((known - centre) / spread).astype(known.dtype))])
    marker, *begun, _ = layout.ids(started)
    rules = Unending(model.vocabulary, model.stream.text_stop, model.stream.stop_ids, want=history.modality)
    for one in (marker, *begun):
        rules.advance(one)
    asked = Conversation((as_message("user", request),))
    prompt = [*model.stream.render(asked, reply=True).ids.tolist(), marker, *begun]
    budget = steps * layout.step_codes
    model.budget([*prompt, *[0] * (budget - 1)], budget)  # refuses what the context cannot hold
    sampling = Sampling(temperature=temperature, seed=seed, max_tokens=budget)
    turn = Turn(prompt, rules, sampling)
    return Continuation(turn, codec, layout, begun, len(known), centre, spread, horizon)


def forecast(
    model: Assistant,
    history: Part,
    horizon: int,
    *,
    levels: Sequence[float] = LEVELS,
    samples: int = 50,
    **how: Any,
) -> Forecast:
    """How a medium goes on, by so many sampled continuations; ``how`` as in `continuation`.

    Raises:
        InputError: no sample, a level that is not between 0 and 1, or as in `continuation`.
    """
    if samples < 1 or not all(0 <= level <= 1 for level in levels):
        raise InputError(f"a forecast needs at least one sample and levels from 0 to 1, not {samples} and {levels}")
    made = continuation(model, history, horizon, **how)
    written = generate(model.engine, [made.turn.again(number) for number in range(samples)])
    return made.forecast([made.rows(one.ids) for one in written], levels)
