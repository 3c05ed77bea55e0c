"""Packing, mixing and loading: every sample once, no document sees another, and a run goes on where it stopped."""

from __future__ import annotations

import json
import logging
import time

import dots
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorium.data import NO_LOSS, Mixture, PackedLoader, Sample, TokenShards, pack, write_shards
from sensorium.types import Conversation, InputError, as_message

ROW = 24


class Samples(list):
    """A list of samples as a data set."""


def make_samples(lengths, seed=0, first=1000) -> Samples:
    """Samples whose ids are all different, so that every id tells where it came from."""
    random = np.random.default_rng(seed)
    starts = first + np.concatenate([[0], np.cumsum(lengths)])
    return Samples(
        Sample(np.arange(start, start + length, dtype=np.int32), random.random(length) < 0.5)
        for start, length in zip(starts.tolist(), lengths, strict=False)
    )


def learned(batch) -> list[int]:
    return sorted(batch.targets[batch.targets != NO_LOSS].tolist())


many_lengths = st.lists(st.integers(1, ROW), min_size=1, max_size=60)


@settings(deadline=None)
@given(many_lengths, st.integers(0, 9))
def test_every_token_is_there_and_every_masked_one_is_a_target_exactly_once(lengths, seed):
    samples = make_samples(lengths, seed)
    batch = pack(samples, ROW)
    assert sorted(batch.ids[batch.ids > 0].tolist()) == sorted(np.concatenate([s.ids for s in samples]).tolist())
    assert learned(batch) == sorted(np.concatenate([s.ids[1:][s.mask[1:]] for s in samples]).tolist())
    assert batch.learned == len(learned(batch))
    assert batch.documents == len(samples)


@settings(deadline=None)
@given(many_lengths, st.integers(0, 9))
def test_no_target_crosses_a_document_and_positions_restart(lengths, seed):
    samples = make_samples(lengths, seed)
    document_of = {int(id_): n for n, sample in enumerate(samples) for id_ in sample.ids}
    place_of = {int(id_): place for sample in samples for place, id_ in enumerate(sample.ids)}
    batch = pack(samples, ROW)
    for row, column in np.argwhere(batch.targets != NO_LOSS).tolist():
        id_, target = int(batch.ids[row, column]), int(batch.targets[row, column])
        assert document_of[id_] == document_of[target]
        assert target == id_ + 1 == batch.ids[row, column + 1]
    used = batch.ids > 0
    assert batch.position_ids[used].tolist() == [place_of[int(id_)] for id_ in batch.ids[used]]
    assert (batch.position_ids[~used] == 0).all()
    assert (batch.targets[~used] == NO_LOSS).all()


@settings(deadline=None)
@given(many_lengths)
def test_no_two_rows_would_fit_into_one(lengths):
    rows = len(pack(make_samples(lengths), ROW).ids)
    assert rows <= max(1, np.ceil(2 * sum(lengths) / ROW))


@settings(deadline=None)
@given(st.lists(st.integers(1, ROW), min_size=1, max_size=9))
def test_rows_are_few(lengths):
    rows = len(pack(make_samples(lengths), ROW).ids)
    assert rows <= fewest(lengths) * 11 / 9 + 1, "best fit decreasing needs at most 11/9 of the best"


def fewest(lengths: list[int]) -> int:
    """Rows that are needed, by trying: of every subset the fewest, and how full the last of them is at least."""
    best = {0: (1, 0)}
    for subset in range(1, 2 ** len(lengths)):
        ways = []
        for place, length in enumerate(lengths):
            if subset >> place & 1:
                rows, full = best[subset - (1 << place)]
                ways.append((rows, full + length) if full + length <= ROW else (rows + 1, length))
        best[subset] = min(ways)
    return best[2 ** len(lengths) - 1][0]


def test_packing_fills_rows_and_is_quick():
    lengths = np.random.default_rng(0).integers(20, 100, 20_000)
    samples = make_samples(lengths)
    start = time.process_time()
    batch = pack(samples, 512)
    took_s = time.process_time() - start
    assert lengths.sum() / batch.ids.size > 0.99
    assert len(samples) / took_s > 5000


