"""The FSQ codec family: quantiser, codec, training, report, and the recipe's sampling."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from recipes.pictograms.codec import picture_loss, training_pictures
from recipes.pictograms.concepts import Picture

from sensorium.codecs.contract import check_codec
from sensorium.families.fsq import FSQCodec, FSQConfig, fsq_levels
from sensorium.families.fsq_net import Quantiser
from sensorium.families.net_codec import pixels_to_net
from sensorium.learning.training import CodecTraining, train_codec, trained_net
from sensorium.modalities.augment import augment, moved
from sensorium.modalities.image import to_square
from sensorium.training.schedule import lr_share
from sensorium.types import InputError, Signal

TINY = FSQConfig(
    name="tiny",
    levels=(4, 3),
    grid=4,
    size_px=32,
    encoder_widths=(16, 16),
    encoder_blocks=(0, 1),
    decoder_widths=(16, 16),
    decoder_blocks=(0, 1),
)


def blobs(count: int, side: int = 32, seed: int = 0) -> list[Signal]:
    """Pictures with one coloured box each on white."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        picture = np.full((side, side, 3), 255, np.uint8)
        top, left = rng.integers(0, side // 2, 2)
        picture[top : top + side // 2, left : left + side // 2] = rng.integers(0, 255, 3)
        found.append(Signal(picture))
    return found


def stacked(signals: list[Signal]) -> np.ndarray:
    return np.stack([signal.array for signal in signals])


@pytest.fixture
def codec() -> FSQCodec:
    """Untrained, but its channels spread over their levels as training would have them."""
    torch.manual_seed(0)
    net = TINY.net()
    pictures = pixels_to_net(torch.from_numpy(stacked(blobs(32))))
    for _ in range(200):
        net.encoder(pictures)
    return FSQCodec(TINY, net)


def test_every_code_of_the_quantiser_is_reached_and_comes_back():
    quantiser = Quantiser((8, 5, 3))
    codes = torch.arange(quantiser.codes).view(-1, 1, 1)
    values = quantiser.decode(codes)
    assert values.abs().max() < 1
    before = torch.special.logit((values + 1) / 2) / 1.6
    assert torch.equal(quantiser.encode(before), codes)
    torch.testing.assert_close(quantiser(before), values)


def test_quantiser_agrees_with_its_decoded_codes_and_passes_gradients():
    quantiser = Quantiser((8, 5, 5, 5))
    z = torch.randn(3, 4, 4, 4, requires_grad=True)
    out = quantiser(z)
    torch.testing.assert_close(out, quantiser.decode(quantiser.encode(z)))
    out.sum().backward()
    assert z.grad is not None
    assert (z.grad > 0).all()


def test_levels_are_used_evenly_for_normal_input():
    quantiser = Quantiser((8,))
    share = torch.bincount(quantiser.encode(torch.randn(1, 1, 300, 300)).flatten(), minlength=8) / 90_000
    assert share.min() > 0.09


def test_codes_have_the_shape_of_the_facts_and_decode_to_pictures(codec):
    codes = codec.encode(blobs(3))
    assert [one.shape for one in codes] == [(16,)] * 3
    assert codes[0].dtype == np.int64
    assert codec.facts.codebook_sizes == (12,)
    decoded = codec.decode(codes)
    assert decoded[0].array.shape == (32, 32, 3)
    assert decoded[0].array.dtype == np.uint8


def test_codes_do_not_depend_on_the_company(codec):
    pictures = blobs(70)
    together = codec.encode(pictures)
    for index in (0, 33, 69):
        assert np.array_equal(codec.encode([pictures[index]])[0], together[index])
    assert all(np.array_equal(a, b) for a, b in zip(together, codec.encode(pictures), strict=True))


def test_codec_keeps_the_contract(codec):
    check_codec(codec, blobs(12))


def test_saved_codec_gives_the_same_codes_and_fits_small_files(codec, tmp_path):
    codec.save(tmp_path / "codec")
    head = json.loads((tmp_path / "codec" / "codec.json").read_text())
    assert head["family"] == "fsq"
    from safetensors.numpy import load_file

    again = FSQCodec.build(head["config"], load_file(str(tmp_path / "codec" / "codec.safetensors")))
    assert again.facts == codec.facts
    assert again.fingerprint() == codec.fingerprint()
    pictures = blobs(5)
    assert all(np.array_equal(a, b) for a, b in zip(again.encode(pictures), codec.encode(pictures), strict=True))
    weights = sum(p.numel() for p in codec.net.parameters())
    assert (tmp_path / "codec" / "codec.safetensors").stat().st_size < 2.2 * weights + 8000


def test_refined_codes_restore_every_picture_as_well_or_better():
    net = tiny_net()
    train_codec(net, sample_blobs, picture_loss, CodecTraining(minutes=9, steps=60, batch=16, lr=0.01))
    pictures, patient = blobs(20), FSQCodec(replace(TINY, refine_steps=12), net)
    errors = []
    for one in (FSQCodec(TINY, net), patient):
        with torch.inference_mode():  # as in a server: refining needs gradients all the same
            back = one.decode(one.encode(pictures))
        errors.append([np.square(a.array.astype(float) - b.array).mean() for a, b in zip(pictures, back, strict=True)])
    first, better = map(np.array, errors)
    assert (better <= first + 0.5).all()  # half a step of a byte: pictures are rounded after the error was taken
    assert better.mean() < 0.97 * first.mean()
    assert patient.fingerprint() == FSQCodec(TINY, net).fingerprint()
    alone = patient.encode(pictures[3:4])[0]
    assert np.array_equal(alone, patient.encode(pictures)[3])


def test_other_sizes_are_fitted_on_white_and_bad_arrays_refused(codec):
    wide = np.zeros((10, 40, 3), np.uint8)
    fitted = to_square(wide, 32)
    assert fitted.shape == (32, 32, 3)
    assert fitted[0].min() == 255
    assert fitted[16].max() == 0
    assert len(codec.encode([Signal(wide)])) == 1
    with pytest.raises(InputError, match="RGB picture"):
        codec.encode([Signal(np.zeros((32, 32), np.uint8))])
    with pytest.raises(InputError, match="out of range"):
        codec.decode([np.full(16, 12)])


def test_features_differ_in_one_place_for_codes_that_differ_in_one_level(codec):
    features = codec.features(0)
    assert features.shape == (12, 7)
    assert features.dtype == np.float32
    assert (features.sum(1) == 2).all()
    assert features[0] @ features[1] == 1
    assert len(np.unique(features, axis=0)) == 12


def test_widths_that_do_not_lead_to_the_grid_are_refused():
    with pytest.raises(ValueError, match="halve"):
        replace(TINY, grid=8).net()


def sample_blobs(rng, size):
    pictures = stacked(blobs(size, seed=int(rng.integers(1 << 30))))
    return {"x": torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1}


@torch.no_grad()
def error_on(net, batch) -> float:
    return float((net(batch["x"])[0] - batch["x"]).square().mean())


def tiny_net() -> torch.nn.Module:
    torch.manual_seed(0)
    return TINY.net()


def test_training_lowers_the_error_and_a_run_that_is_over_is_told_so(tmp_path):
    net, held_back = tiny_net(), sample_blobs(np.random.default_rng(9), 32)
    before = error_on(net, held_back)
    file, said = tmp_path / "state.safetensors", []
    settings = CodecTraining(minutes=9, steps=60, batch=16, lr=0.01)
    train_codec(net, sample_blobs, picture_loss, settings, checkpoint=file, say=said.append)
    assert "picture: " in said[0]
    assert error_on(net, held_back) < 0.5 * before

    other = tiny_net()
    end = train_codec(other, sample_blobs, picture_loss, settings, checkpoint=file, say=said.append)
    assert "nothing was left to do" in said[-1]
    assert end.steps == 60
    assert error_on(other, held_back) == error_on(net, held_back)
    assert trained_net(file).keys() == net.state_dict().keys()
    for state in (tmp_path / "state").rglob("state.json"):
        state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(InputError, match="delete that folder"):
        train_codec(other, sample_blobs, picture_loss, settings, checkpoint=file)


def test_the_checkpoint_of_another_network_is_refused(tmp_path):
    file, settings = tmp_path / "state.safetensors", CodecTraining(minutes=9, steps=1, batch=2)
    train_codec(tiny_net(), sample_blobs, picture_loss, settings, checkpoint=file)
    with pytest.raises(InputError, match="another network"):
        train_codec(replace(TINY, encoder_widths=(16, 24)).net(), sample_blobs, picture_loss, settings, checkpoint=file)


class Stop(Exception):
    """Stands for the power going off."""


def test_interrupted_training_ends_as_the_uninterrupted_one(tmp_path):
    settings = CodecTraining(minutes=9, steps=20, batch=8, save_every_s=0)
    whole = tiny_net()
    train_codec(whole, sample_blobs, picture_loss, settings)

    calls = iter(range(12))

    def until_power_fails(rng, size):
        if next(calls, None) is None:
            raise Stop
        return sample_blobs(rng, size)

    halves = tiny_net()
    with pytest.raises(Stop):
        train_codec(halves, until_power_fails, picture_loss, settings, checkpoint=tmp_path / "state.safetensors")
    resumed = tiny_net()
    train_codec(resumed, sample_blobs, picture_loss, settings, checkpoint=tmp_path / "state.safetensors")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_the_learning_rate_of_a_codec_rises_then_falls_to_zero():
    config = CodecTraining(minutes=1, lr=1.0, warmup=0.1).config()
    rates = [lr_share(config, 0, seconds) for seconds in (0, 3, 6, 30, 60)]
    assert rates[0] < 0.01
    assert rates[1] == pytest.approx(0.475)
    assert rates[2] == max(rates)
    assert rates[4] == 0
    assert config.lr_of("rest") == 0.25


def picture(number: int, label: str = "wave", style: str = "noto", **more) -> Picture:
    told = {"category": "people", "group": label, "split": "train", "family": style} | more
    return Picture(medium=number, style=style, label=label, **told)


def test_held_out_families_and_other_splits_never_train():
    pictures = [picture(0), picture(1, split="test"), picture(2, held_out=True), picture(3, family="fxemoji")]
    assert [p.medium for p in training_pictures(pictures)] == [0, 3]
    assert [p.medium for p in training_pictures(pictures, ["fxemoji"])] == [0]


def test_augmentation_keeps_paper_white_and_never_mirrors():
    rng = np.random.default_rng(0)
    assert (augment(torch.ones(8, 3, 64, 64), rng) > 0.99).all()
    left_heavy = torch.ones(32, 3, 64, 64)
    left_heavy[:, :, 20:44, 8:24] = -1
    ink = 1 - moved(left_heavy, rng)
    assert (ink[..., :32].sum((1, 2, 3)) > ink[..., 32:].sum((1, 2, 3))).all()


def test_a_codebook_of_a_power_of_two_has_levels():
    assert fsq_levels(4096) == (8, 8, 8, 8)
    assert fsq_levels(16) == (4, 4)
    with pytest.raises(InputError, match="power of two of codes, from 4 to 65536, not 100"):
        fsq_levels(100)
