"""``sensorium codecs``: facts of codecs in a table, and their speed."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.families.mel import MelCodec, MelConfig
from sensorium.families.uniform import UniformCodec
from sensorium.learning.listing import made_up, pace_of, table


@pytest.fixture
def speech() -> MelCodec:
    small = {"width": 8, "blocks": (1, 1), "fine": 8, "head_width": 8, "head_blocks": 1}
    return MelCodec(MelConfig(name="say", **small))


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_codes_and_bits_are_those_of_a_second_for_media_in_time(speech):
    head, _, row = cells(table([speech]))
    assert dict(zip(head, row, strict=True)) == {
        "codec": "say", "modality": "audio", "family": "mel", "use": "both", "header": "loudness:48",
        "codebooks": "2 x 4096", "frames": "25 a second", "codes": "50 a second", "bits": "600 a second",
    }  # fmt: skip


def test_codes_and_bits_are_those_of_a_medium_else():
    boxes = UniformCodec(
        4, bins=16, ranges=[(0, 64), (0, 48)] * 2, max_frames=5, name="b", modality="boxes", frame=(64, 48)
    )
    *_, row = cells(table([boxes], timed=True))
    assert row[5:9] == ["4 x 16", "at most 5", "at most 20", "at most 80"]
    assert row[9:] == ["-", "-"]  # no medium can be made up


def test_speed_is_told_against_the_time_that_media_last(speech):
    made = made_up(speech)
    assert made is not None
    assert made.array.shape == (32000, 1) and np.abs(made.array).max() <= 0.5
    pace = pace_of(speech)
    assert pace.unit == "x"
    assert pace.encoding and pace.decoding and min(pace.encoding, pace.decoding) > 1


def test_the_command_lists_those_in_the_box():
    found = CliRunner().invoke(app, ["codecs"])
    assert found.exit_code == 0
    names = {row[0] for row in cells(found.output)}
    assert {"image", "image-read"} <= names
    missing = CliRunner().invoke(app, ["codecs", "nowhere"])
    assert missing.exit_code == 2
    assert "no codec 'nowhere'" in missing.output
