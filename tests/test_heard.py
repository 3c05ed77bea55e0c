"""What the layers of a Whisper encoder hear, and a lexical codec that sees by it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperModel

from sensorium.codecs import Learning, Media, load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.features import features
from sensorium.families.lexical import LexicalCodec
from sensorium.families.sight import FeatureSight
from sensorium.types import InputError, Signal

HOW = Learning(minutes=0, train=lambda *given, **named: pytest.fail("nothing is trained"), say=lambda line: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    torch.manual_seed(0)
    small = {"d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 48}
    other = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 32, "vocab_size": 60}
    special = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 1)
    place = tmp_path_factory.mktemp("ear")
    model = WhisperModel(WhisperConfig(**small, **other, **special))
    for conv in (model.encoder.conv1, model.encoder.conv2):
        torch.nn.init.normal_(conv.weight, std=0.2)
    model.save_pretrained(place)
    return str(place)


def tone(hz: float, seconds: float = 0.5, loud: float = 0.3, seed: int = 0) -> Signal:
    at = np.arange(round(16000 * seconds)) / 16000
    noise = np.random.default_rng(seed).normal(0, 0.05, len(at))
    return Signal((loud * (np.sin(2 * np.pi * hz * at) + noise)).astype(np.float32)[:, None], 16000.0)


def test_rows_are_those_of_the_layer_of_transformers(folder):
    long = tone(440, 31.0)
    _, rows = features("heard", source=folder, layer=1)(long)
    assert rows.shape == (1550, 32)
    spectra = torch.from_numpy(_first_half_minute(long))[None]
    with torch.inference_mode():
        wanted = WhisperModel.from_pretrained(folder).encoder(spectra, output_hidden_states=True).hidden_states[1]
    np.testing.assert_allclose(rows[:1500], wanted[0], atol=1e-3, rtol=1e-2)


def _first_half_minute(signal: Signal) -> np.ndarray:
    from sensorium.families.loudness import unit_loud
    from sensorium.families.whisper import LOUD, log_mel

    samples = LOUD * unit_loud(signal.array[:, 0])[1][:480_000]
    return log_mel(torch.from_numpy(samples), 80).numpy()


def test_loudness_and_silence(folder):
    heard = features("heard", source=folder)
    with pytest.raises(InputError, match="has 2 layers, not 3"):
        heard(tone(440))
    heard = features("heard", source=folder, layer=2)
    np.testing.assert_allclose(heard(tone(440, loud=0.01))[1], heard(tone(440, loud=0.5))[1], atol=2e-2)
    assert np.isfinite(heard(Signal(np.zeros((1, 1), np.float32), 16000.0))[1]).all()


def test_a_lexical_codec_sees_by_them(folder, tmp_path):
    named = [(tone(hz, seed=seed), word) for word, hz in (("low", 200), ("high", 3000)) for seed in range(4)]
    media = Media.of([signal for signal, _ in named], [word for _, word in named])
    codec = LexicalCodec.learn(media, HOW, of="heard", modality="audio", source=folder, layer=1, codes=1)
    assert codec.facts.name == "audio-words" and codec.facts.wish.rate_hz == 16000
    said = [codec.words(0)[codes[0]] for codes in codec.encode([tone(190, seed=9), tone(3100, 0.8, seed=8)])]
    assert said == ["low", "high"]
    check_codec(codec, [tone(200), tone(3000)])
    codec.save(tmp_path / "codec")
    np.testing.assert_array_equal(load_codec(tmp_path / "codec").encode([tone(250)])[0], codec.encode([tone(250)])[0])


def test_damaged_features_are_told(folder):
    sight = FeatureSight("heard", "audio", {"source": folder}, np.zeros(32, np.float32), np.ones(32, np.float32))
    again = FeatureSight.of_told(sight.told(), sight.tensors())
    assert again.told() == sight.told()
    with pytest.raises(InputError, match="spreads above 0"):
        FeatureSight.of_told(sight.told(), sight.tensors() | {"spread": np.zeros(32, np.float32)})
    with pytest.raises(InputError, match="'mean' and 'spread'"):
        FeatureSight.of_told(sight.told(), {})