def test_a_sample_longer_than_a_row_is_refused():
    with pytest.raises(InputError, match="a sample of 25 tokens does not fit a row of 24"):
        pack(make_samples([3, 25]), ROW)


# --- mixture ---


def sources(mixture: Mixture) -> np.ndarray:
    """Which data set each sample comes from; the sets of `two` count ids from 1000 and from 50000."""
    return np.array([int(mixture[n].ids[0] >= 50_000) for n in range(len(mixture))])


def two(a=30, b=200) -> tuple[Samples, Samples]:
    return make_samples([3] * a), make_samples([4] * b, first=50_000)


@given(st.floats(0.05, 0.95), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_shares_are_exact_and_spread(share, seed):
    media, text = two()
    mixture = Mixture([(media, 1 - share), (text, share)], seed=seed, samples=400)
    found = sources(mixture)
    assert abs(found.sum() - 400 * share) < 1
    assert abs(found[:200].sum() - found[200:].sum()) < 80, "not one set after the other"
    assert mixture.lengths.tolist() == [len(mixture[n].ids) for n in range(400)]


def test_a_mixture_is_the_same_for_the_same_seed_and_epoch():
    def firsts(seed, epoch):
        mixture = Mixture([(two()[0], 1), (two()[1], 2)], seed=seed)
        mixture.set_epoch(epoch)
        return [int(mixture[n].ids[0]) for n in range(len(mixture))]

    assert firsts(1, 0) == firsts(1, 0)
    assert firsts(1, 0) != firsts(2, 0)
    assert firsts(1, 0) != firsts(1, 1)


def test_a_large_set_is_walked_through_over_the_epochs_before_anything_repeats():
    media, text = two(a=30, b=200)
    mixture = Mixture([(media, 1), (text, 1)], seed=0, samples=100)
    seen = []
    for epoch in range(4):
        mixture.set_epoch(epoch)
        seen += [int(mixture[n].ids[0]) for n in range(100) if mixture[n].ids[0] >= 50_000]
    assert sorted(seen) == sorted(int(sample.ids[0]) for sample in text)


def test_an_empty_part_or_weight_is_refused():
    with pytest.raises(InputError, match="data set 1 of the mixture is empty"):
        Mixture([(two()[0], 1), (Samples(), 1)])
    with pytest.raises(InputError, match="has weight 0"):
        Mixture([(two()[0], 0)])


# --- loader ---


def same(one, two) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("ids", "targets", "position_ids"))


LENGTHS = np.random.default_rng(7).integers(1, ROW + 1, 100).tolist()


def loader(**options) -> PackedLoader:
    defaults = {"dataset": make_samples(LENGTHS), "batch_rows": 3, "row_tokens": ROW, "seed": 5, "window": 32}
    return PackedLoader(**{**defaults, **options})


def test_late_samples_come_after_the_others_in_the_first_epoch_only():
    short = int(np.median(LENGTHS))
    whole = loader(batch_rows=1, pack=False, epochs=2, window=len(LENGTHS), late=lambda sample: len(sample) > short)
    order = [int((batch.ids > 0).sum()) > short for batch in whole]
    first, second = order[: len(LENGTHS)], order[len(LENGTHS) :]
    assert first == sorted(first)
    assert second != sorted(second)
    assert sorted(second) == first

    def resumed(after: int):
        going = loader(window=len(LENGTHS), late=lambda sample: len(sample) > short)
        for _ in range(after):
            next(going)
        again = loader(window=len(LENGTHS), late=lambda sample: len(sample) > short)
        again.load_state_dict(going.state_dict())
        return same(next(going), next(again))

    assert all(resumed(after) for after in (1, 20))
    with pytest.raises(InputError, match="late samples True then"):
        other = loader(window=len(LENGTHS))
        other.load_state_dict(loader(window=len(LENGTHS), late=lambda sample: len(sample) > short).state_dict())


def test_an_epoch_holds_every_sample_once():
    ids = np.concatenate([batch.ids[batch.ids > 0] for batch in loader(epochs=1)])
    assert sorted(ids.tolist()) == sorted(np.concatenate([sample.ids for sample in make_samples(LENGTHS)]).tolist())


