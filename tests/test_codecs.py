"""Every codec keeps the contract; see also examples/, where an outside one runs the same check."""

import json

import numpy as np
import pytest
import torch

from sensorium.codecs.contract import check_codec
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.pretrained import PretrainedCodec, _classes
from sensorium.types import InputError, Signal

SHAPE = {"base_channels": 32, "channel_multiplier": [1, 2], "num_res_blocks": 1}
VQ_CONFIGS = {
    "janus": SHAPE | {"num_embeddings": 32, "num_patches": 16, "latent_channels": 64},
    "emu3": SHAPE | {"codebook_size": 32, "hidden_size": 64, "attn_resolutions": [], "latent_channels": 4},
    "chameleon": SHAPE | {"num_embeddings": 32, "embed_dim": 8, "resolution": 32, "latent_channels": 8},
}


def pictures(count: int = 6, size: int = 32) -> list[Signal]:
    """Coloured discs on white, all different."""
    generator, (y, x) = np.random.default_rng(0), np.mgrid[:size, :size]
    found = []
    for _ in range(count):
        centre, radius = generator.integers(8, size - 8, 2), generator.integers(4, 12)
        picture = np.full((size, size, 3), 255, np.uint8)
        picture[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2] = generator.integers(0, 255, 3)
        found.append(Signal(picture))
    return found


def vq_model(kind: str):
    """A tiny random VQ model whose codebook holds what its encoder gives for some pictures, so that codes differ."""
    settings, model = _classes(f"{kind}_vqgan")
    torch.manual_seed(0)
    vq, seen = model(settings(**VQ_CONFIGS[kind])).eval(), []
    hook = vq.quantize.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    PretrainedCodec(vq, size_px=16).encode(pictures(2))
    hook.remove()
    vectors = torch.cat([one.movedim(-3, -1).flatten(0, -2) for one in seen])
    vq.quantize.embedding.weight.data.copy_(vectors[torch.randperm(len(vectors))[:32]])
    return vq


def stacked(signals: list[Signal]) -> np.ndarray:
    return np.stack([signal.array for signal in signals]).astype(float)


@pytest.fixture(scope="module")
def kmeans() -> KMeansCodec:
    return KMeansCodec.fit(pictures(40), codes=64, size_px=32, patch_px=4, steps=30)


def test_kmeans_keeps_the_contract(kmeans):
    check_codec(kmeans, pictures())


@pytest.mark.parametrize("kind", VQ_CONFIGS)
def test_pretrained_codecs_keep_the_contract(kind):
    check_codec(PretrainedCodec(vq_model(kind), size_px=16), pictures(2))


@pytest.mark.parametrize("kind", VQ_CONFIGS)
def test_pretrained_codecs_give_the_codes_of_the_model(kind):
    vq, picture = vq_model(kind), pictures(1)[0]
    pixels = torch.tensor(picture.array / 127.5 - 1, dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.inference_mode():
        sizes = {"image_sizes": torch.tensor([[32, 32]])} if kind == "emu3" else {}
        tokens = vq.encode(pixels, **sizes).image_tokens
    expected = torch.stack(list(tokens)).flatten().tolist()
    assert len(set(expected)) > 4
    assert PretrainedCodec(vq, size_px=32).encode([picture])[0].tolist() == expected


def test_chameleon_says_that_it_cannot_write():
    codec = PretrainedCodec(vq_model("chameleon"), size_px=32)
    assert codec.facts.use == "read"
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codec.encode(pictures(1)))


@pytest.mark.parametrize("kind", VQ_CONFIGS)
def test_a_vq_model_by_itself_is_loaded(kind, tmp_path):
    vq = vq_model(kind)
    vq.save_pretrained(tmp_path / "vq")
    codec = PretrainedCodec.from_hub(str(tmp_path / "vq"), size_px=32, name="seen")
    assert codec.facts.name == "seen"
    assert codec.fingerprint() == PretrainedCodec(vq, size_px=32, name="seen").fingerprint()


