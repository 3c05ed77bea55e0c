"""The evaluation of scenes goes through every kind of question and its controls, and measures boxes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from recipes.scenes.evaluate import BLIND, OTHER, measure
from recipes.scenes.tasks import KINDS

from sensorium.engines import Scored
from sensorium.types import Part, Signal


class Everywhere:
    """Ranks answers as they come, and says that everything is in the left half."""

    def rank(self, talk, answers, wanted, **more):
        return [Scored(index, 0.0) for index in range(min(wanted, len(answers)))]

    def chat(self, talk, **more):
        left = Signal(np.array([[0, 0, 32, 64]], np.float32), frame=(64.0, 64.0))
        return SimpleNamespace(parts=(Part("boxes", left),))


def test_every_kind_is_asked_with_its_controls():
    results = measure(Everywhere(), "test", 4)
    rows = {(row.measure, row.condition) for row in results.rows}
    for kind in set(KINDS) - {"locate"}:
        assert {(f"stills: {kind}, top-1", one) for one in ("model", BLIND, OTHER)} <= rows
    assert ("stills: locate, IoU", BLIND) in rows
    overlap = results.value("stills: locate, IoU")
    assert 0 < overlap.value < 0.6, "a half of the picture meets some of what is asked for"
    assert set(results.notes["stills: locate, model: mAP"]) == {"0.5", "0.5 to 0.95"}
    assert results.value("stills: exists, top-1").value == 0.5, "the first answer is right half of the time"
