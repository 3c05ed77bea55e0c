"""An outside modality and codec come in through entry points and keep the contract."""

from base64 import b64encode

import numpy as np
import pytest
from sensorium_series import UniformSeries

from sensorium.codecs import load_codec
from sensorium.codecs.contract import check_codec
from sensorium.modalities import modality
from sensorium.types import InputError


def waves() -> list[np.ndarray]:
    time = np.linspace(0, 6, 90)[:, None]
    return [np.sin(time * speed + np.arange(3)).astype(np.float32)[: 30 * speed] for speed in (1, 2, 3)]


def codec() -> UniformSeries:
    return UniformSeries(low=[-1.5] * 3, high=[1.5] * 3)


def test_the_contract():
    check_codec(codec(), waves())


def test_error_is_at_most_half_a_bin():
    for wave, again in zip(waves(), codec().decode(codec().encode(waves())), strict=True):
        assert np.abs(wave - again).max() <= 3.0 / 64 / 2 + 1e-6


def test_the_modality_is_found_by_name_and_survives_a_file(tmp_path):
    wave = waves()[1]
    modality("series").save(wave, tmp_path / "wave.csv")
    np.testing.assert_allclose(modality("series").open(tmp_path / "wave.csv"), wave, atol=1e-5)
    with pytest.raises(InputError, match="comma-separated"):
        modality("series").open(__file__)


def test_bytes_and_data_uris_are_the_same_as_a_file(tmp_path):
    data = modality("series").to_bytes(waves()[0])
    (tmp_path / "wave.csv").write_bytes(data)
    for source in (data, "data:text/csv;base64," + b64encode(data).decode()):
        np.testing.assert_array_equal(modality("series").open(source), modality("series").open(tmp_path / "wave.csv"))


def test_a_preview_shows_every_channel():
    picture = modality("series").preview(waves()[0])
    assert picture.shape == (128, 256, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 4


def test_the_codec_is_found_by_its_folder(tmp_path):
    codec().save(tmp_path / "codec")
    assert load_codec(tmp_path / "codec").facts == codec().facts


def test_too_many_channels_are_explained():
    with pytest.raises(InputError, match="3 channels"):
        codec().encode([np.zeros((5, 4), np.float32)])
