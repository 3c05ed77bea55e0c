"""Two codecs of which the second is asked where the first makes nothing: codes, rows that go on, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from toys import ToyCodec, tiny_base

from sensorium import plugins
from sensorium.codecs import CodecStream, Layout, load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.either import EitherCodec
from sensorium.families.out_stream import OutStream
from sensorium.model import grow
from sensorium.types import InputError, Signal


class Said(ToyCodec):
    """Numbers below 6, those above as nothing; it has words for them."""

    family = "toy-said"

    def __init__(self, **given):
        super().__init__(**{"sizes": (6,), "grid": None, "max_frames": 4, "min_frames": 0, **given})

    def _encode(self, rows):
        return rows[:, 0][rows[:, 0] < 6].astype(np.int64)

    def _decode(self, codes):
        return Signal(codes[:, None] if len(codes) else np.zeros((1, 1), np.int64))

    def words(self, codebook):
        return [" one", " two", "s", " hello", " this", " world"]


class Named(ToyCodec):
    """Two codes of any array: its largest number, less six, and its length."""

    family = "toy-named"

    def __init__(self, **given):
        super().__init__(**{"name": "named", "sizes": (5,), "grid": (2,), "max_frames": 2, "use": "read", **given})

    def _encode(self, rows):
        return np.array([rows.max() - 6, len(rows)], np.int64)

    def words(self, codebook):
        return ["heart", "red", "hello", "what", "is"]


class Streamed(Said):
    """Gives a number once the next one is there."""

    family = "toy-streamed"

    def stream(self) -> CodecStream:
        return _Late(self)


class _Late(OutStream):
    def __init__(self, codec: Streamed) -> None:
        super().__init__(codec)
        self.codec, self.held = codec, np.zeros(0, np.int64)

    def pull(self, codes: np.ndarray) -> Signal | None:
        assert len(codes), "it is asked of some"
        given = np.concatenate([self.held, codes])
        self.held = given[-1:]
        return self.codec._decode(given[:-1]) if len(given) > 1 else None

    def rest(self) -> Signal | None:
        return self.codec._decode(self.held) if len(self.held) else None


@pytest.fixture(autouse=True)
def known():
    for kind in (Said, Named, Streamed):
        plugins.register(plugins.CODECS, kind.family, kind)
    yield
    for kind in (Said, Named, Streamed):
        plugins.unregister(plugins.CODECS, kind.family)


CODEC = EitherCodec(Said(), Named())


def arrays(*rows: list[int]) -> list[Signal]:
    return [Signal(np.array(one, np.int64)[:, None]) for one in rows]


def test_the_second_is_asked_where_the_first_makes_nothing():
    codes = CODEC.encode(arrays([1, 2, 7], [8, 9, 7], [0]))
    assert [one.tolist() for one in codes] == [[1, 2], [6 + 3, 6 + 3], [0]]
    assert CODEC.facts.codebook_sizes == (11,) and CODEC.facts.name == "toy"


def test_what_is_written_is_the_first_codecs_alone():
    (signal,) = CODEC.decode([np.array([1, 9, 2])])
    assert signal.array[:, 0].tolist() == [1, 2]
    with pytest.raises(InputError, match="11"):
        CODEC.decode([np.array([11])])
    assert CODEC.stream() is None


@pytest.mark.parametrize("alike", [[7, 7, 7], [9]])
def test_a_medium_that_is_all_alike_has_no_codes(alike):
    assert [len(one) for one in CODEC.encode(arrays(alike, [7, 8], alike))] == [0, 2, 0]


def test_what_is_written_comes_piece_by_piece():
    codec = EitherCodec(Streamed(), Named())
    (whole,) = codec.decode([np.array([1, 9, 2, 3])])
    stream = codec.stream()
    pieces = [stream.pull(np.array(codes, np.int64)) for codes in ([9], [1, 9], [10, 6], [2], [], [8, 3])]
    assert [piece is None for piece in pieces] == [True, True, True, False, True, False]
    given = [piece.array for piece in [*pieces, stream.rest()] if piece is not None]
    np.testing.assert_array_equal(np.concatenate(given), whole.array)
    for take in (lambda: stream.push(whole), stream.finish):
        with pytest.raises(InputError, match="codec 'toy' takes each toy as a whole; give it in one piece"):
            take()


def test_a_saved_codec_needs_no_other(tmp_path):
    check_codec(CODEC, arrays([1, 2], [7, 8], [3]))
    CODEC.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    assert loaded.facts == CODEC.facts
    for one, other in zip(loaded.encode(arrays([5], [10, 7])), CODEC.encode(arrays([5], [10, 7])), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_knows_the_first_finds_its_ids_where_they_were():
    assert Layout(CODEC.facts, 100).starts == Layout(Said().facts, 100).starts


def test_rows_start_at_the_words_of_both():
    assert CODEC.words(0)[5:8] == [" world", " heart", " red"], "no piece within a word, as `s` is"
    grown = grow(tiny_base(), [CODEC])
    alone = grow(tiny_base(), [Named(modality="other")])
    both, named = grown.vocabulary.layout("toy").starts[0], alone.vocabulary.layout("named").starts[0]
    text = grown.vocabulary.text_size
    rows, others = grown.embedding.rows().detach(), alone.embedding.rows().detach()
    np.testing.assert_allclose(rows[both - text + 6 :][:5], others[named - text :][:5], atol=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (Said(), Named(modality="other"), "give codecs of one"),
        (Said(min_frames=1), Named(), "it must be able to make no codes"),
        (Said(max_frames=1), Named(), "makes up to 2"),
        (Said(grid=(4,)), Named(), r"its codes lie in a grid \(4,\)"),
        (Said(use="write"), Named(), "'toy' only writes; give one that reads"),
        (Said(), Named(use="write"), "'named' only writes; give one that reads"),
        (Said(), ToyCodec(name="wide", grid=None, min_frames=1), "several codebooks"),
    ],
)
def test_what_does_not_go_together_is_told(first, second, sentence):
    with pytest.raises(InputError, match=sentence):
        EitherCodec(first, second)
