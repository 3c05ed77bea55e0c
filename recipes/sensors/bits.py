"""Bits of written series under a model, beside baselines that learn from series of training.

Held out are made-up series to new wishes, and what comes after the first origin of the long series.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from recipes.sensors.series import CONTEXT, HORIZON, STAGE, go_on, gone_on, write
from recipes.sensors.sets import SERIES, ForecastSeries

from sensorium.evaluate import Results
from sensorium.evaluate.bits import baselines, compare_bits
from sensorium.evaluate.foretellers import OfModel
from sensorium.evaluate.spans import Books, spans_of
from sensorium.model import context_of
from sensorium.recipe import conversations
from sensorium.types import Conversation

LEAST = HORIZON + 8  # samples of a piece, so that its mean and deviation are known before the end
WISHES = 100


def taught(count: int) -> list[Conversation]:
    """Series that training has the model write."""
    shares = {name: STAGE.shares[name] for name in ("go on", "write")}
    return list(conversations({"go on": go_on, "write": write}, shares, count, seed=0))


def wished(count: int) -> list[Conversation]:
    """Made-up series to wishes, none of them from training."""
    return [write(Random(f"held out:{number}")) for number in range(count)]


def unseen(series: ForecastSeries) -> list[np.ndarray]:
    """What comes after the first origin, in pieces of `CONTEXT` and `HORIZON`; the last may be shorter."""
    rest, whole = series.values[len(series.known) :], CONTEXT + HORIZON
    pieces = [rest[start : start + whole] for start in range(0, len(rest), whole)]
    return [piece for piece in pieces if len(piece) >= LEAST]


def bits_report(
    results: Results, model: Any, taught: Sequence[Conversation], minutes: float = 0.0, wishes: int = WISHES
) -> None:
    """Rows of `sensorium.evaluate.bits`, for wished series and for those gone on with.

    Args:
        results: where they go.
        taught: what the baselines learn from.
        minutes: of the LSTM, 0 for none.
        wishes: held-out made-up series.
    """
    senses, context = model.senses, context_of(model.lm)
    known = spans_of(senses, taught, context)
    others = baselines((), known, Books.of(model.vocabulary), minutes=minutes, say=results.say)
    seen = [gone_on(one.title, piece, changes=False) for one in SERIES for piece in unseen(one)]
    for name, talks in {"written to a wish": wished(wishes), "gone on with": seen}.items():
        own, quiet = spans_of(senses, talks, context), Results(say=lambda line: None)
        found = compare_bits(own, [OfModel(model), *others], quiet)
        for row in found.rows:
            results.rows.append(row._replace(measure=f"{name}, {row.measure}"))
            results.say(f"{name}, {row.measure} | {row.condition} | {row.value}")
        results.notes |= found.notes | {"base": model.base_name}
