"""The few functions that most people need."""

from __future__ import annotations

import json

import pytest
from toys import ToyCodec, tiny_base

from sensorium import api
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.model import Base, grow
from sensorium.types import InputError


def chats(path, *roles):
    """A file of eight conversations in which these speak."""
    lines = [{"messages": [{"role": role, "content": f"hello {n}"} for role in roles]} for n in range(8)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def bloom() -> Base:
    """A model without positions, which cannot tell packed documents apart."""
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4)
    return Base(BloomForCausalLM(config), tiny_base().tokenizer)


def test_data_without_answers_are_refused(tmp_path):
    grown = grow(tiny_base(), [ToyCodec()])
    with pytest.raises(InputError, match=r'chats.jsonl holds no message of role "assistant"'):
        api.train(grown, chats(tmp_path / "chats.jsonl", "user"), max_steps=1, out=tmp_path / "run")


def test_bad_settings_are_told_before_anything_is_written(tmp_path):
    grown = grow(tiny_base(), [ToyCodec()])
    with pytest.raises(InputError, match="minutes must be more than 0"):
        api.train(grown, chats(tmp_path / "chats.jsonl", "user", "assistant"), minutes=0, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_documents_that_would_be_mixed_get_rows_of_their_own(tmp_path, monkeypatch, caplog, bloom, kind):
    taken = []
    monkeypatch.setattr(api, "fit", lambda grown, loader, config, out: taken.append(next(loader)))
    grown = grow(bloom if kind == "bloom" else tiny_base(kind), [ToyCodec()])
    data = chats(tmp_path / "chats.jsonl", "user", "assistant")
    api.train(grown, data, max_steps=1, out=tmp_path / "run", rows=2, row_tokens=128)
    if kind == "bloom":
        assert taken[0].documents == 2
        assert "bloom models mix documents that share a row" in caplog.text
    else:
        assert taken[0].documents > 2
        assert not caplog.text


def test_a_codec_of_the_box_is_nanos_where_others_have_one_of_that_name(tmp_path, monkeypatch):
    for number, model in enumerate(("amber", "nano", "smol"), start=2):
        FSQCodec(FSQConfig(name="toy", levels=(number, 3))).save(tmp_path / model / "codecs" / "toy")
    monkeypatch.setattr(api, "IN_THE_BOX", tmp_path)
    assert api.codec("toy").facts.codebook_sizes == (9,)
    with pytest.raises(InputError, match="toy"):
        api.codec("other")
