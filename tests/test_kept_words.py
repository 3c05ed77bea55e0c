"""The loss that keeps words: after media a model goes on as its base does, where nothing is learned."""

from __future__ import annotations

import pytest
import torch
from toys import random_codes
from train_run import config, tiny_grown

from sensorium.data import PackedLoader
from sensorium.data.packing import Sample
from sensorium.training import Batch, KeptWordsLoss, NextTokenLoss, fit, loss_of
from sensorium.training.kept_words import said_after_media
from sensorium.types import InputError

CODE = 1000
CPU = torch.device("cpu")


def batch_of(*documents, learned=()):
    """One row of documents; ids, and which of the flattened positions have a target."""
    ids = torch.tensor([[one for document in documents for one in document]])
    positions = torch.tensor([[place for document in documents for place in range(len(document))]])
    where = torch.tensor(learned, dtype=torch.long)
    return Batch(ids, positions, where, ids.flatten()[where + 1] if len(where) else where)


def test_words_that_follow_a_medium_and_are_not_learned_are_kept():
    medium_first = [CODE, 1, 2, 3]
    assert said_after_media(batch_of(medium_first), CODE).tolist() == [0, 1, 2]
    assert said_after_media(batch_of(medium_first, learned=[1]), CODE).tolist() == [0, 2]
    assert said_after_media(batch_of([1, 2, 3]), CODE).tolist() == []
    assert said_after_media(batch_of([1, CODE, CODE, 2]), CODE).tolist() == [2]


def test_a_document_does_not_see_the_media_of_another():
    assert said_after_media(batch_of([CODE, 1], [2, 3], [4, CODE, 5]), CODE).tolist() == [0, 5]


def test_a_row_is_not_continued_by_the_next():
    one = batch_of([CODE, 1])
    two = Batch(one.ids_BT.repeat(2, 1), one.position_ids_BT.repeat(2, 1), one.where_N, one.targets_N)
    assert said_after_media(two, CODE).tolist() == [0, 2]


def documents(grown):
    """A medium and words after it, of which the first alone is learned: always the same."""
    medium = grown.vocabulary.layout("toy").ids(random_codes(grown.codecs["toy"], 0))
    ids = [*medium, 40, 41, 42, 43, 44, 45]
    return [Sample(torch.tensor(ids).int().numpy(), torch.arange(len(ids)).eq(len(medium)).numpy())] * 80


def run(grown, out, loss):
    loader = PackedLoader(documents(grown), batch_rows=2, row_tokens=48, seed=0)
    fit(grown, loader, config(max_steps=150, lr=3e-2), out, loss)
    return divergence(grown)


def divergence(grown):
    """From the base, in nats a word that is kept."""
    batch = next(iter(PackedLoader(documents(grown), batch_rows=2, row_tokens=48, seed=0))).to(CPU)
    grown.eval()
    where = said_after_media(batch, grown.vocabulary.text_size)
    with torch.no_grad():
        own, base = (
            grown.logits(one(batch.ids_BT, batch.position_ids_BT).flatten(0, 1)[where]).log_softmax(-1)
            for one in (grown.hidden, grown.base_hidden)
        )
    return float((base.exp() * (base - own)).sum(-1).mean())


def test_what_is_learned_changes_fewer_words_where_they_are_kept(tmp_path):
    lost = run(tiny_grown("adapter"), tmp_path / "plain", NextTokenLoss())
    kept = run(tiny_grown("adapter"), tmp_path / "kept", KeptWordsLoss(keep=1.0, share=1.0))
    assert kept < 0.6 * lost


def test_of_no_batch_words_are_kept_at_a_share_of_nought():
    grown = tiny_grown("adapter")
    batch = next(iter(PackedLoader(documents(grown), batch_rows=2, row_tokens=48, seed=0))).to(CPU)
    plain, none = NextTokenLoss()(grown, batch), KeptWordsLoss(share=0.0)(grown, batch)
    assert torch.equal(plain.total, none.total) and torch.equal(plain.weight, none.weight)
    some = KeptWordsLoss(keep=2.0, share=1.0, most=3)(grown, batch)
    assert float(some.weight - plain.weight) == 6.0


@pytest.mark.parametrize("learn", ["full", "rows"])
def test_a_model_without_an_adapter_has_no_base_to_ask(learn):
    grown = tiny_grown(learn)
    batch = next(iter(PackedLoader(documents(grown), batch_rows=2, row_tokens=48, seed=0))).to(CPU)
    with pytest.raises(InputError, match="adapter"):
        KeptWordsLoss(share=1.0)(grown, batch)


def test_the_loss_keeps_words_where_they_have_a_weight():
    assert loss_of({"text": 2.0}, "kind", 0.0).__class__ is NextTokenLoss
    kept = loss_of({"text": 2.0}, "kind", 0.5)
    assert isinstance(kept, KeptWordsLoss) and (kept.weights, kept.among, kept.keep) == ({"text": 2.0}, "kind", 0.5)


def test_the_base_reads_without_the_adapter():
    grown = tiny_grown("adapter")
    ids = torch.tensor([[1, 2, 3]])
    before = grown.hidden(ids)
    for name, value in grown.lm.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(value)
    assert not torch.allclose(grown.hidden(ids), before)
    torch.testing.assert_close(grown.base_hidden(ids), before)
