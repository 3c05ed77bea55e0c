"""Every codec keeps the contract; see also examples/, where an outside one runs the same check."""

import json

import numpy as np
import pytest
import torch

from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.codecs.kmeans import KMeansCodec
from sensorium.codecs.pretrained import PretrainedCodec
from sensorium.types import InputError

SMALL = dict(latent_channels=8, base_channels=8, channel_multiplier=[1, 2], num_res_blocks=1)


def pictures(count: int = 6, size: int = 32) -> list[np.ndarray]:
    """Coloured discs on white, all different."""
    generator, (y, x) = np.random.default_rng(0), np.mgrid[:size, :size]
    found = []
    for _ in range(count):
        centre, radius = generator.integers(8, size - 8, 2), generator.integers(4, 12)
        picture = np.full((size, size, 3), 255, np.uint8)
        picture[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2] = generator.integers(0, 255, 3)
        found.append(picture)
    return found


def vq_model(kind: str):
    torch.manual_seed(0)
    if kind == "janus":
        from transformers.models.janus.configuration_janus import JanusVQVAEConfig
        from transformers.models.janus.modeling_janus import JanusVQVAE

        return JanusVQVAE(JanusVQVAEConfig(num_embeddings=32, num_patches=16, **SMALL | {"latent_channels": 64, "base_channels": 32}))
    if kind == "emu3":
        from transformers.models.emu3.configuration_emu3 import Emu3VQVAEConfig
        from transformers.models.emu3.modeling_emu3 import Emu3VQVAE

        config = Emu3VQVAEConfig(codebook_size=32, hidden_size=64, attn_resolutions=[], **SMALL | {"base_channels": 32, "latent_channels": 4})
        return Emu3VQVAE(config)
    from transformers.models.chameleon.configuration_chameleon import ChameleonVQVAEConfig
    from transformers.models.chameleon.modeling_chameleon import ChameleonVQVAE

    return ChameleonVQVAE(ChameleonVQVAEConfig(num_embeddings=32, embed_dim=8, resolution=32, **SMALL | {"base_channels": 32}))


@pytest.fixture(scope="module")
def kmeans() -> KMeansCodec:
    return KMeansCodec.fit(pictures(40), codes=64, size_px=32, patch_px=4, steps=30)


def test_kmeans_keeps_the_contract(kmeans):
    check_codec(kmeans, pictures())


@pytest.mark.parametrize("kind", ["janus", "emu3", "chameleon"])
def test_pretrained_codecs_keep_the_contract(kind):
    vq = vq_model(kind)
    torch.nn.init.normal_(vq.quantize.embedding.weight, std=0.1)
    check_codec(PretrainedCodec(vq, size_px=32), pictures())


def test_chameleon_says_that_it_cannot_write():
    codec = PretrainedCodec(vq_model("chameleon"), size_px=32)
    assert codec.facts.use == "read"
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codec.encode(pictures(1)))


def test_a_whole_model_gives_up_its_vq_model(tmp_path):
    vq = vq_model("janus")
    vq.save_pretrained(tmp_path / "vq")
    with pytest.raises(InputError, match="no VQ model could be loaded"):
        PretrainedCodec.from_hub(str(tmp_path / "nothing"))


def test_more_centroids_reconstruct_better():
    train, held_out = pictures(60), pictures(80)[60:]

    def error(codes: int) -> float:
        codec = KMeansCodec.fit(train, codes=codes, size_px=32, patch_px=4, steps=40)
        decoded = codec.decode(codec.encode(held_out))
        return float(np.mean((np.stack(decoded).astype(float) - np.stack(held_out)) ** 2))

    assert error(128) < 0.6 * error(4)


def test_too_few_patches_are_explained():
    with pytest.raises(InputError, match="different patches"):
        KMeansCodec.fit(pictures(1), codes=10_000, size_px=32, patch_px=4)


@pytest.fixture
def saved(kmeans, tmp_path):
    kmeans.save(tmp_path / "codec")
    return tmp_path / "codec"


def test_a_codec_cut_short_is_refused(saved):
    weights = saved / "codec.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        load_codec(saved)


def test_a_codec_without_its_weights_is_refused(saved):
    (saved / "codec.safetensors").unlink()
    with pytest.raises(InputError, match="not a codec folder"):
        load_codec(saved)


def test_facts_that_disagree_are_refused(saved):
    head = json.loads((saved / "codec.json").read_text())
    head["facts"]["codebook_sizes"] = [65]
    (saved / "codec.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="facts that its family does not confirm"):
        load_codec(saved)


def test_an_unknown_family_is_named(saved):
    head = json.loads((saved / "codec.json").read_text())
    (saved / "codec.json").write_text(json.dumps(head | {"family": "wavelets"}))
    with pytest.raises(ValueError, match="no codecs named 'wavelets' is installed"):
        load_codec(saved)
