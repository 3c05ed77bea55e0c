"""Clips as lists of things: what is told of real clips is true, and what cannot be read is said."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from recipes.motion.clips import Clip
from recipes.motion.moved import moved
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import trained

import sensorium as sm
from sensorium.codecs.contract import check_codec
from sensorium.families.things import Found, ThingsCodec
from sensorium.families.tracks import Track, TracksCodec
from sensorium.types import InputError, Signal

COUNT = 24
FIRST, LAST, SEEN, CHANGES = slice(4, 8), slice(8, 12), slice(12, 14), slice(14, 16)


@pytest.fixture(scope="module")
def codec() -> TracksCodec:
    return TracksCodec(trained())


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [moved(Random(number), "train", Atlas()) for number in range(COUNT)]


def signal(clip: Clip) -> Signal:
    return Signal(clip.frames, rate_hz=8.0)


def box(track: tuple[tuple[float, ...], ...], place: int) -> np.ndarray:
    return np.array(track[place][1:])


def test_it_is_a_codec(codec, clips):
    check_codec(codec, [signal(clip) for clip in clips[:3]])


def test_what_becomes_of_things_is_told(codec, clips):
    """Of things that do not turn: those become others to who only finds them."""
    right = total = 0
    for clip in clips:
        rows = codec.encode([signal(clip)])[0].reshape(-1, codec.facts.codebooks)
        events = {event.subject: event for event in clip.facts.events}
        for number, thing in enumerate(clip.facts.things):
            event = events.get(number)
            if event and event.what == "turns":
                continue
            track = thing.track or ((0.0, *thing.box), (2.0, *thing.box))
            seen = [track[0][0], 2.0 if track[-1][0] > 1.8 else track[-1][0] + 1 / 8]
            stays = event is None or event.what in ("appears", "vanishes")
            changes = [seen[0]] * 2 if stays else [event.start_s, event.end_s]
            row = min(rows, key=lambda row: np.abs(row[FIRST] - box(track, 0)).sum())
            total += 1
            right += (
                [codec.words(place)[row[place]] for place in (0, 1)] == [thing.name, thing.value("colour")]
                and np.abs(row[FIRST] - box(track, 0)).max() <= 2
                and np.abs(row[LAST] - box(track, -1)).max() <= 2
                and np.allclose(row[SEEN] / 8, seen)
                and np.abs(row[CHANGES] / 8 - changes).max() <= 1 / 4
            )
        assert len(rows) == len(clip.facts.things)
    assert total >= COUNT
    assert right == total


def test_things_are_followed_though_they_are_missed_now_and_then(codec, monkeypatch):
    def found(x: float) -> Found:
        return Found(1.0, (x, 10.0, x + 8, 18.0), dict.fromkeys(codec.picture.settings.values, 0))

    moments = [[found(4.0)], [found(8.0)], [], [], [found(16.0), found(50.0)], [found(20.0)]]
    monkeypatch.setattr(ThingsCodec, "find", lambda self, pictures: moments)
    (track,) = codec.tracks(Signal(np.zeros((6, 64, 64, 3), np.uint8), rate_hz=8.0))
    assert track.moments == [0, 1, 4, 5]
    row = codec.codes([track])
    assert [row[FIRST][0], row[LAST][0], *row[SEEN], *row[CHANGES]] == [4, 20, 0, 6, 0, 5]


def test_one_that_vanishes_and_another_that_appears_are_two(codec, monkeypatch):
    def found(x: float, value: int) -> Found:
        return Found(1.0, (x, 10.0, x + 8, 18.0), dict.fromkeys(codec.picture.settings.values, value))

    moments = [[found(4.0, 0)]] * 3 + [[found(14.0, 1)]] * 3
    monkeypatch.setattr(ThingsCodec, "find", lambda self, pictures: moments)
    rows = codec.encode([Signal(np.zeros((6, 64, 64, 3), np.uint8), rate_hz=8.0)])[0].reshape(-1, codec.facts.codebooks)
    assert rows[:, SEEN].tolist() == [[0, 3], [3, 6]]


def test_who_is_missed_for_too_long_is_another(codec, monkeypatch):
    one = Found(1.0, (4.0, 10.0, 12.0, 18.0), dict.fromkeys(codec.picture.settings.values, 0))
    monkeypatch.setattr(ThingsCodec, "find", lambda self, pictures: [[one]] * 2 + [[]] * 3 + [[one]] * 2)
    tracks = codec.tracks(Signal(np.zeros((7, 64, 64, 3), np.uint8), rate_hz=8.0))
    assert [track.moments for track in tracks] == [[0, 1], [5, 6]]


def test_nothing_and_one_moment_are_clips(codec):
    assert len(codec.encode([Signal(np.full((4, 64, 64, 3), 255, np.uint8), rate_hz=8.0)])[0]) == 0
    track = Track([0], [Found(1.0, (4, 4, 9, 9), dict.fromkeys(codec.picture.settings.values, 0))])
    assert codec.codes([track])[SEEN].tolist() == [0, 1]


def test_words_are_numbers_and_seconds(codec):
    said = [codec.words(place) for place in range(codec.facts.codebooks)]
    assert said[4][42] == said[8][42] == "forty two"
    assert [said[12][moment] for moment in (0, 4, 8)] == ["zero", "0.5", "one"]
    assert [len(words) for words in said] == list(codec.facts.codebook_sizes)


def test_what_cannot_be_followed_is_said(codec):
    with pytest.raises(InputError, match="more than the 64 of 'video-read'; cut it"):
        codec.encode([Signal(np.zeros((80, 64, 64, 3), np.uint8), rate_hz=8.0)])
    with pytest.raises(InputError, match="family 'things'"):
        TracksCodec(sm.codec("image-read"))
    with pytest.raises(InputError, match="no setting 'colour'"):
        TracksCodec.build(codec.config() | {"colour": 1}, codec.tensors())
