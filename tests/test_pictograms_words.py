"""The codec `image-words`: what two see in the table is put together, kept, and learned from."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from recipes.pictograms import words
from recipes.pictograms.words import Photographed, learned

from sensorium.families.semantic import SemanticCodec, SemanticConfig
from sensorium.families.sight import FeatureSight
from sensorium.types import InputError

READER = SemanticCodec(SemanticConfig(size_px=16, widths=(8,), blocks=(0,), codes=2, levels=(3, 3)))
TABLE_VMD = np.random.default_rng(0).normal(size=(5, 12, 4)).astype(np.float16)
SIGHT = FeatureSight(
    "patches", "image", {"size_px": 16, "patch_px": 4}, *(one(48, np.float32) for one in (np.zeros, np.ones))
)


def photographed(media: list[int]) -> Photographed:
    numbers = np.array(media, float)[None, :, None] + np.array([0, 0.5])[:, None, None]
    return Photographed(SIGHT, np.array(media), np.repeat(numbers, 48, axis=2).astype(np.float16))


def test_looks_of_both_stand_beside_each_other():
    found = photographed([1, 4, 7]).beside(TABLE_VMD, [7, 1])
    assert found.shape == (5, 2, 52) and found.dtype == np.float32
    np.testing.assert_array_equal(found[..., :4], TABLE_VMD[:, [7, 1]].astype(np.float32))
    assert found[:, :, 4].tolist() == [[7, 1], [7.5, 1.5], [7, 1], [7.5, 1.5], [7, 1]], "looks take turns"
    for missing in ([5], [8]):
        with pytest.raises(InputError, match="image-words encode"):
            photographed([1, 4, 7]).beside(TABLE_VMD, missing)


def test_what_was_seen_is_kept(tmp_path):
    photographed([1, 4]).save(tmp_path / "encoded.npz")
    again = Photographed.load(tmp_path / "encoded.npz")
    np.testing.assert_array_equal(again.values_VNC, photographed([1, 4]).values_VNC)
    assert again.media.tolist() == [1, 4] and again.sight.of == "seen" and again.sight.settings["source"] == words.LITE
    with pytest.raises(InputError, match="image-words encode"):
        Photographed.load(tmp_path / "nowhere.npz")


def test_names_are_learned_by_one_or_both(monkeypatch):
    shown = [
        SimpleNamespace(label=label, plain=[SimpleNamespace(medium=number) for number in media])
        for label, media in {"cat": [1, 4], "dog": [7], "sun": [2, 3], "car": [0]}.items()
    ]
    monkeypatch.setattr(words, "kept", lambda name: SimpleNamespace(read=lambda: TABLE_VMD))
    monkeypatch.setattr(words, "reading_codec", lambda: READER)
    seen = np.random.default_rng(1).normal(size=(1, 8, 48)).repeat(2, axis=0).astype(np.float16)
    beside = Photographed(SIGHT, np.arange(8), seen)
    alone, both = learned(shown), learned(shown, beside)
    assert alone.blocks == (4,) and both.blocks == (4, 48) and both.words(0) == ["cat", "dog", "sun", "car"]
    values = beside.beside(TABLE_VMD, [1, 4, 7, 2, 3, 0])[0]
    assert both.quantise(values)[:, 0].tolist() == [0, 0, 1, 2, 2, 3]
