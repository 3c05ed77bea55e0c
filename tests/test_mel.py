"""Spectra, and the `mel` family: sound to a few codes a second and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sensorium.codecs import Learning, Media
from sensorium.codecs.contract import check_codec
from sensorium.families.loudness import whole_frames
from sensorium.families.mel import MelCodec
from sensorium.families.spectra import Spectra
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.types import InputError, Signal

RATE_HZ = 16000.0
TINY = {"width": 48, "blocks": (1, 1), "fine": 32, "head_width": 48, "head_blocks": 1, "levels": (5, 5)}


def voice(pitch_hz: float, loud: float = 0.1, seconds: float = 0.8) -> Signal:
    """A hum with overtones that sways, and comes and goes."""
    at_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    turns = 2 * np.pi * (pitch_hz * at_s + 2 * np.sin(2 * np.pi * 3 * at_s))
    hum = sum(np.sin(part * turns) / part for part in range(1, 9)) * np.sin(np.pi * at_s / seconds)
    return Signal((loud * hum / np.sqrt(np.mean(hum**2)))[:, None].astype(np.float32), RATE_HZ)


VOICES = [voice(pitch, loud) for pitch in (90, 140, 220) for loud in (0.02, 0.1)]


@pytest.fixture(scope="module")
def codec() -> MelCodec:
    def train(net, sample, loss, **how):
        train_codec(net, sample, loss, CodecTraining(minutes=1, steps=200, **how | {"batch": 3}), say=lambda line: None)

    return MelCodec.learn(Media.of(VOICES), Learning(minutes=1, train=train), modality="audio", **TINY)


def test_the_contract(codec):
    check_codec(codec, [*VOICES, voice(180, 0.05, 1.37)])


def test_there_and_back_is_the_same_sound():
    sound = torch.from_numpy(VOICES[0].array.T.copy())
    spectra = Spectra()
    assert torch.allclose(spectra.inverse(spectra.transform(sound)), sound, atol=1e-5)
    assert spectra.transform(sound).shape == (1, spectra.bins, sound.shape[1] // spectra.hop)


def test_a_sound_is_found_from_its_spectra_alone():
    spectra = Spectra()
    sound = torch.from_numpy(VOICES[1].array.T / 0.1)
    found = spectra.griffin_lim(spectra.log_mel(sound))
    difference = (spectra.log_mel(found) - spectra.log_mel(sound)).abs().mean()
    assert difference < 0.1 * (spectra.log_mel(sound) - spectra.log_mel(sound).mean()).abs().mean()


def test_loudness_is_kept_and_silence_stays_silent(codec):
    quiet, loud = (codec.decode(codec.encode([voice(140, loud)]))[0].array.std() for loud in (0.01, 0.3))
    assert loud / quiet == pytest.approx(30, rel=0.2)
    (silence,) = codec.decode(codec.encode([Signal(np.zeros((8000, 1), np.float32), RATE_HZ)]))
    assert np.abs(silence.array).max() < 0.002


def test_what_is_learned_sounds_like_the_original(codec):
    spectra = codec.spectra
    heard = codec.sound(codec.layout.split(codec.encode([VOICES[1]])[0])[1])
    original = torch.from_numpy(whole_frames(VOICES[1], codec.settings.frame_rows, "audio")[1])[None]
    found, wanted = spectra.log_mel(torch.from_numpy(heard)[None]), spectra.log_mel(original)
    assert (found - wanted).abs().mean() < 0.5 * (wanted - wanted.mean()).abs().mean()


def test_the_first_codes_alone_are_a_codec(codec):
    coarse = codec.coarse(1)
    check_codec(coarse, VOICES[:2])
    (all_codes,), (first_codes,) = codec.encode([VOICES[0]]), coarse.encode([VOICES[0]])
    assert np.array_equal(all_codes[1::2], first_codes[1:])


def test_sound_comes_while_codes_come(codec):
    (codes,) = codec.encode([VOICES[0]])
    stream = codec.stream()
    assert stream.pull(codes[:3]) is None
    piece = stream.pull(codes[3:5])
    assert piece is not None
    assert len(piece.array) == codec.settings.frame_rows
    assert len(piece.array) / RATE_HZ <= 0.05
    with pytest.raises(InputError, match="as a whole"):
        stream.push(VOICES[0])


def test_only_sound_of_one_channel(codec):
    with pytest.raises(InputError, match="takes samples"):
        codec.encode([Signal(np.zeros((800, 1), np.uint8), RATE_HZ)])
