"""Notes with names: the tables, and what is drawn and played, from soundfonts of one tone."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest
from recipes.sounds import notes
from recipes.sounds.instruments import CHORDS, INSTRUMENTS, MELODY, NOT_HELD_OUT, ONCE, OWN, STROKES
from recipes.sounds.notes import CREDITS, FONTS, KINDS, PLAYED_HZ, RATE_HZ, kinds_of, played, sources, tidied
from tiny_soundfont import soundfont

from sensorium.files import cache_dir
from sensorium.types import InputError

KITS = [(notes.DRUMS, kit) for kit in (0, 16, 24, 25, 32)]


# --- the tables


def test_names_are_plain_and_each_plays_something():
    assert 40 <= len(KINDS) == len(set(KINDS)) <= 60
    assert all(kind == kind.lower().strip() and kind.replace(" ", "").replace("-", "").isalpha() for kind in KINDS)
    assert all(one.programs or one.drums for one in INSTRUMENTS.values())
    assert {one.plays for one in INSTRUMENTS.values()} == {MELODY, CHORDS, STROKES, ONCE}


def test_every_program_and_drum_is_of_one_kind_only():
    programs = Counter(program for one in INSTRUMENTS.values() for program in one.programs)
    drums = Counter(drum for one in INSTRUMENTS.values() for drum in one.drums)
    assert max(programs.values()) == max(drums.values()) == 1
    assert set(programs) <= set(range(128)) and set(drums) <= set(range(35, 88))
    assert not set(programs) & set(range(80, 104)), "leads, pads and effects of synthesizers"
    assert all(0 <= one.lowest <= one.highest <= 127 for one in INSTRUMENTS.values())
    assert all(one.highest - one.lowest >= 12 for one in INSTRUMENTS.values() if one.plays == CHORDS)


def test_what_is_held_out_is_of_another_font_and_has_no_kind_of_its_own():
    assert all(set(programs) <= set(INSTRUMENTS[kind].programs) for kind, programs in OWN.items())
    assert set(kinds_of("held-out")) <= set(kinds_of("train")) == set(KINDS)
    for split, fonts in {"train": {"fluid", "musescore"}, "held-out": {"timgm"}}.items():
        assert {one.font for kind in KINDS for one in sources(kind, split)} == fonts
    assert not [one for kind in KINDS for one in sources(kind, "held-out") if one.program in NOT_HELD_OUT]
    assert [str(one) for one in sources("cello", "train")] == ["fluid 42", "musescore 42"]
    assert [str(one) for one in sources("hand clap", "held-out")] == ["timgm drum 39", "timgm drum 39 of kit 25"]


def test_fonts_under_the_gpl_are_credited_for_evaluation_only():
    assert {one.package: one.use for one in CREDITS if "GPL" in one.licence} == {
        font.package: "evaluation only" for font in FONTS.values() if font.split == "held-out"
    }
    assert [one.package for one in CREDITS] == [font.package for font in FONTS.values()]


# --- samples


def test_silence_around_is_cut_and_the_rest_is_as_loud_as_all():
    tone = 0.01 * np.sin(2 * np.pi * 440 * np.arange(PLAYED_HZ) / PLAYED_HZ)
    found = tidied(np.concatenate([np.zeros(PLAYED_HZ), tone, np.zeros(PLAYED_HZ)]))
    assert len(found) / RATE_HZ == pytest.approx(1.005, abs=0.05)
    assert np.abs(found).max() == pytest.approx(0.5)
    assert np.abs(np.fft.rfft(found[:RATE_HZ])).argmax() == 440
    assert len(tidied(np.tile(tone, 6))) == 4 * RATE_HZ
    assert len(tidied(1e-5 * tone)) == len(tidied(np.zeros(0))) == 0


def test_what_is_too_high_for_the_rate_is_not_heard_as_something_lower():
    low, high = (np.sin(2 * np.pi * hz * np.arange(PLAYED_HZ) / PLAYED_HZ) for hz in (500, 11000))
    spectrum = np.abs(np.fft.rfft(tidied(low + high)[:RATE_HZ]))
    assert spectrum[4900:5100].max() < 0.01 * spectrum[500]


def test_a_constant_part_is_taken_out():
    time_s = np.arange(2 * PLAYED_HZ) / PLAYED_HZ
    found = tidied((0.3 + 0.1 * np.sin(2 * np.pi * 60 * time_s)) * (time_s > 0.5))
    assert abs(found[RATE_HZ // 2 : RATE_HZ].mean()) < 0.01
    spectrum = np.abs(np.fft.rfft(found[RATE_HZ // 4 : RATE_HZ // 4 + RATE_HZ]))
    assert spectrum.argmax() == 60


# --- playing


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """Fonts of one tone, that lack the program of a recorder and one of both flutes."""
    pytest.importorskip("tinysoundfont", reason="tinysoundfont is missing: pip install --no-deps tinysoundfont")
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    notes._opened.cache_clear()
    for font in FONTS.values():
        path = cache_dir() / "packages" / font.package.stem / font.path
        path.parent.mkdir(parents=True)
        path.write_bytes(soundfont([(0, program) for program in range(128) if program not in (73, 74)] + KITS))
    yield
    notes._opened.cache_clear()


def test_kinds_take_turns_and_what_a_font_lacks_is_drawn_anew_or_left_out(fonts):
    found = played("train", 2 * len(KINDS))
    assert Counter(one.kind for one in found) == {kind: 2 for kind in KINDS if kind != "recorder"}
    assert {one.source for one in found if one.kind == "flute"} == {"fluid 72"}
    assert len({one.source for one in found if one.kind == "organ"}) == 2
    for one in found:
        assert one.signal.array.dtype == np.float32 and one.signal.rate_hz == RATE_HZ
        assert one.signal.array.shape[1] == 1 and 0.2 * RATE_HZ <= len(one.signal.array) <= 4 * RATE_HZ
        assert np.abs(one.signal.array).max() == pytest.approx(0.5)


def test_the_same_is_played_whatever_was_played_before(fonts):
    first, other = played("train", 12), played("train", 12, seed=1)
    again = played("train", 40)[:12]
    assert [one.source for one in first] == [one.source for one in again]
    assert all(np.array_equal(a.signal.array, b.signal.array) for a, b in zip(first, again, strict=True))
    assert [one.kind for one in first] != [one.kind for one in other]
    assert {one.source.split()[0] for one in played("held-out", 12)} == {"timgm"}


def test_keys_are_played_at_their_pitch(fonts):
    for key, hz in ((60, 261.6), (69, 440.0)):
        samples = tidied(notes._sounded(notes.Source("fluid", 0), [notes.Stroke(key, 100, 0.0, 2.0)], 0.0))
        assert np.abs(np.fft.rfft(samples[:RATE_HZ])).argmax() == pytest.approx(hz, abs=1.5)


def test_wrong_splits_and_a_missing_player_are_told(fonts, monkeypatch):
    with pytest.raises(InputError, match="not 'test'"):
        played("test", 1)
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    with pytest.raises(InputError, match="pip install --no-deps tinysoundfont"):
        played("train", 1)


def centroid_hz(note: notes.Note) -> float:
    power = np.abs(np.fft.rfft(note.signal.array[:, 0])) ** 2
    return float((power * np.fft.rfftfreq(len(note.signal.array), 1 / RATE_HZ)).sum() / power.sum())


@pytest.mark.slow
def test_real_fonts_play_all_kinds_and_low_ones_sound_lower():
    """Fetches 50 MB of soundfonts on its first run."""
    pytest.importorskip("tinysoundfont", reason="tinysoundfont is missing: pip install --no-deps tinysoundfont")
    for split in ("train", "held-out"):
        kinds = kinds_of(split)
        try:
            found = played(split, 3 * len(kinds))
        except InputError as error:
            pytest.skip(str(error))
        assert Counter(one.kind for one in found) == dict.fromkeys(kinds, 3)
        assert min(float(np.sqrt(np.mean(one.signal.array**2))) for one in found) > 0.003
        heights = {kind: np.median([centroid_hz(one) for one in found if one.kind == kind]) for kind in kinds}
        for lower, higher in (("bass", "violin"), ("tuba", "trumpet"), ("bass drum", "hi-hat"), ("tom", "triangle")):
            assert heights[lower] < heights[higher]
