"""The families of rows: numbers of any size come back within half a level, whole or piece by piece."""

import numpy as np
import pytest

from sensorium.codecs.contract import check_codec
from sensorium.families import scaling
from sensorium.families.dct import DCTCodec
from sensorium.families.numbers import in_words
from sensorium.families.uniform import UniformCodec
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal


def waves(scale: float = 1.0, offset: float = 0.0) -> list[Signal]:
    time = np.linspace(0, 6, 90)[:, None]
    curves = [np.sin(time * speed + np.arange(3)) * scale + offset for speed in (1, 2, 3)]
    return [Signal(curve.astype(np.float32)[: 30 * speed]) for speed, curve in enumerate(curves, 1)]


def relative_error(codec, signals) -> float:
    decoded = codec.decode(codec.encode(signals))
    return max(float(np.abs(a.array - b.array).max() / np.ptp(a.array)) for a, b in zip(signals, decoded, strict=True))


@pytest.mark.parametrize(
    "codec",
    [
        UniformCodec(3),
        UniformCodec(3, shared=True, bins=(64, 32, 16)),
        UniformCodec(3, ranges=[(-1.5, 1.5)] * 3),
        UniformCodec(3, ranges=[(-1.5, 1.5), None, (-2, 1)]),
        DCTCodec(3),
        DCTCodec(3, exact=False),
        DCTCodec(3, ranges=[(-1, 1)] * 3, exact=False, window=8, kept=8),
        DCTCodec(3, limits=(4, 2, 1), kept=3, shared=True),
    ],
    ids=lambda codec: f"{codec.family} {len(codec.facts.header)}",
)
def test_the_contract(codec):
    check_codec(codec, waves())


def test_the_contract_notices_a_stream_that_gives_up_halfway_or_takes_nothing():
    class Tired(UniformCodec):
        """Its stream takes so many pieces."""

        def __init__(self, *args, most: int = 2, **rows):
            super().__init__(*args, **rows)
            self.most = most

        def stream(self):
            inner, left = super().stream(), [self.most]

            def counted(work):
                def taken(piece):
                    left[0] -= 1
                    if left[0] < 0:
                        raise InputError("no more")
                    return work(piece)

                return taken

            inner.push, inner.pull = counted(inner.push), counted(inner.pull)
            return inner

    with pytest.raises(InputError, match="no more"):
        check_codec(Tired(3, ranges=[(-1.5, 1.5)] * 3), waves())
    with pytest.raises(AssertionError, match="must take media or codes"):
        check_codec(Tired(3, ranges=[(-1.5, 1.5)] * 3, most=0), waves())


def test_the_contract_with_a_rate_names_and_units():
    meant = [Signal(one.array, 100.0, ("x", "y", "z"), ("g",) * 3) for one in waves()]
    for family in (UniformCodec, DCTCodec):
        codec = family.learn(meant)
        check_codec(codec, meant)
        (decoded,) = codec.decode(codec.encode(meant[:1]))
        assert decoded.meta() == meant[0].meta()
        (slow,) = codec.decode(codec.encode([Signal(np.repeat(meant[0].array, 2, axis=0), 200.0)]))
        assert slow.array.shape == meant[0].array.shape
        assert np.abs(slow.array - meant[0].array).max() < 0.1


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("offset", [0, 1, -10, 300])
def test_series_of_any_range_are_restored(scale, offset):
    waved = waves(scale, offset * scale)
    assert relative_error(UniformCodec(3), waved) < 1.5 / 63
    assert relative_error(UniformCodec(3, bins=256), waved) < 1.5 / 255
    assert relative_error(DCTCodec(3, bins=256), waved) < 0.06


def test_a_large_offset_costs_precision_not_the_numbers():
    (wave, *_) = waves(1.0, 1e6)
    (decoded,) = UniformCodec(3).decode(UniformCodec(3).encode([wave]))
    assert np.abs(decoded.array - wave.array).max() < 1e6 * 8 / scaling.LIMIT / 63 * 1.3