def test_samples_may_have_rows_of_their_own():
    batches = list(loader(epochs=1, pack=False))
    assert max(batch.documents for batch in batches) == 3
    ids = np.concatenate([batch.ids[batch.ids > 0] for batch in batches])
    assert sorted(ids.tolist()) == sorted(np.concatenate([sample.ids for sample in make_samples(LENGTHS)]).tolist())


def test_batches_have_one_shape_and_epochs_differ():
    batches = list(loader(epochs=2))
    assert {batch.ids.shape for batch in batches} == {(3, ROW)}
    one, two_ = loader(epochs=1), loader()
    firsts = [next(two_) for _ in range(len(batches))]
    assert not any(same(batch, firsts[0]) for batch in firsts[1:])
    assert same(next(one), firsts[0])


@pytest.mark.parametrize("at", [0, 1, 10, 11, 12, 30, 60])
def test_a_resumed_loader_goes_on_exactly(at):
    whole = loader()
    for _ in range(at):
        next(whole)
    state = json.loads(json.dumps(whole.state_dict()))
    resumed = loader()
    resumed.load_state_dict(state)
    assert resumed.progress == whole.progress
    assert all(same(next(whole), next(resumed)) for _ in range(40))


def test_a_resumed_mixture_goes_on_exactly():
    def mixed():
        media, text = two()
        return loader(dataset=Mixture([(media, 1), (text, 1)], seed=3, samples=90))

    whole, resumed = mixed(), mixed()
    for _ in range(17):  # into the second epoch
        next(whole)
    assert whole.progress > 1
    resumed.load_state_dict(whole.state_dict())
    assert all(same(next(whole), next(resumed)) for _ in range(30))


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_rows_of_one_process(world_size):
    alone = loader(batch_rows=2 * world_size, epochs=2)
    ranks = [loader(batch_rows=2, rank=rank, world_size=world_size, epochs=2) for rank in range(world_size)]
    for batch in alone:
        parts = [next(rank) for rank in ranks]
        assert np.array_equal(batch.ids, np.concatenate([part.ids for part in parts]))
        assert len({json.dumps(rank.state_dict()) for rank in ranks}) == 1
    assert all(next(rank, None) is None for rank in ranks)


def test_a_run_may_go_on_with_another_number_of_ranks():
    first = [loader(batch_rows=3, rank=rank, world_size=2) for rank in range(2)]
    for rank in first:
        for _ in range(4):
            next(rank)
    alone = loader(batch_rows=6)
    alone.load_state_dict(first[0].state_dict())
    assert np.array_equal(next(alone).ids, np.concatenate([next(rank).ids for rank in first]))


def test_changed_data_are_not_resumed():
    with pytest.raises(InputError, match=r"samples 100 then and 99 now"):
        loader(dataset=make_samples(LENGTHS[:99])).load_state_dict(loader().state_dict())


def test_long_samples_are_cut_and_told(caplog):
    with caplog.at_level(logging.WARNING):
        batches = list(loader(dataset=make_samples([ROW + 9, 5]), epochs=1))
    assert "1 of 2 samples are longer than a row of 24 tokens (the longest has 33)" in caplog.text
    assert sum((batch.ids > 0).sum() for batch in batches) == ROW + 5


def test_nothing_to_load_is_told():
    with pytest.raises(InputError, match="no samples to train on"):
        loader(dataset=Samples())
    with pytest.raises(InputError, match="rank 2 of 2"):
        loader(rank=2, world_size=2)


def test_shards_load_as_the_stream_rendered_them(tmp_path):
    codec = dots.dots_codec()
    senses = dots.senses_for(codec)
    talks = [Conversation((as_message("user", f"{n}?"), as_message("assistant", f"{n}!"))) for n in range(20)]
    shards = TokenShards(write_shards(talks, senses, tmp_path / "s", per_shard=6))
    batches = list(PackedLoader(shards, batch_rows=2, row_tokens=128, epochs=1))
    expected = [senses.stream.render(talk) for talk in talks]
    wanted = np.concatenate([rendered.ids[1:][rendered.mask[1:]] for rendered in expected])
    assert sorted(id_ for batch in batches for id_ in learned(batch)) == sorted(wanted.tolist())
    assert sum(batch.documents for batch in batches) == 20
