"""The encoder out of a model file of CTranslate2, and codecs kept without it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from recipes.speech import ear as module
from recipes.speech import spelled
from recipes.speech.ear import keep, with_ear
from test_ctc import said

from sensorium.families import ears
from sensorium.families.aloud import Aloud, AloudConfig
from sensorium.families.letters import Letters
from sensorium.families.spelled import SpelledCodec
from sensorium.families.whisper import Ear, WhisperCodec, WhisperConfig

CONFIG = WhisperConfig(
    signs="ab", bands=16, width=16, blocks=(1, 1), levels=(4, 4), ear_layers=2, ear_heads=2, ear_wide=24, voice=16,
    voice_blocks=1,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A model file with an encoder of random weights, and something of a decoder."""
    torch.manual_seed(0)
    state = {name: one.detach().numpy() for name, one in Ear(CONFIG).state_dict().items()}
    theirs = {ours: name for name, ours in ears.NAMES.items()}
    held = {"decoder/embeddings/weight": np.ones((3, 2), np.float32), "encoder/num_heads": np.array(2, np.int16)}
    for name, array in state.items():
        scope, layer, rest = ("", "", name) if not name.startswith("layers.") else name.split(".", 2)
        held[f"encoder/layer_{layer}/{theirs[rest]}" if scope else f"encoder/{theirs[name]}"] = array.astype(np.float16)
    write_model(tmp_path / "model.bin", held)
    return tmp_path


def write_model(path, held):
    """A model file of CTranslate2 that holds these arrays."""
    kinds = {np.dtype(kind): number for number, kind in ears.FORMATS.items()}
    written = struct.pack("<I", 6) + _text("WhisperSpec") + struct.pack("<II", 3, len(held))
    for name, array in held.items():
        written += _text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        written += struct.pack("<BI", kinds[array.dtype], array.nbytes) + array.tobytes()
    path.write_bytes(written)


def _text(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def test_the_encoder_is_read_out_of_the_file(folder):
    torch.manual_seed(0)
    fresh = Ear(CONFIG)
    shape, found = ears.pretrained_ear(str(folder))
    assert shape == {"bands": 16, "ear_bands": 80, "ear_layers": 2, "ear_heads": 2, "ear_wide": 24}
    assert set(found) == set(fresh.state_dict())
    for name, one in fresh.state_dict().items():
        torch.testing.assert_close(found[name], one, atol=2e-3, rtol=2e-3)


def test_a_codec_kept_without_its_ear_is_the_same_with_it(folder, tmp_path, monkeypatch):
    _, weights = ears.pretrained_ear(str(folder))
    torch.manual_seed(1)
    net = CONFIG.net()
    net.ear.load_state_dict(weights)
    codec = WhisperCodec(CONFIG, net)
    keep(codec, tmp_path / "kept")
    monkeypatch.setattr(module, "ear", lambda: weights)
    again = with_ear(tmp_path / "kept")
    assert again.fingerprint() == codec.fingerprint()
    np.testing.assert_array_equal(again.encode([said("abc")])[0], codec.encode([said("abc")])[0])
    kept = sum(one.nbytes for name, one in codec.tensors().items() if not name.startswith("ear."))
    assert (tmp_path / "kept" / "behind.safetensors").stat().st_size < kept + 4000


def test_a_codec_of_pieces_is_kept_without_the_one_that_hears(tmp_path):
    hearing = WhisperCodec(CONFIG)
    letters = Letters.of(["ab a"] * 3, CONFIG.signs)
    shape = AloudConfig(letters=" ab", width=8, blocks=1, sound_width=8, sound_blocks=1)
    codec = SpelledCodec(hearing.without_voice(), [(" a", "b")], voice=(shape, Aloud(shape)), letters=letters)
    spelled.keep(codec, tmp_path / "kept")
    again = spelled.with_hearing(hearing, tmp_path / "kept")
    assert again.fingerprint() == codec.fingerprint() and again.facts == codec.facts
    np.testing.assert_array_equal(
        again.decode([again.cut("ab a")])[0].array, codec.decode([codec.cut("ab a")])[0].array
    )
    assert (tmp_path / "kept" / "behind.safetensors").stat().st_size < 20_000
