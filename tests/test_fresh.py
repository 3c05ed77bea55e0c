"""A model from nothing, and rows that start at words."""

from __future__ import annotations

import numpy as np
import torch
from toys import ToyCodec, tiny_base

from sensorium.model import grow
from sensorium.model.align import start_at_words
from sensorium.model.fresh import fresh_base, kept_tokenizer, learn_tokenizer

TEXTS = ["a red heart", "cœur rouge", "what is this?"] * 20


def test_a_learned_tokenizer_is_small_reversible_and_chats(tmp_path):
    from transformers import AutoTokenizer

    made = learn_tokenizer(TEXTS, 300)
    assert len(made) <= 300
    made.save_pretrained(tmp_path / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    for text in ("a red heart", "cœur rouge", "日本 — <b>\n\t", " 0.5%"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    chat = [{"role": "user", "content": "Draw."}, {"role": "assistant", "content": "no"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<|user|>Draw.<|end|><|assistant|>no<|end|>"
    assert tokenizer.eos_token == "<|end|>"
    assert len(tokenizer(" heart")["input_ids"]) == 1


def test_a_tokenizer_is_learned_once(tmp_path):
    first = kept_tokenizer(tmp_path / "tokenizer", lambda: TEXTS, 300)
    again = kept_tokenizer(tmp_path / "tokenizer", lambda: [], 300)
    assert first.get_vocab() == again.get_vocab() == learn_tokenizer(TEXTS, 300).get_vocab()


def test_a_fresh_base_has_its_shape_and_its_seed():
    made, same, other = (
        fresh_base(learn_tokenizer(TEXTS, 300), hidden=32, layers=2, heads=4, intermediate=48, seed=seed)
        for seed in (1, 1, 2)
    )
    weights = [base.lm.lm_head.weight for base in (made, same, other)]
    assert weights[0].shape == (len(made.tokenizer), 32)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert grow(made, [ToyCodec()], learn="full").vocabulary.text_size == len(learn_tokenizer(TEXTS, 300))


def test_aligned_rows_point_to_the_words_of_the_name():
    names = ["a red heart", "this world", "hello", "what is"]
    grown = grow(tiny_base(), [ToyCodec(name="reads", use="read", sizes=(8, 8), grid=(1,), max_frames=1)])
    codes = np.array([[number, 0] for number in range(len(names))] * 3)
    before = {name: value.clone() for name, value in grown.lm.named_parameters() if ".rows." not in name}
    start_at_words(grown, "reads", codes, names * 3, ridge=1e-3)
    rows, table = grown.embedding.rows().detach(), grown.embedding.weight
    first = grown.vocabulary.layout("reads").starts[0] - grown.vocabulary.text_size
    near = []
    for number, name in enumerate(names):
        wanted = table[grown.tokenizer(name, add_special_tokens=False)["input_ids"]].mean(0) - table.mean(0)
        got = rows[first + number] - table.mean(0)
        near.append(float(torch.cosine_similarity(got, wanted, dim=0)))
    assert np.mean(near) > 0.8
    for name, value in before.items():
        assert torch.equal(dict(grown.lm.named_parameters())[name], value), name
