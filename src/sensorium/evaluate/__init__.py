"""Measuring models: tasks with their scorers and controls, scores with intervals, paired tests, logs of others."""

from sensorium.evaluate.clustered import Rate, detectable, detectable_between, difference, rate
from sensorium.evaluate.compare import Comparison, compare, holm, table
from sensorium.evaluate.judge import Classifier, Judge, attempted, distinctness, judged, nearest, spread
from sensorium.evaluate.logs import read_log
from sensorium.evaluate.marks import Mark, Run, chance_of, rate_of
from sensorium.evaluate.results import Results
from sensorium.evaluate.scorers import Among, Concluded, Measured, Scorer, Verdict, Written
from sensorium.evaluate.task import Task
from sensorium.evaluate.values import Gap, Mean, Paired, Share, paired, top

__all__ = [
    "Among",
    "Classifier",
    "Comparison",
    "Concluded",
    "Gap",
    "Judge",
    "Mark",
    "Mean",
    "Measured",
    "Paired",
    "Rate",
    "Results",
    "Run",
    "Scorer",
    "Share",
    "Task",
    "Verdict",
    "Written",
    "attempted",
    "chance_of",
    "compare",
    "detectable",
    "detectable_between",
    "difference",
    "distinctness",
    "holm",
    "judged",
    "nearest",
    "paired",
    "rate",
    "rate_of",
    "read_log",
    "spread",
    "table",
    "top",
]