def test_constants_are_restored():
    constants = Signal(np.array([[0.0, 5.0, -1e4]] * 4, np.float32))
    for codec in (UniformCodec(3), DCTCodec(3, bins=63)):
        (decoded,) = codec.decode(codec.encode([constants]))
        assert np.allclose(decoded.array, constants.array, rtol=1e-3, atol=1e-8)


def test_too_large_numbers_are_refused():
    with pytest.raises(InputError, match=r"up to 1e\+20, too large"):
        UniformCodec(1).encode([Signal(np.array([[0], [1e20]], np.float32))])


def test_an_hour_at_a_high_rate_is_refused_and_told_how_to_cut():
    hour = Signal(np.zeros((360_000, 1), np.float32), 100.0)
    with pytest.raises(InputError, match=r"360000 rows \(3600 s at 100 Hz\).* 2 to 256 \(2.56 s\); cut it into pieces"):
        UniformCodec(1).encode([hour])
    with pytest.raises(InputError, match=r"2 to 1024 .* cut it into pieces of 1024 rows"):
        DCTCodec(1).encode([hour])
    assert len(UniformCodec(1, rate_hz=0.05).encode([hour])[0]) == 3 + 180


def test_other_channels_are_refused():
    with pytest.raises(InputError, match="2 channels, 3 are needed"):
        UniformCodec(3).encode([Signal(np.zeros((4, 2), np.float32))])


def test_ends_of_a_fixed_range_are_levels():
    edges = Signal(np.array([[0, 0.5], [2, 1]], np.float32))
    codec = UniformCodec(2, ranges=[(0, 2), (0, 1)], bins=9)
    (decoded,) = codec.decode(codec.encode([edges]))
    assert np.array_equal(decoded.array, edges.array)


def test_smooth_series_need_fewer_codes_as_coefficients():
    (*_, wave) = waves()
    uniform, dct = UniformCodec(3), DCTCodec.learn([wave], window=32, kept=8, codes=64)
    assert len(dct.encode([wave])[0]) < 0.4 * len(uniform.encode([wave])[0])
    assert relative_error(dct, [wave]) < 0.05


def test_learned_limits_are_finer():
    media = waves()
    learned = DCTCodec.learn(media, codes=16)
    assert relative_error(learned, media) < 0.5 * relative_error(DCTCodec(3, bins=16), media)


def test_learning_takes_what_media_tell():
    codec = UniformCodec.learn(waves(), codes=32, minutes=1, name="sensor")
    assert codec.facts.name == "sensor"
    assert codec.facts.codebook_sizes == (32, 32, 32)
    assert codec.facts.max_frames == 90
    assert codec.facts.wish == Wish(channels=3)
    with pytest.raises(InputError, match="no medium"):
        UniformCodec.learn([])


def test_steps_are_kept_in_order_and_gather_no_error():
    times = np.cumsum(np.random.default_rng(0).uniform(0, 0.9, 200)).astype(np.float32)[:, None]
    codec = UniformCodec(1, ranges=[(0, 1)], deltas=(0,), bins=11)
    (decoded,) = codec.decode(codec.encode([Signal(times)]))
    assert (np.diff(decoded.array[:, 0]) >= 0).all()
    assert np.abs(decoded.array - times).max() < 0.06


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (dict(columns=2, ranges=[(0, 1)]), "2 columns, 1 ranges"),
        (dict(columns=1, ranges=[(1, 1)]), "less than the second"),
        (dict(columns=2, bins=1), "two bins"),
        (dict(columns=1, deltas=[0]), "range from 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        UniformCodec(**wrong)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (19, "nineteen"), (20.0, "twenty"), (64, "sixty four"), (0.25, "0.25"), (-3, "-3")],
)
def test_small_whole_numbers_are_said_in_words(number, words):
    assert in_words(number) == words
