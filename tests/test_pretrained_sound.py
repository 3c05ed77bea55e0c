"""Sound tokenizers of `transformers` as codecs: their own codes and sound, the first codebooks, fetching."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.pretrained import PretrainedCodec, _classes
from sensorium.types import InputError, Signal

ENCODEC = {
    "num_filters": 4,
    "num_residual_layers": 1,
    "upsampling_ratios": [4, 2],
    "hidden_size": 16,
    "num_lstm_layers": 1,
}
TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
HUBERT = TRANSFORMER | {
    "model_type": "hubert",
    "conv_dim": [8, 8],
    "conv_kernel": [4, 4],
    "conv_stride": [4, 2],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "mimi": ENCODEC | TRANSFORMER | {
        "num_key_value_heads": 2, "head_dim": 8, "num_filters": 4, "codebook_size": 32, "codebook_dim": 8,
        "vector_quantization_hidden_dimension": 8, "num_quantizers": 4, "sampling_rate": 800, "frame_rate": 50,
        "upsample_groups": 16, "sliding_window": 16,
    },
    "encodec": ENCODEC | {
        "codebook_size": 32, "codebook_dim": 16, "sampling_rate": 800, "target_bandwidths": [0.5, 2.0],
    },
    "dac": {
        "encoder_hidden_size": 8, "downsampling_ratios": [4, 2], "upsampling_ratios": [2, 4], "n_codebooks": 4,
        "decoder_hidden_size": 16, "codebook_size": 32, "codebook_dim": 4, "sampling_rate": 800,
    },
    "xcodec": {
        "sample_rate": 16000, "codebook_size": 32, "target_bandwidths": [20.0, 40.0],
        "acoustic_model_config": {
            "model_type": "dac", "encoder_hidden_size": 8, "downsampling_ratios": [4, 2], "upsampling_ratios": [4, 2],
            "decoder_hidden_size": 16, "hidden_size": 16, "codebook_dim": 4, "sampling_rate": 16000,
        },
        "semantic_model_config": HUBERT,
    },
}  # fmt: skip


def model(kind: str) -> Any:
    """A tiny random one, whose codebooks lie where the encoder's values do, so that codes differ."""
    settings, made = _classes(kind)
    torch.manual_seed(0)
    vq = made(settings(**CONFIGS[kind])).eval()
    for name, value in vq.state_dict().items():
        if name.endswith("embed") or "embed_sum" in name:
            value.copy_(torch.randn(value.shape) * 0.3)
    return vq


def sounds(count: int = 3, seed: int = 0, rate_hz: float = 800.0) -> list[Signal]:
    rng = np.random.default_rng(seed)
    rows = rng.integers(150, 260, count)
    return [Signal(rng.normal(0, 0.3, (n, 1)).astype(np.float32), rate_hz=rate_hz) for n in rows]


def own_codes(kind: str, vq: Any, whole: np.ndarray) -> np.ndarray:
    """(Q, T) as a user of transformers would get them."""
    sound = torch.from_numpy(whole.T[None].copy())
    with torch.inference_mode():
        if kind == "encodec":
            return vq.encode(sound, bandwidth=2.0).audio_codes[0, 0].numpy()
        return vq.encode(sound).audio_codes[0].numpy()


@pytest.mark.parametrize("kind", CONFIGS)
def test_sound_codecs_keep_the_contract(kind):
    codec = PretrainedCodec(model(kind))
    check_codec(codec, sounds(rate_hz=codec.model.rate_hz))


@pytest.mark.parametrize("kind", CONFIGS)
def test_codes_and_sound_are_those_of_the_model(kind):
    vq = model(kind)
    codec = PretrainedCodec(vq)
    hop = codec.model.header.hop
    whole = Signal(sounds(1)[0].array[: 12 * hop], rate_hz=codec.model.rate_hz)
    (codes,) = codec.encode([whole])
    _, frames = codec.layout.split(codes)
    expected = own_codes(kind, vq, whole.array)
    assert np.array_equal(frames.T, expected)
    assert len(np.unique(expected)) > 4
    with torch.inference_mode():
        tokens = torch.from_numpy(expected[None])
        found = vq.decode(tokens[None], [None]) if kind == "encodec" else vq.decode(audio_codes=tokens)
    restored = found.audio_values.flatten().numpy()[: len(whole.array)]
    (back,) = codec.decode([codes])
    assert back.rate_hz == codec.model.rate_hz
    np.testing.assert_array_equal(back.array[: len(restored), 0], restored.clip(-1, 1))


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_first_codebooks_alone_are_the_first_of_all(kind):
    vq = model(kind)
    some, whole = PretrainedCodec(vq, codebooks=2, name="two"), PretrainedCodec(vq)
    (sound,) = sounds(1, rate_hz=some.model.rate_hz)
    assert some.facts.codebooks == 2
    few, many = some.layout.split(some.encode([sound])[0])[1], whole.layout.split(whole.encode([sound])[0])[1]
    assert np.array_equal(few, many[:, :2])
    check_codec(some, sounds(rate_hz=some.model.rate_hz))


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_model_of_a_folder_becomes_a_codec(kind, tmp_path):
    vq = model(kind)
    vq.save_pretrained(tmp_path / "model")
    codec = PretrainedCodec.from_hub(str(tmp_path / "model"), name="said", codebooks=2)
    assert codec.facts.name == "said"
    assert codec.facts.modality == "audio"
    codec.save(tmp_path / "codec")
    (sound,) = sounds(1, rate_hz=codec.model.rate_hz)
    expected = PretrainedCodec(vq, codebooks=2).encode([sound])[0]
    assert np.array_equal(load_codec(tmp_path / "codec").encode([sound])[0], expected)


def test_every_length_comes_back_as_it_was():
    codec = PretrainedCodec(model("encodec"))
    for rows in (1, 7, 8, 9, 100):
        sound = Signal(np.ones((rows, 1), np.float32), rate_hz=800.0)
        assert codec.decode(codec.encode([sound]))[0].array.shape == (rows, 1)


def test_what_does_not_suit_a_sound_model_is_told():
    with pytest.raises(InputError, match="has 4 codebooks, so it cannot use 5"):
        PretrainedCodec(model("dac"), codebooks=5)
    with pytest.raises(InputError, match=r"'dac' is for audio: .*size_px"):
        PretrainedCodec(model("dac"), size_px=8)
    settings, made = _classes("encodec")
    with pytest.raises(InputError, match="scales sound or cuts it into chunks"):
        PretrainedCodec(made(settings(**CONFIGS["encodec"], normalize=True)))
    codec = PretrainedCodec(model("dac"), most_s=0.1)
    with pytest.raises(InputError, match=r"takes at most 0.1 s \(10 frames\); cut it"):
        codec.encode(sounds(1))
