"""Every family that learns, over one, two and three axes: the contract, learning, and what is restored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from media_toys import KINDS, MAKE, known, waves

from sensorium import plugins
from sensorium.codecs import Learning, Media
from sensorium.codecs.contract import check_codec
from sensorium.families.features import FEATURES
from sensorium.families.fsq import FSQCodec, FSQConfig, reconstruction
from sensorium.families.fsq_net import Axes, fold, unfold
from sensorium.families.header import Header
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.pool import Pool
from sensorium.families.semantic import SemanticCodec, classes
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.types import InputError, Signal

SMALL = {"encoder_widths": (16, 16), "encoder_blocks": (0, 1), "decoder_widths": (16, 16), "decoder_blocks": (0, 1)}
SMALL |= {"levels": (8, 5, 5), "size_px": 16, "grid": 4, "patch_px": 2}
BANDS = {"size_px": 8, "grid": 2}


@pytest.fixture(autouse=True)
def modalities() -> Iterator[None]:
    with known():
        yield


def quick(steps: int) -> Learning:
    """So many steps of the one loop."""

    def train(net, sample, loss, **how):
        settings = CodecTraining(**{"minutes": 9, "steps": steps, "batch": 8, "lr": 0.01} | how)
        train_codec(net, sample, loss, settings, say=lambda line: None)

    return Learning(minutes=9, train=train, say=lambda line: None)


def learned_fsq(kind: str, steps: int = 40, **settings) -> FSQCodec:
    more = SMALL | (BANDS if kind == "bands" else {}) | settings
    return FSQCodec.learn(Media.of(MAKE[kind](24)), quick(steps), modality=kind, **more)


@pytest.mark.parametrize("kind", MAKE)
def test_fsq_keeps_the_contract_over_any_axes(kind):
    check_codec(learned_fsq(kind), MAKE[kind](6, seed=1))


@pytest.mark.parametrize("kind", MAKE)
def test_fsq_learns_the_media(kind):
    """What is restored after learning lies nearer to the originals than before, and is as long as they are."""
    errors = []
    for steps in (1, 120):
        codec, unseen = learned_fsq(kind, steps), MAKE[kind](8, seed=1)
        back = codec.decode(codec.encode(unseen))
        measured = [KINDS[kind].measures(a, b) for a, b in zip(unseen, back, strict=True)]
        assert all(one["rows"] == 1 for one in measured)
        errors.append(np.mean([one["error"] for one in measured]))
    assert errors[1] < 0.7 * errors[0]


def test_a_codec_of_a_series_restores_rate_names_units_and_size():
    codec = learned_fsq("waves")
    assert codec.facts.grid == (None,)
    assert codec.facts.frame_rate_hz == 100 / codec.settings.hop
    (back,) = codec.decode(codec.encode([waves(1, seed=3)[0]]))
    assert (back.rate_hz, back.channels, back.units) == (100.0, ("x", "y"), ("g", "g"))
    original = waves(1, seed=3)[0].array
    assert back.array.shape == original.shape
    np.testing.assert_allclose(back.array.mean(0), original.mean(0), atol=2 * original.std())


def test_a_clip_may_end_only_after_a_whole_step():
    codec = learned_fsq("clips")
    assert codec.facts.grid == (None, 4, 4)
    assert codec.layout.step_codes == 16
    with pytest.raises(InputError, match="in steps of 16"):
        codec.decode([np.zeros(codec.layout.header_codes + 20, np.int64)])


def test_media_that_do_not_suit_a_codec_are_told():
    codec = learned_fsq("waves", steps=1)
    with pytest.raises(InputError, match=r"takes numbers \(any, 2\), not float32 \(50, 1, 2\)"):
        codec.encode([Signal(np.zeros((50, 1, 2), np.float32), rate_hz=100.0)])
    with pytest.raises(InputError, match=r"takes numbers \(any, 2\), not uint8"):
        codec.encode([Signal(np.zeros((50, 2), np.uint8), rate_hz=100.0)])
    long = Signal(np.zeros((100_000, 2), np.float32), rate_hz=100.0)
    with pytest.raises(InputError, match=r"lasts 1000 s, codec .* takes at most .*; cut it into pieces"):
        codec.encode([long])


def test_refined_codes_of_a_series_are_no_worse():
    codec = learned_fsq("waves", steps=120)
    patient = FSQCodec(replace(codec.settings, refine_steps=8), codec.net)
    check_codec(patient, waves(3, seed=1))

    def error(one: FSQCodec) -> float:
        unseen = waves(8, seed=2)
        back = one.decode(one.encode(unseen))
        spreads = [signal.array.std(0) for signal in unseen]
        pairs = zip(unseen, back, spreads, strict=True)
        return float(np.mean([np.square((a.array - b.array) / s).mean() for a, b, s in pairs]))

    assert error(patient) < 0.97 * error(codec)
    assert patient.fingerprint() == codec.fingerprint()


def test_new_fields_of_a_config_change_no_older_fingerprint():
    assert "hop" not in FSQCodec(FSQConfig()).config()
    assert learned_fsq("waves", steps=1).config()["hop"] == 4


@pytest.mark.parametrize("by", [(4,), (2, 2), (2, 4), (1, 2, 2), (2, 4, 4)])
def test_unfold_is_the_inverse_of_fold(by):
    x = torch.randn(2, 3, *(8 for _ in by))
    folded = fold(x, by)
    assert folded.shape == (2, 3 * int(np.prod(by)), *(8 // one for one in by))
    assert torch.equal(unfold(folded, by), x)
    blocks = folded.unflatten(1, (3, -1))
    first = tuple(slice(0, one) for one in by)
    assert torch.equal(blocks[(0, 0, slice(None), *(0 for _ in by))], x[(0, 0, *first)].flatten())


def test_time_is_halved_no_oftener_than_the_hop_allows():
    assert Axes(space=0, hop=16).folds(1) == (8,)
    assert Axes(space=0, hop=16).strides(1) == [(2,)]
    assert Axes(space=2, patch_px=4, hop=2).folds(2) == (1, 4, 4)
    assert Axes(space=2, patch_px=4, hop=2).strides(2) == [(1, 2, 2), (2, 2, 2)]
    assert Axes(space=0, hop=5).folds(1) == (5,)
    with pytest.raises(ValueError, match="one to three axes"):
        Axes(space=0)


@pytest.mark.parametrize("array", [
    np.full((7, 2), 1013.25), np.arange(20.0)[:, None] * [1e-9, 1e6], np.full((3, 1), -0.0),
    np.random.default_rng(0).normal(1e7, 1, (50, 3)),
])  # fmt: skip
def test_a_header_keeps_length_level_and_size(array):
    """What comes back without any loss in between is off by less than 1 part in 10,000."""
    head = Header(hop=4, channels=array.shape[1], floats=True)
    codes, whole = head.take(array.astype(np.float32))
    assert len(whole) % 4 == 0
    assert all(0 <= code < size for code, (_, size) in zip(codes, head.books, strict=True))
    assert np.abs(whole).max() <= 1
    np.testing.assert_allclose(head.give(np.array(codes), whole), array, rtol=1e-4, atol=1e-9)


def test_header_books_are_named_and_neighbours_alike():
    assert Header(hop=8).books == (("rest", 8),)
    assert Header(hop=1).books == ()
    assert [name for name, _ in Header(channels=2, floats=True).books][:3] == ["scale0", "offset0", "fine0"]
    alike = Header(hop=8).features(0) @ Header(hop=8).features(0).T
    assert (alike[0, 1:4] < alike[0, :3]).all()


def test_what_is_not_there_does_not_count():
    x, y = torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0, 9, 9]]])
    there = torch.tensor([[True, True, False, False]])
    assert reconstruction(x, y, there) == reconstruction(x, x)


def test_a_pool_gives_windows_of_media_of_any_length():
    pool = Pool(iter([np.arange(3.0)[:, None], np.arange(10.0, 20.0)[:, None]]))
    windows, there, numbers = pool.windows(np.random.default_rng(0), 50, 4, step=2)
    assert set(numbers) == {0, 1}
    for window, present, number in zip(windows[..., 0], there, numbers, strict=True):
        assert window.tolist() == [0, 1, 2, 2] if number == 0 else window[0] % 2 == 0
        assert present.tolist() == [True, True, True, number == 1]
    with pytest.raises(InputError, match="length alone"):
        Pool(iter([np.zeros((3, 1)), np.zeros((3, 2))]))


@pytest.mark.parametrize("kind", ["waves", "bands", "clips"])
def test_kmeans_keeps_the_contract_over_any_axes(kind):
    learning = replace(quick(0), codes=32)
    codec = KMeansCodec.learn(Media.of(MAKE[kind](24)), learning, modality=kind, rows=2, steps=20)
    assert codec.of == "windows"
    assert codec.facts.codebook_sizes == (32,)
    check_codec(codec, MAKE[kind](6, seed=1))
    unseen = MAKE[kind](4, seed=1)
    for original, back in zip(unseen, codec.decode(codec.encode(unseen)), strict=True):
        assert back.array.shape == original.array.shape


def loudness(signal: Signal) -> np.ndarray:
    """(N, 2) spread of either channel in pieces of ten rows."""
    whole = signal.array[: len(signal.array) // 10 * 10]
    return whole.reshape(-1, 10, 2).std(1)


def test_kmeans_reads_features_of_a_registered_function():
    plugins.register(FEATURES, "loudness", loudness)
    try:
        learning = replace(quick(0), codes=8)
        codec = KMeansCodec.learn(Media.of(waves(24)), learning, modality="waves", of="loudness")
        check_codec(codec, waves(6, seed=1))
        assert codec.facts.use == "read"
        assert "loudness" in codec.config().values()
        with pytest.raises(InputError, match="only read"):
            codec.decode(codec.encode(waves(1)))
    finally:
        plugins.unregister(FEATURES, "loudness")
    with pytest.raises(InputError, match="'loudness' cannot be made: no features named"):
        KMeansCodec.build(codec.config(), codec.tensors())


def named(count: int, seed: int = 0) -> Media:
    return Media.of(waves(count, seed), ["a slow wave", "a quick wave"] * (count // 2))


def learned_semantic(steps: int, **settings) -> SemanticCodec:
    shape = {"widths": (16, 24), "blocks": (0, 1), "channels": 16, "hidden": 32, "codes": 2, "levels": (3, 3)}
    shape |= {"hop": 4, "pool": 4, "rate_hz": 100.0}
    return SemanticCodec.learn(named(40), quick(steps), modality="waves", **shape | settings)


def test_semantic_keeps_the_contract_over_time():
    codec = learned_semantic(60)
    assert codec.facts.name == "waves-read"
    assert codec.facts.frame_rate_hz == 100 / 16
    check_codec(codec, waves(6, seed=1))
    lengths = [len(signal.array) for signal in waves(6, seed=1)]
    assert [len(codes) for codes in codec.encode(waves(6, seed=1))] == [2 * -(-rows // 16) for rows in lengths]


@pytest.mark.parametrize("kind", ["bands", "heat", "clips"])
def test_semantic_keeps_the_contract_over_any_axes(kind):
    size = BANDS["size_px"] if kind == "bands" else 16
    shape = {
        "widths": (8, 8),
        "blocks": (0, 1),
        "channels": 8,
        "hidden": 16,
        "codes": 3,
        "size_px": size,
        "patch_px": 2,
    }
    signals = MAKE[kind](40)
    halves = [signal.array[..., : size // 2, :].mean() - signal.array[..., size // 2 :, :].mean() for signal in signals]
    media = Media.of(signals, ["left" if more > np.median(halves) else "right" for more in halves])
    codec = SemanticCodec.learn(media, quick(20), modality=kind, **shape)
    check_codec(codec, MAKE[kind](8, seed=1))
    assert codec.facts.grid == ((1,) if kind == "heat" else (None,))


def test_semantic_codes_tell_what_the_media_are():
    """Codes of unseen slow waves are nearer to those of slow ones than of quick ones, by the codes they share."""
    codec = learned_semantic(300)
    codes = [set(enumerate(one[:2].tolist())) for one in codec.encode(waves(20, seed=5))]
    slow, quick_ones = codes[::2], codes[1::2]

    def shared(some, others) -> float:
        return float(np.mean([len(a & b) for a in some for b in others if a is not b]))

    assert shared(slow, slow) > shared(slow, quick_ones) + 0.3
    assert shared(quick_ones, quick_ones) > shared(slow, quick_ones) + 0.3


def test_what_fills_a_window_does_not_count_for_what_is_read():
    """A medium that fills its last frame in part gets the same values, whatever the missing rows repeat."""
    codec = learned_semantic(5)
    net, x = codec.net, torch.randn(1, 2, 16)
    there = torch.zeros(1, 16)
    there[:, :4] = 1
    other = x.clone()
    other[..., 12:] += 5
    with torch.inference_mode():
        assert torch.allclose(net.values(x, there), net.values(other, there), atol=1e-5)
        assert not torch.allclose(net.values(x), net.values(other), atol=1e-4)


def test_words_that_several_share_are_told_and_those_of_all_are_not():
    found, shared = classes(["a cat", "a cat", "A dog!", "a dog", "a cat", "a fish"])
    assert shared == ["a cat", "cat", "dog"], "neither fish, which is said once, nor a single letter"
    assert len(found[0]) == 2
    assert found[2] == found[3]
    assert found[5] == []
    assert classes(["x"] * 3 + ["y"])[1] == ["x"], "a name that most have is still one"


def test_semantic_says_what_it_needs():
    with pytest.raises(InputError, match="one folder per name"):
        SemanticCodec.learn(Media.of(waves(4)), quick(1), modality="waves")


def test_a_network_can_be_moved():
    codec = learned_fsq("waves", steps=1)
    assert codec.to("cpu") is codec
    assert codec.device == torch.device("cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", MAKE)
def test_codes_on_a_gpu_are_those_of_the_cpu(kind):
    codec, media = learned_fsq(kind), MAKE[kind](6, seed=1)
    here, there = codec.encode(media), codec.to("cuda").encode(media)
    same = np.concatenate(here) == np.concatenate(there)
    assert same.mean() > 0.98
    check_codec(partial(codec.to, "cuda")(), media)
