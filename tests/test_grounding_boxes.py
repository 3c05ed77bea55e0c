"""Where something is to be located, a model that writes boxes answers with one, in px of the medium."""

from __future__ import annotations

import numpy as np
import pytest

from sensorium.grounding.providers import _told
from sensorium.types import Part, Signal


def boxes(*rows: tuple[float, ...]) -> Part:
    return Part("boxes", Signal(np.array(rows, np.float32).reshape(-1, 4), frame=(64.0, 64.0)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([Part("text", "There: "), boxes((16, 8, 32, 64), (0, 0, 1, 1))], "[160, 40, 320, 320]"),
        ([Part("text", "nowhere")], ""),
    ],
)
def test_the_first_box_is_told_in_the_frame_of_the_question(parts, said):
    assert _told(parts, (640, 320)) == said
