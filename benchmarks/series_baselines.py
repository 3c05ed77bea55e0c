"""What others reach: nearest neighbour under dynamic time warping, MiniROCKET, seasonal naive, fracast.

Needs ``pip install aeon fracast`` beside Sensorium, best in an environment of its own, for aeon wants an older NumPy.
``PYTHONPATH=. python benchmarks/series_baselines.py`` writes results/sensors/baselines.json.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recipes.sensors.sets import SERIES, SETS, Example, ForecastSeries, half

from sensorium.evaluate.forecasts import scores, seasonal_naive
from sensorium.evaluate.values import Share
from sensorium.families.kernels import stretched
from sensorium.files import atomic_file
from sensorium.generate.forecast import LEVELS

OUT = Path("results/sensors/baselines.json")
Classify = Callable[[Sequence[Example], Sequence[Example]], Sequence[str]]
Forecast = Callable[[np.ndarray, ForecastSeries], np.ndarray]


def dtw(train: Sequence[Example], test: Sequence[Example]) -> Sequence[str]:
    """The class of the nearest series, channels warped together, without a window."""
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    model = KNeighborsTimeSeriesClassifier(distance="dtw", n_neighbors=1)
    model.fit([one.values.T.astype(float) for one in train], np.array([one.answer for one in train]))
    return list(model.predict([one.values.T.astype(float) for one in test]))


def minirocket(train: Sequence[Example], test: Sequence[Example]) -> Sequence[str]:
    """MiniROCKET with a ridge classifier, every series stretched to the longest of the training half."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    length = max(len(one.values) for one in train)
    model = MiniRocketClassifier(random_state=0)
    model.fit(np.stack([stretched(one.values, length).T for one in train]), np.array([one.answer for one in train]))
    return list(model.predict(np.stack([stretched(one.values, length).T for one in test])))


def majority(train: Sequence[Example], test: Sequence[Example]) -> Sequence[str]:
    """The most frequent class of the training half; of several, the first by name."""
    counts = Counter(one.answer for one in train)
    return [min(counts, key=lambda answer: (-counts[answer], answer))] * len(test)


def naive(history: np.ndarray, series: ForecastSeries) -> np.ndarray:
    return seasonal_naive(history, series.season, series.horizon)


class Fracast:
    """fracast 0.1.0, 85,001 parameters, zero shot; it may have seen public series such as these."""

    def __init__(self) -> None:
        from fracast import FracastModel

        self.model = FracastModel.from_pretrained(weights="fp32")
        assert np.allclose(self.model.quantiles, LEVELS)

    def __call__(self, history: np.ndarray, series: ForecastSeries) -> np.ndarray:
        return self.model.forecast(history, horizon=series.horizon).T


def score_classes(predict: Classify, name: str) -> dict[str, Any]:
    """Accuracy on the official test half."""
    started = time.perf_counter()
    test = half(name, "test")
    answers = predict(half(name, "train"), test)
    hits = sum(answer == one.answer for answer, one in zip(answers, test, strict=True))
    return Share(hits, len(test)).to_json() | {"seconds": round(time.perf_counter() - started, 1)}


def score_forecasts(forecast: Forecast, series: ForecastSeries) -> dict[str, float]:
    """Means over the origins."""
    found = scores(lambda history: forecast(history, series), series.rolling(), series.season)
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def main() -> None:
    classes = {"1-NN DTW": dtw, "MiniROCKET + ridge": minirocket, "majority class": majority}
    forecasts: dict[str, Forecast] = {"seasonal naive": naive, "fracast": Fracast()}
    report: dict[str, Any] = {
        "chance": {one.name: round(1 / len(one.classes), 4) for one in SETS},
        "accuracy": {way: {one.name: score_classes(f, one.name) for one in SETS} for way, f in classes.items()},
        "forecast": {way: {one.name: score_forecasts(f, one) for one in SERIES} for way, f in forecasts.items()},
    }
    with atomic_file(OUT) as file:
        file.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