def whole_model(kind: str):
    """A tiny model of text and pictures that holds the VQ model."""
    import transformers

    tiny = {"vocab_size": 99, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    tiny |= {"num_attention_heads": 2, "num_key_value_heads": 2, "pad_token_id": 0}
    if kind == "chameleon":
        config = transformers.ChameleonConfig(**tiny, vq_config=VQ_CONFIGS[kind], vocabulary_map={"<image>": 3})
        model = transformers.ChameleonForConditionalGeneration(config)
    elif kind == "emu3":
        text = tiny | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
        words = {"<image>": 3, "<|extra_200|>": 4}
        config = transformers.Emu3Config(text_config=text, vq_config=VQ_CONFIGS[kind], vocabulary_map=words)
        model = transformers.Emu3ForConditionalGeneration(config)
    else:
        vision = {
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 2,
        }
        text = tiny | {"model_type": "llama"}
        config = transformers.JanusConfig(text_config=text, vision_config=vision, vq_config=VQ_CONFIGS[kind])
        model = transformers.JanusForConditionalGeneration(config)
    model.model.vqmodel.load_state_dict(vq_model(kind).state_dict())
    return model


@pytest.mark.parametrize(("kind", "shard"), [("janus", "1GB"), ("emu3", "300KB"), ("chameleon", "300KB")])
def test_a_whole_model_gives_up_its_vq_model(kind, shard, tmp_path):
    whole_model(kind).save_pretrained(tmp_path / "whole", max_shard_size=shard)
    assert (tmp_path / "whole" / "model.safetensors.index.json").exists() == (shard == "300KB")
    codec = PretrainedCodec.from_hub(str(tmp_path / "whole"), size_px=16)
    assert codec.fingerprint() == PretrainedCodec(vq_model(kind), size_px=16).fingerprint()


def test_what_holds_no_vq_model_is_explained(tmp_path):
    with pytest.raises(InputError, match="no VQ model could be loaded from"):
        PretrainedCodec.from_hub(str(tmp_path / "nothing"))
    vq = vq_model("janus")
    vq.save_pretrained(tmp_path / "vq")
    (tmp_path / "vq" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors of .* could not be fetched"):
        PretrainedCodec.from_hub(str(tmp_path / "vq"))
    config = json.loads((tmp_path / "vq" / "config.json").read_text())
    (tmp_path / "vq" / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(InputError, match="holds no known VQ model; known: janus_vqgan"):
        PretrainedCodec.from_hub(str(tmp_path / "vq"))
    with pytest.raises(InputError, match=r"'janus_vqgan' is for image: .*codebooks"):
        PretrainedCodec(vq, codebooks=2)


def test_a_size_that_the_grid_does_not_divide_is_explained():
    with pytest.raises(InputError, match="multiple of 2 px, not 33"):
        PretrainedCodec(vq_model("janus"), size_px=33)


def test_without_a_size_the_trained_one_is_taken():
    assert [PretrainedCodec(vq_model(kind)).model.size_px for kind in VQ_CONFIGS] == [32, 256, 32]


def test_more_centroids_reconstruct_better():
    train, held_out = pictures(60), pictures(80)[60:]

    def error(codes: int) -> float:
        codec = KMeansCodec.fit(train, codes=codes, size_px=32, patch_px=4, steps=40)
        decoded = codec.decode(codec.encode(held_out))
        return float(np.mean((stacked(decoded) - stacked(held_out)) ** 2))

    assert error(128) < 0.6 * error(4)


def test_too_few_patches_are_explained():
    with pytest.raises(InputError, match="different pieces"):
        KMeansCodec.fit(pictures(1), codes=10_000, size_px=32, patch_px=4)


def test_no_pictures_are_explained():
    with pytest.raises(InputError, match="no medium to learn from"):
        KMeansCodec.fit([], codes=4, size_px=32, patch_px=4)


def test_kmeans_finds_the_clusters():
    """Flat patches of three colours, a little noisy: three centroids end on the three colours."""
    colours = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250]])
    noise = np.random.default_rng(0).integers(-9, 10, (30, 8, 8, 3))
    flat = [Signal((colours[i % 3] + noise[i]).clip(0, 255).astype(np.uint8)) for i in range(30)]
    codec = KMeansCodec.fit(flat, codes=3, size_px=8, patch_px=4, steps=50, seed=1)
    means = codec.centroids.reshape(3, 16, 3).mean(1) * 255
    assert sorted(map(tuple, means.round(-1).astype(int))) == [(10, 10, 250), (10, 250, 10), (250, 10, 10)]


class Bad(KMeansCodec):
    """A codec with one fault, so that the contract is seen to catch it."""

    def __init__(self, good: KMeansCodec, fault: str):
        super().__init__(good.centroids, **good.settings)
        self.fault, self.calls = fault, 0

    def encode(self, signals):
        self.calls += 1
        codes = super().encode(signals)
        if self.fault == "int32":
            return [one.astype(np.int32) for one in codes]
        if self.fault == "random":
            return [(one + self.calls) % 64 for one in codes]
        if self.fault == "batch":
            return [(one + len(signals)) % 64 for one in codes]
        if self.fault == "alike":
            return [np.zeros_like(one) for one in codes]
        return codes

    def decode(self, codes):
        if self.fault == "wraps":
            codes = [np.resize(one, 64).astype(int) % 64 for one in codes]
        decoded = super().decode(codes)
        return [Signal(one.array / 255) for one in decoded] if self.fault == "floats" else decoded

    def features(self, codebook):
        return super().features(codebook)[:-1] if self.fault == "features" else super().features(codebook)

    def config(self):
        return super().config() | ({"patch_px": 8, "size_px": 64} if self.fault == "config" else {})


FAULTS = {
    "int32": "codes must be int64",
    "random": "the same codes twice",
    "batch": "in a batch and one by one",
    "alike": "all media get the same codes",
    "wraps": "decode must refuse codes",
    "floats": "decode must return arrays of 3 dimensions and uint8",
    "features": "a codebook has 64 codes but 63 features",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_contract_catches(kmeans, fault):
    check_codec(Bad(kmeans, "none"), pictures())
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_codec(Bad(kmeans, fault), pictures())


def test_the_contract_catches_codecs_that_do_not_survive_saving(kmeans):
    with pytest.raises(InputError, match="does not fit its own weights"):
        check_codec(Bad(kmeans, "config"), pictures())
