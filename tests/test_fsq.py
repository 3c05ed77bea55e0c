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
from sensorium.families.fsq import FSQCodec, FSQConfig, pixels_to_net
from sensorium.families.fsq_net import Quantiser
from sensorium.learning.report import (
    ReportRow,
    codec_row,
    collisions,
    contact_sheet,
    jpeg_row,
    psnr_db,
    ssim,
    table,
    write_report,
)
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.modalities.augment import augment, moved
from sensorium.modalities.image import to_square
from sensorium.types import InputError

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


def blobs(count: int, side: int = 32, seed: int = 0) -> list[np.ndarray]:
    """Pictures with one coloured box each on white."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        picture = np.full((side, side, 3), 255, np.uint8)
        top, left = rng.integers(0, side // 2, 2)
        picture[top : top + side // 2, left : left + side // 2] = rng.integers(0, 255, 3)
        found.append(picture)
    return found


@pytest.fixture
def codec() -> FSQCodec:
    """Untrained, but its channels spread over their levels as training would have them."""
    torch.manual_seed(0)
    net = TINY.net()
    pictures = pixels_to_net(torch.from_numpy(np.stack(blobs(32))))
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
    assert [one.shape for one in codes] == [(16, 1)] * 3
    assert codes[0].dtype == np.int64
    assert codec.facts.codebook_sizes == (12,)
    decoded = codec.decode(codes)
    assert decoded[0].shape == (32, 32, 3)
    assert decoded[0].dtype == np.uint8


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
        errors.append([np.square(a.astype(float) - b).mean() for a, b in zip(pictures, back, strict=True)])
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
    assert len(codec.encode([wide])) == 1
    with pytest.raises(InputError, match="RGB picture"):
        codec.encode([np.zeros((32, 32), np.uint8)])
    with pytest.raises(InputError, match="out of range"):
        codec.decode([np.full((16, 1), 12)])


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
    pictures = np.stack(blobs(size, seed=int(rng.integers(1 << 30))))
    return {"x": torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1}


@torch.no_grad()
def error_on(net, batch) -> float:
    return float((net(batch["x"])[0] - batch["x"]).square().mean())


def tiny_net() -> torch.nn.Module:
    torch.manual_seed(0)
    return TINY.net()


def test_training_lowers_the_error_and_resumes_where_it_stopped(tmp_path):
    net, held_back = tiny_net(), sample_blobs(np.random.default_rng(9), 32)
    before = error_on(net, held_back)
    file, said = tmp_path / "state.safetensors", []
    settings = CodecTraining(minutes=9, steps=60, batch=16, lr=0.01, say_every_s=0.1)
    train_codec(net, sample_blobs, picture_loss, settings, checkpoint=file, say=said.append)
    assert any("picture" in line for line in said)
    assert error_on(net, held_back) < 0.5 * before

    other = tiny_net()
    end = train_codec(other, sample_blobs, picture_loss, settings, checkpoint=file, say=said.append)
    assert any("resumed" in line for line in said)
    assert end.steps == 60
    assert error_on(other, held_back) == error_on(net, held_back)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="delete it"):
        train_codec(other, sample_blobs, picture_loss, settings, checkpoint=file)


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


def test_time_budget_ends_training():
    settings = CodecTraining(minutes=0.5)
    assert settings.done(15, 3) == 0.5
    assert settings.done(30, 3) == 1
    assert CodecTraining(minutes=0.5, steps=6).done(30, 3) == 0.5


def test_learning_rate_rises_then_falls_to_zero():
    settings = CodecTraining(minutes=1, lr=1.0, warmup=0.1)
    rates = [settings.lr_at(done) for done in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] == 0
    assert rates[1] == pytest.approx(0.475)
    assert rates[2] == max(rates)
    assert rates[4] == 0


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


def test_psnr_and_ssim_of_known_pictures():
    assert psnr_db(0) == 60
    assert psnr_db(255.0**2) == 0
    assert psnr_db(65.025) == pytest.approx(30)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    assert ssim(noise, noise) == pytest.approx(1)
    assert ssim(noise, 255 - noise) < 0


def test_collisions_count_different_pictures_with_equal_codes():
    a, b = blobs(2)
    same, other = np.zeros((4, 1), np.int64), np.ones((4, 1), np.int64)
    assert collisions([a, b], [same, same]) == 2
    assert collisions([a, a], [same, same]) == 0
    assert collisions([a, b], [same, other]) == 0


def test_jpeg_stays_within_the_bits_and_gains_from_more():
    pictures = blobs(4, side=64)
    few, _ = jpeg_row(pictures, 400)
    many, _ = jpeg_row(pictures, 4000)
    assert few.bits <= 400
    assert many.psnr_db > few.psnr_db


def test_report_of_a_codec_is_written_whole(codec, tmp_path):
    pictures = blobs(20)
    rows = write_report(codec, pictures, tmp_path / "report", shown=8)
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.md", "report.json", "contact.png"}
    assert rows[0].bits == pytest.approx(16 * np.log2(12))
    assert 0 < rows[0].codes_used <= 1
    assert json.loads((tmp_path / "report" / "report.json").read_text())[1]["name"] == "jpeg"
    assert "| tiny | 20 |" in (tmp_path / "report" / "report.md").read_text()
    with pytest.raises(InputError, match="at least one"):
        codec_row(codec, [])


def test_contact_sheet_puts_reconstructions_under_originals():
    white, black = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)
    sheet = contact_sheet([[white] * 3, [black] * 3], columns=2)
    assert sheet.shape == (8 * 4 + 6, 16, 3)
    assert sheet[0, 0, 0] == 255
    assert sheet[8, 0, 0] == 0


def test_table_leaves_blank_what_a_method_does_not_have():
    row = ReportRow(name="jpeg", pictures=1, bits=10, psnr_db=20, pooled_psnr_db=19, ssim=0.5)
    assert table([row]).splitlines()[-1] == "| jpeg | 1 | 10 | 20.00 | 19.00 | 0.500 |  |  |  |"
