"""The `ctc` family: codes of what is said, and spectra that are made to vary."""

from __future__ import annotations

import numpy as np
import pytest

from sensorium.codecs import Learning, Media
from sensorium.codecs.contract import check_codec
from sensorium.families.ctc import CtcCodec
from sensorium.families.vary import varied
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.types import InputError, Signal

RATE_HZ = 16000.0
PITCHES = {"a": 300, "b": 900, "c": 2700}


def said(word: str, loud: float = 0.2) -> Signal:
    """A tone of its own for every letter, with a little silence between."""
    at_s = np.arange(int(0.16 * RATE_HZ)) / RATE_HZ
    pieces = [np.pad(np.sin(2 * np.pi * PITCHES[letter] * at_s) * np.hanning(len(at_s)), (0, 800)) for letter in word]
    return Signal(loud * np.concatenate(pieces)[:, None].astype(np.float32), RATE_HZ)


def words(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(PITCHES), rng.integers(3, 7))) for _ in range(count)]


def train(net, sample, loss, steps=700, **how):
    train_codec(net, sample, loss, CodecTraining(minutes=5, steps=steps, **how | {"batch": 12}), say=lambda line: None)


@pytest.fixture(scope="module")
def codec() -> CtcCodec:
    known = words(60, 0)
    media = Media.of([said(word) for word in known], known)
    tiny = {"width": 48, "blocks": (2, 1), "levels": (4, 4)}
    return CtcCodec.learn(media, Learning(minutes=1, train=train), modality="audio", **tiny)


def test_the_contract(codec):
    check_codec(codec, [said(word) for word in ("abc", "cab", "bbca")])


def test_new_words_are_spelled_whatever_their_loudness(codec):
    new = words(30, 1)
    found = codec.spell(codec.encode([said(word, loud) for word, loud in zip(new, [0.02, 0.7] * 15, strict=True)]))
    assert np.mean([a == b for a, b in zip(new, found, strict=True)]) > 0.8


def test_it_only_reads(codec):
    assert codec.facts.use == "read"
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codec.encode([said("abc")]))


def test_there_must_be_something_said():
    with pytest.raises(InputError, match="no medium"):
        CtcCodec.learn(Media.of([said("abc")]), Learning(minutes=1, train=train), modality="audio")


def test_spectra_vary_but_keep_their_place():
    rng = np.random.default_rng(0)
    mel_NM = np.full((100, 80), -1.6, np.float32)
    mel_NM[40:60, 20:30] = 1.5
    found = [varied(mel_NM, rng) for _ in range(200)]
    assert all(one.shape[1] == 80 and 70 <= len(one) <= 130 and np.isfinite(one).all() for one in found)
    loudest = [np.unravel_index(one.argmax(), one.shape)[0] / len(one) for one in found]
    assert np.mean([0.35 < place < 0.65 for place in loudest]) > 0.9
    assert np.mean([len(one) == 100 and np.array_equal(one, mel_NM) for one in found]) < 0.4
