"""A model from nothing, and rows that start at words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from toys import ToyCodec, tiny_base

from sensorium.model import grow
from sensorium.model.align import start_at_places
from sensorium.model.boxed import start_at_boxed
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


def test_rows_that_start_at_places_know_where_codes_come_and_which_are_frequent():
    grown = grow(tiny_base(), [ToyCodec(), ToyCodec(name="other", modality="other")])
    layout, generator = grown.vocabulary.layout("toy"), torch.Generator().manual_seed(0)
    words = torch.randint(0, grown.vocabulary.text_size, (200, 4), generator=generator)
    starts = torch.tensor([layout.starts[0], layout.starts[1]] * 2)
    codes = torch.tensor([2, 1, 2, 1]) * (torch.rand(200, 4, generator=generator) < 0.8)
    ids = torch.cat([words, torch.full((200, 1), layout.open_id), starts + codes], dim=1)

    def nats() -> tuple[float, float]:
        with torch.no_grad():
            hidden = grown.hidden(ids)[:, :-1].flatten(0, 1)
            loss = grown.token_loss(hidden, ids[:, 1:].flatten())
        coded = ids[:, 1:].flatten() > layout.close_id
        return float(loss[coded].mean()), float(loss[~coded].mean())

    def other_rows():
        return [part().detach().clone() for part in grown.head.rows.of("other")]

    before, kept = nats(), other_rows()
    with torch.no_grad():
        start_at_places(grown, grown.hidden(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ["toy"])
    after = nats()
    uniform = float(np.log([8, 4]).mean())
    assert after[0] < uniform < before[0]
    assert after[1] < before[1] + 0.6  # an untrained body of 32 numbers tells the places only half apart
    assert all(torch.equal(one, other) for one, other in zip(kept, other_rows(), strict=True))


def test_rows_start_where_a_model_in_the_box_has_them_on_the_same_base(tmp_path):
    base, other = tiny_base(), tiny_base(seed=5)
    learned = grow(replace(tiny_base(), name="tiny"), [ToyCodec(), ToyCodec(name="other", modality="other")])
    with torch.no_grad():
        for parameter in learned.parameters_to_train()["rows"]:
            parameter.normal_()
    learned.fold().save_rows(tmp_path / "box" / "learned")

    def started(model, codecs):
        grown = grow(model, codecs, init="codebook")
        return grown, start_at_boxed(grown, grown.new, tmp_path / "box")

    grown, found = started(base, [ToyCodec(name="new", modality="new"), ToyCodec(name="other", modality="other")])
    assert found == ["other"]
    for side in ("embedding", "head"):
        for mine, theirs in zip(
            getattr(grown, side).rows.of("other"), getattr(learned, side).rows.of("other"), strict=True
        ):
            assert torch.allclose(mine(), theirs(), atol=1e-5)
        assert not torch.allclose(getattr(grown, side).rows.of("new")[1](), getattr(learned, side).rows.of("toy")[1]())
    assert started(other, [ToyCodec()])[1] == []
    assert started(tiny_base(), [ToyCodec(sizes=(8, 8))])[1] == []
