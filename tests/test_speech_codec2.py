"""The baseline codec2: its frames as codes, and sound that is still the sound."""

from __future__ import annotations

import numpy as np
import pytest
from recipes.speech import codec2
from recipes.speech.codec2 import FULL, MODES, RATE_HZ, Codec2
from sounds import tones

from sensorium.types import InputError, Signal

pytest.importorskip("pycodec2", reason="pycodec2 is missing: pip install pycodec2")

BITS = {700: (28, 40), 1200: (48, 40), 1300: (52, 40), 1400: (56, 40), 1600: (64, 40), 2400: (48, 20), 3200: (64, 20)}


def buzz(seconds: float) -> np.ndarray:
    """(T, 1): pulses at 125 Hz through one resonance, as a hummed vowel is made."""
    pulses = np.zeros(round(seconds * RATE_HZ))
    pulses[:: RATE_HZ // 125] = 1
    ringing = np.exp(-np.arange(80) / 16) * np.sin(2 * np.pi * 600 * np.arange(80) / RATE_HZ)
    return (0.4 * np.convolve(pulses, ringing)[: len(pulses), None]).astype(np.float32)


@pytest.mark.parametrize("bits_per_s", MODES)
def test_every_mode_has_its_rate_and_its_bits_survive(bits_per_s):
    codec = Codec2(bits_per_s)
    bits, lasting_ms = BITS[bits_per_s]
    assert codec.facts.bits_per_frame == bits
    assert codec.facts.frame_rate_hz == 1000 / lasting_ms
    sounds = [Signal(buzz(0.3), float(RATE_HZ)), Signal(tones(0.1, 0.5), 16000.0)]
    codes = codec.encode(sounds)
    assert [len(one) * lasting_ms / 1000 / codec.facts.codebooks for one in codes] == pytest.approx(
        [0.3, 0.6], abs=0.04
    )
    assert all(np.array_equal(one, again) for one, again in zip(codes, codec.encode(sounds), strict=True))
    coder = codec2.coder(bits_per_s)
    first = coder.encode((buzz(0.3)[: codec.rows, 0] * FULL).astype(np.int16))
    assert codec.packed(codes[0].reshape(-1, codec.facts.codebooks))[0].tobytes() == first


def test_the_pitch_and_the_length_of_a_sound_come_back():
    codec = Codec2(1300, max_frames=50)
    (back,) = codec.decode(codec.encode([Signal(buzz(1.0), float(RATE_HZ))]))
    assert back.array.shape == (RATE_HZ, 1)
    loudest_hz = 2 * np.abs(np.fft.rfft(back.array[2000:6000, 0])).argsort()[-6:]
    assert all(abs(height_hz - 124 * round(height_hz / 124)) <= 4 for height_hz in loudest_hz)
    assert 480 < loudest_hz[-1] < 640
    with pytest.raises(InputError, match="lasts 3 s, codec 'codec2' takes at most 2 s"):
        codec.encode([Signal(buzz(3.0), float(RATE_HZ))])


def test_a_mode_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="no mode of 900 bits a second; choose one of 700, 1200, 1300"):
        Codec2(900)
