"""The few functions that most people need."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toys import Toy, ToyCodec, tiny_base

import sensorium as sm
from sensorium import api, plugins, runs
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
    monkeypatch.setattr(runs, "fit", lambda grown, loader, *rest: taken.append(next(loader)))
    grown = grow(bloom if kind == "bloom" else tiny_base(kind), [ToyCodec()])
    data = chats(tmp_path / "chats.jsonl", "user", "assistant")
    api.train(grown, data, max_steps=1, out=tmp_path / "run", rows=2, row_tokens=128)
    if kind == "bloom":
        assert taken[0].documents == 2
        assert "bloom models mix documents that share a row" in caplog.text
    else:
        assert taken[0].documents > 2
        assert not caplog.text


def test_an_llm_gets_nanos_codecs_where_none_is_named():
    assert api.default_codecs() == ["image", "image-read"]
    assert set(api.default_codecs()) < set(api.codec_names())


def test_a_codec_of_the_box_is_nanos_where_others_have_one_of_that_name(tmp_path, monkeypatch):
    for number, model in enumerate(("amber", "nano", "smol"), start=2):
        FSQCodec(FSQConfig(name="toy", levels=(number, 3))).save(tmp_path / model / "codecs" / "toy")
    monkeypatch.setattr(api, "IN_THE_BOX", tmp_path)
    assert api.codec("toy").facts.codebook_sizes == (9,)
    with pytest.raises(InputError, match="toy"):
        api.codec("other")


def test_a_codec_written_in_a_notebook_is_trained_saved_and_loaded(tmp_path, monkeypatch):
    """Nothing is installed: `register` makes the family and the modality known in this process."""
    monkeypatch.setattr(plugins, "_registered", {})

    @sm.register
    class Tally(Toy):
        name = "tally"
        extensions = (".tally",)

    @sm.register
    class TallyCodec(ToyCodec):
        family = "tally"

    codec = TallyCodec("tally", sizes=(5,), grid=None, max_frames=3, modality="tally")
    grown = sm.grow(tiny_base("llama"), [codec], learn="full")
    talk = {"messages": [{"role": "user", "content": [{"type": "tally", "tally": "a.tally"}]}]}
    talk["messages"].append({"role": "assistant", "content": "three"})
    (tmp_path / "a.tally").write_text("1\n2\n3")
    (tmp_path / "talks.jsonl").write_text(json.dumps(talk))
    sm.train(grown, tmp_path / "talks.jsonl", max_steps=1, rows=1, row_tokens=64, out=tmp_path / "run")
    model = sm.load(grown.export(tmp_path / "model"))
    reply = model.chat([sm.Part("tally", np.array([[1], [2]])), "?"], want="tally")
    assert reply.parts[0].array.shape[1] == 1
    with pytest.raises(sm.InputError, match="only a Codec class or a Modality"):
        sm.register(3)
