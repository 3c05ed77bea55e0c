"""Measuring models: tasks with their scorers and controls, shares with intervals, tables of results."""

from sensorium.evaluate.judge import Classifier, Judge, attempted, distinctness, judged, nearest, spread
from sensorium.evaluate.results import Results
from sensorium.evaluate.scorers import Among, Measured, Scorer, Verdict, Written
from sensorium.evaluate.task import Task
from sensorium.evaluate.values import Mean, Paired, Share, paired, top

__all__ = [
    "Among",
    "Classifier",
    "Judge",
    "Mean",
    "Measured",
    "Paired",
    "Results",
    "Scorer",
    "Share",
    "Task",
    "Verdict",
    "Written",
    "attempted",
    "distinctness",
    "judged",
    "nearest",
    "paired",
    "spread",
    "top",
]
