"""What makes a training step fast gives what the slow way gives; the loss of a run is as it was."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import ToyCodec, tiny_base
from train_run import samples, tiny_grown, train

from sensorium.data import pack
from sensorium.model import grow
from sensorium.training import Batch, NextTokenLoss, attention, read_log
from sensorium.training.attention import documents_attention, documents_only
from sensorium.training.cross_entropy import cross_entropy
from sensorium.training.frozen import held_in
from sensorium.training.losses import competing
from sensorium.types import InputError

GOLDEN = Path(__file__).with_name("golden_losses.json")
LENGTHS = ((5, 40, 25), (33, 2, 35), (64, 1, 1, 1, 3), (70,))
POSITIONS = torch.tensor([[at for length in row for at in range(length)] for row in LENGTHS])


def masked_attention(q, k, v, positions, scale):
    """The slow twin: every token of the row, with a mask."""
    document = (positions == 0).cumsum(1)
    tokens = positions.shape[1]
    mask = (document[:, :, None] == document[:, None]) & torch.ones(tokens, tokens, dtype=torch.bool).tril()
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    found = torch.nn.functional.scaled_dot_product_attention(q, k, v, mask[:, None], scale=scale)
    return found.transpose(1, 2)


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (6, 2)])
@pytest.mark.parametrize("at_once", [attention.AT_ONCE, 1])
def test_attention_by_documents_is_attention_with_a_mask(heads, key_heads, at_once, monkeypatch):
    monkeypatch.setattr(attention, "AT_ONCE", at_once)
    monkeypatch.setattr(attention, "_last", None)
    generator = torch.Generator().manual_seed(0)
    shapes = [(len(LENGTHS), n, POSITIONS.shape[1], 8) for n in (heads, key_heads, key_heads)]
    inputs = [torch.randn(*shape, generator=generator, requires_grad=True) for shape in shapes]
    alone = (POSITIONS == 0) & (torch.cat([POSITIONS[:, 1:], torch.zeros(len(LENGTHS), 1)], 1) == 0)
    upstream = torch.randn(len(LENGTHS), POSITIONS.shape[1], heads, 8, generator=generator)
    upstream *= ~alone[..., None, None]  # documents of one token are left out
    found, wanted = (f(*inputs, POSITIONS, 0.3) for f in (documents_attention, masked_attention))
    torch.testing.assert_close(found[~alone], wanted[~alone])
    assert not found[alone].any()
    for own, other in zip(
        torch.autograd.grad((found * upstream).sum(), inputs),
        torch.autograd.grad((wanted * upstream).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "can"), [("llama", True), ("smollm", True), ("qwen3", True), ("gemma2", False)])
def test_models_attend_by_documents_where_it_gives_the_same(kind, can):
    grown = grow(tiny_base(kind), [ToyCodec()], learn="full")
    config = grown.lm.config.get_text_config()
    before = config._attn_implementation
    with documents_only(grown) as does:
        assert does is can
        assert (config._attn_implementation != before) is can
    assert config._attn_implementation == before


@pytest.mark.parametrize("at_once", [2**20, 3 * 30])
def test_cross_entropy_is_that_of_torch(at_once):
    generator = torch.Generator().manual_seed(0)
    hidden, one, other = (torch.randn(n, 8, generator=generator, requires_grad=True) for n in (10, 20, 10))
    targets, weights = torch.randint(30, (10,), generator=generator), torch.rand(10, generator=generator)
    total, losses = cross_entropy(hidden, [one, other], targets, weights, at_once)
    logits = hidden @ torch.cat([one, other]).T
    wanted = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, wanted.detach())
    for found, expected in zip(
        torch.autograd.grad(3 * total, [hidden, one, other]),
        torch.autograd.grad(3 * (wanted * weights).sum(), [hidden, one, other]),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


def test_frozen_rows_get_no_gradient_and_are_not_paid_for():
    hidden, rows = torch.randn(4, 8, requires_grad=True), torch.randn(20, 8)
    total, _ = cross_entropy(hidden, [rows], torch.arange(4), torch.ones(4), 100)
    total.backward()
    assert rows.grad is None
    assert hidden.grad is not None


def test_bfloat16_logits_give_nearly_the_same_loss():
    generator = torch.Generator().manual_seed(0)
    hidden, rows = torch.randn(400, 32, generator=generator), torch.randn(900, 32, generator=generator) / 4
    targets = torch.randint(900, (400,), generator=generator)
    found, _ = cross_entropy(hidden.bfloat16(), [rows], targets, torch.ones(400), 2**20)
    wanted = torch.nn.functional.cross_entropy(hidden @ rows.T, targets, reduction="sum")
    assert float(found) == pytest.approx(float(wanted), rel=1e-3)


def test_frozen_weights_are_held_in_the_format_of_the_step_and_come_back_bit_for_bit():
    grown = tiny_grown("adapter")
    before = {name: value.detach().clone() for name, value in grown.named_parameters()}
    with held_in(torch.bfloat16, grown):
        formats = {p.dtype for p in grown.parameters() if not p.requires_grad}
        assert formats == {torch.bfloat16}
        assert {p.dtype for p in grown.parameters() if p.requires_grad} == {torch.float32}
    for name, value in grown.named_parameters():
        assert torch.equal(value, before[name]), name
    with pytest.raises(ValueError, match="step"), held_in(torch.bfloat16, grown):
        raise ValueError("step")
    assert {p.dtype for p in grown.parameters()} == {torch.float32}


@pytest.mark.parametrize("learn", ["rows", "adapter"])
def test_a_frozen_base_is_as_before_after_training_in_bfloat16(learn, tmp_path):
    frozen = {n: v.detach().clone() for n, v in tiny_grown(learn).named_parameters() if not v.requires_grad}
    grown, _ = train(tmp_path, learn, max_steps=3, dtype="bfloat16")
    assert all(torch.equal(value, frozen[name]) for name, value in grown.named_parameters() if name in frozen)


@pytest.mark.parametrize("facts", [{}, {"grid": None}])
def test_ids_that_compete_are_those_the_grammar_allows(facts):
    grown = tiny_grown(**facts)
    vocabulary = grown.vocabulary
    groups = [{i for start, stop in ranges for i in range(start, stop)} for ranges in competing(vocabulary)]
    assert sorted(i for group in groups for i in group) == list(range(vocabulary.size)), "each id once"
    from sensorium.stream.grammar import Grammar

    layout = vocabulary.layouts[0]
    grammar = Grammar(vocabulary, vocabulary.text_size, (1,))
    for id_ in (layout.open_id, layout.starts[0], layout.starts[1], layout.starts[0]):
        allowed = {i for start, stop in grammar.allowed() for i in range(start, stop)}
        assert allowed <= next(group for group in groups if id_ in group)
        grammar.advance(id_)


def test_a_loss_among_kinds_compares_a_code_with_codes_only():
    grown = tiny_grown()
    batch = Batch.of(pack(samples(grown, 9), 48), slice(None), torch.device("cpu"))
    found = NextTokenLoss(among="kind")(grown, batch)
    whole = NextTokenLoss()(grown, batch)
    assert float(found.total) < float(whole.total)
    hidden = grown.hidden(batch.ids_BT, batch.position_ids_BT).flatten(0, 1)[batch.where_N]
    logits, wanted = grown.logits(hidden), 0.0
    for target, row in zip(batch.targets_N.tolist(), logits, strict=True):
        group = next(g for g in competing(grown.vocabulary) if any(a <= target < b for a, b in g))
        ids = torch.cat([torch.arange(a, b) for a, b in group])
        wanted += float(torch.logsumexp(row[ids], 0) - row[target])
    assert float(found.total) == pytest.approx(wanted, rel=1e-4)
    found.total.backward()
    assert all(p.grad is not None for p in grown.head.rows.parameters())
    with pytest.raises(InputError, match="among must be"):
        NextTokenLoss(among="some")


@pytest.mark.parametrize("learn", ["rows", "adapter", "full"])
def test_the_loss_of_a_run_is_as_it_was(learn, tmp_path):
    """The first 20 losses of a tiny run; write them anew only where the change of the loss is meant."""
    optimizer = "muon" if learn == "full" else "adamw"
    train(tmp_path, learn, max_steps=20, dtype="float32", optimizer=optimizer)
    losses = [line["loss"] for line in read_log(tmp_path / "log.jsonl")]
    np.testing.assert_allclose(losses, json.loads(GOLDEN.read_text())[learn], rtol=2e-3)
