"""Scores of forecasts. Legend: O origins or series, H steps, Q quantile levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sensorium.generate.forecast import LEVELS

MEDIAN = LEVELS.index(0.5)


def naive_error(history: np.ndarray, season: int) -> float:
    """Mean absolute error of the seasonal naive forecast inside the history: the scale of MASE.

    Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006). ``history`` (time,) must be longer
    than a season.
    """
    return float(np.abs(history[season:] - history[:-season]).mean())


def mase(actual: np.ndarray, forecast: np.ndarray, scale: float) -> float:
    """Mean absolute scaled error of a point forecast; ``actual``, ``forecast`` (H,)."""
    return float(np.abs(actual - forecast).mean() / scale)


def crps(actual: np.ndarray, quantiles_QH: np.ndarray, scale: float) -> float:
    """Continuous ranked probability score, scaled like MASE, from quantiles at ``LEVELS``.

    Twice the pinball loss, averaged over levels and steps; with a point forecast at every level it is MASE's value.
    """
    levels = np.array(LEVELS)[:, None]
    over = actual[None] - quantiles_QH
    return float(2 * np.maximum(levels * over, (levels - 1) * over).mean() / scale)


def coverage(actual: np.ndarray, quantiles_QH: np.ndarray) -> float:
    """Share of steps between the lowest and the highest quantile; 0.8 if the forecast is calibrated."""
    return float(((quantiles_QH[0] <= actual) & (actual <= quantiles_QH[-1])).mean())


def seasonal_naive(history: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """The last season again, with quantiles of what that was wrong by in the history: (Q, H)."""
    point = np.resize(history[-season:], horizon)
    wrong = history[season:] - history[:-season]
    return point + np.quantile(wrong - np.median(wrong), LEVELS)[:, None]


def scores(
    quantiles: Callable[[np.ndarray], np.ndarray], rolling: Sequence[tuple[np.ndarray, np.ndarray]], season: int
) -> dict[str, list[float]]:
    """A value of every measure for every origin, in units of the seasonal naive error inside each history.

    Args:
        quantiles: from a history to (Q, H) at `LEVELS`.
        rolling: history and what came next, at every origin.
    """
    found: dict[str, list[float]] = {"MASE": [], "CRPS": [], "coverage of 80 %": []}
    for history, actual in rolling:
        quantiles_QH, scale = quantiles(history), naive_error(history, season)
        found["MASE"].append(mase(actual, quantiles_QH[MEDIAN], scale))
        found["CRPS"].append(crps(actual, quantiles_QH, scale))
        found["coverage of 80 %"].append(coverage(actual, quantiles_QH))
    return found
