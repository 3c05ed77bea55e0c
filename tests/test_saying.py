"""Texts that are said while they are being written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sensorium.families.aloud import Aloud, AloudConfig
from sensorium.families.saying import Saying, Sounding
from sensorium.families.spectra import Spectra

CONFIG = AloudConfig(letters=" abcdefg", width=8, blocks=1, sound_width=8, sound_blocks=1)
TEXT = "abc de fg cab bad dab egg fed bee"


@pytest.fixture(scope="module")
def voice() -> Aloud:
    torch.manual_seed(0)
    aloud = Aloud(CONFIG).eval()
    torch.nn.init.constant_(aloud.lasting[-1].bias, 1.8)  # five frames a letter
    return aloud


def said(voice: Aloud, *parts: str) -> list[np.ndarray]:
    saying = Saying(CONFIG, voice)
    return [*(saying.add(part) for part in parts), saying.rest()]


@pytest.mark.parametrize("cuts", [(), (1,), (3, 4), (10, 11, 30), range(1, len(TEXT))])
def test_it_does_not_matter_how_a_text_comes(voice, cuts):
    edges = [0, *cuts, len(TEXT)]
    parts = said(voice, *(TEXT[a:b] for a, b in zip(edges, edges[1:], strict=False)))
    np.testing.assert_allclose(np.concatenate(parts), np.concatenate(said(voice, TEXT)), atol=1e-6)


def test_the_first_word_is_heard_once_the_second_stands(voice):
    saying = Saying(CONFIG, voice)
    assert not len(saying.add("abc de"))
    assert len(saying.add(" f"))


def test_what_is_said_lasts_as_long_as_its_letters(voice):
    for text in ("abc", "abc de", "abc de fg cab", TEXT):
        frames = len(np.concatenate(said(voice, text))) / CONFIG.hop
        assert frames == round(frames)
        assert frames == pytest.approx(5 * (len(text) + 2), rel=0.25)


def test_nothing_is_said_as_a_pause(voice):
    (sound,) = said(voice)
    assert 0 < len(sound) < 20 * CONFIG.hop


def test_pieces_of_a_sound_fit_together():
    """A tone in pieces is the tone again: no click where they meet."""
    spectra = Spectra()
    tone_S = torch.sin(2 * torch.pi * 440 / spectra.rate_hz * torch.arange(16000))
    mel_MN, sounding = spectra.log_mel(3 * tone_S[None])[0], Sounding(spectra)
    pieces = [sounding.add(mel_MN[:, start : start + 17], start == 85) for start in range(0, 100, 17)]
    sound_S = torch.from_numpy(np.concatenate(pieces))
    assert len(sound_S) == 16000
    jumps = [one_S.diff().abs()[2000:14000].max() for one_S in (sound_S, spectra.griffin_lim(mel_MN[None])[0])]
    assert jumps[0] < 1.5 * jumps[1]
    assert (spectra.log_mel(sound_S[None])[0] - mel_MN).abs()[:, 10:-10].mean() < 0.25
