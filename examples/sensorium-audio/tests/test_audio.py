"""The modality and the codec keep their contracts; sounds survive files, and codes well enough to be told apart."""

import numpy as np
import pytest
from sensorium_audio import LogMel, audio

import sensorium as sm
from sensorium.codecs.contract import check_codec
from sensorium.modalities import Wish
from sensorium.modalities.contract import check_modality


def tone(pitch_hz: float, seconds: float = 0.4, rate_hz: float = 16000.0, channels: int = 1) -> sm.Signal:
    time = np.arange(round(seconds * rate_hz))[:, None] / rate_hz
    harmonics = sum(np.sin(2 * np.pi * pitch_hz * part * time + np.arange(channels)) / part for part in (1, 2, 3))
    return audio.check(sm.Signal((0.2 * harmonics * np.hanning(len(time))[:, None]).astype(np.float32), rate_hz))


@pytest.fixture(scope="module", autouse=True)
def known():
    """Where the package is not installed, it is made known here."""
    sm.register(audio)
    sm.register(LogMel)


@pytest.fixture(scope="module")
def codec():
    return LogMel.learn([tone(pitch) for pitch in (110, 150, 220, 330, 440, 700)], codes=32)


def test_the_contract_of_the_modality():
    check_modality(audio, [tone(220), tone(440, channels=2), tone(330, rate_hz=8000.0)])


def test_the_contract_of_the_codec(codec):
    check_codec(codec, [tone(220), tone(440, 0.7), tone(150, channels=2)])


def test_files_keep_samples_and_rate(tmp_path):
    for suffix in (".wav", ".flac"):
        audio.save(tone(220, channels=2), tmp_path / f"tone{suffix}")
        back = audio.open(tmp_path / f"tone{suffix}")
        assert back.rate_hz == 16000
        np.testing.assert_allclose(back.array, tone(220, channels=2).array, atol=1e-4)


def test_what_is_spoken_has_the_loudness_and_the_spectrum_of_what_was_heard(codec):
    sounds = [tone(220), audio.check(tone(440).with_array(tone(440).array * 0.1))]
    for sound, spoken in zip(sounds, codec.decode(codec.encode(sounds)), strict=True):
        assert spoken.rate_hz == 8000
        assert np.std(spoken.array) == pytest.approx(np.std(sound.array), rel=0.2)
        others = [audio.measures(other, spoken)["mel_difference_db"] for other in sounds if other is not sound]
        assert audio.measures(sound, spoken)["mel_difference_db"] < 0.7 * min(others)


def test_bad_sounds_are_refused_in_one_sentence(codec):
    for bad in (np.zeros((5, 1), np.float32), sm.Signal(np.full((9, 1), 2.0), 8000.0), b"RIFF and no more"):
        with pytest.raises(sm.InputError):
            audio.open(bad)
    with pytest.raises(sm.InputError, match="two samples or more, numbers"):
        audio.check(sm.Signal(np.array([[0.1], [np.nan]], np.float32), 8000.0))
    with pytest.raises(sm.InputError, match="two samples or more"):
        audio.check(sm.Signal(np.zeros((1, 1), np.float32), 8000.0))
    with pytest.raises(sm.InputError, match="100 frames"):
        codec.encode([audio.fit(tone(220, 3.0), Wish(channels=1))])
