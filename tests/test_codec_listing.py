"""``sensorium codecs``: facts of codecs in a table, and their speed."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from sounds import Steps
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.mel import MelCodec, MelConfig
from sensorium.families.uniform import UniformCodec
from sensorium.learning.listing import made_up, pace_of, table
from sensorium.types import Signal


@pytest.fixture
def speech() -> MelCodec:
    small = {"width": 8, "blocks": (1, 1), "fine": 8, "head_width": 8, "head_blocks": 1}
    return MelCodec(MelConfig(name="say", **small))


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_codes_and_bits_are_those_of_a_second_for_media_in_time(speech):
    head, _, row = cells(table({"runs/say": speech}))
    assert dict(zip(head, row, strict=True)) == {
        "codec": "runs/say", "name": "say", "modality": "audio", "family": "mel", "use": "both",
        "header": "loudness:48", "codebooks": "2 x 4096",
        "frames": "25 a second", "codes": "50 a second", "bits": "600 a second",
    }  # fmt: skip


def test_codes_and_bits_are_those_of_a_medium_else():
    boxes = UniformCodec(
        4, bins=16, ranges=[(0, 64), (0, 48)] * 2, max_frames=5, name="b", modality="boxes", frame=(64, 48)
    )
    *_, row = cells(table({"b": boxes}, timed=True))
    assert row[6:10] == ["4 x 16", "at most 5", "4 a frame, at most 20", "16 a frame, at most 80"]
    assert row[10:] == ["-", "-"]  # no medium can be made up
    picture = FSQCodec(FSQConfig(name="p", levels=(4, 4), grid=8))
    *_, row = cells(table({"p": picture}))
    assert row[7:10] == ["64", "64", "256"], "each has as many"


def test_speed_is_told_against_the_time_that_media_last(speech):
    made = made_up(speech)
    assert made is not None
    assert made.array.shape == (32000, 1) and np.abs(made.array).max() <= 0.5
    pace = pace_of(speech)
    assert pace.unit == "x"
    assert pace.encoding and pace.decoding and min(pace.encoding, pace.decoding) > 1


class Words(Steps):
    """A code is half a second, however it is heard: there is no rate, and in noise there are no codes."""

    family = "words"

    def __init__(self):
        super().__init__()
        self.facts = replace(self.facts, frame_rate_hz=None, hop=None, header=(), min_frames=0)

    def encode(self, signals):
        return [np.zeros(0, np.int64) for _ in signals]

    def decode(self, codes):
        time.sleep(0.05)
        return [Signal(np.zeros((8000 * len(one), 1), np.float32), 16000.0) for one in codes]


def test_sound_whose_codes_have_no_rate_is_timed_by_what_comes_out():
    codec = Words()
    *_, row = cells(table({"words": codec}))
    assert row[8:10] == ["1 a frame, at most 50", "3 a frame, at most 150"]
    pace = pace_of(codec)
    assert pace.unit == "x" and pace.decoding == pytest.approx(16 * 0.5 / 0.05, rel=0.5)


def test_codecs_that_others_of_the_same_name_hide_are_listed_with_whose_they_are(tmp_path, monkeypatch):
    from sensorium import api

    for number, model in enumerate(("amber", "nano", "smol"), start=2):
        FSQCodec(FSQConfig(name="toy", levels=(number, 3))).save(tmp_path / model / "codecs" / "toy")
    monkeypatch.setattr(api, "IN_THE_BOX", tmp_path)
    _, _, *rows = cells(CliRunner().invoke(app, ["codecs"]).output)
    assert [(row[0], row[1], row[6]) for row in rows] == [
        ("amber/toy", "toy", "6"), ("nano/toy", "toy", "9"), ("smol/toy", "toy", "12"),
    ]  # fmt: skip
    assert api.codec("smol/toy").facts.codebook_sizes == (12,)
    _, _, row = cells(CliRunner().invoke(app, ["codecs", "smol/toy"]).output)
    assert (row[0], row[6]) == ("smol/toy", "12")


def test_the_command_lists_those_in_the_box():
    found = CliRunner().invoke(app, ["codecs"])
    assert found.exit_code == 0
    names = {row[0] for row in cells(found.output)}
    assert {"nano/image", "nano/image-read", "smol/image-read", "smol/audio-words"} <= names
    missing = CliRunner().invoke(app, ["codecs", "nowhere"])
    assert missing.exit_code == 2
    assert "no codec 'nowhere'" in missing.output
