"""The `spelled` family: speech as pieces of words, whose rows start where an LLM has them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from test_ctc import said, train, words
from toys import ToyCodec, tiny_base

from sensorium.codecs import Learning, Media
from sensorium.codecs.contract import check_codec
from sensorium.families.aloud import Aloud, AloudConfig, aligned, durations
from sensorium.families.ctc import SLOTS, CtcCodec, CtcConfig
from sensorium.families.letters import Letters, likeliest
from sensorium.families.spelled import SpelledCodec
from sensorium.model import grow
from sensorium.types import InputError, Signal

TINY = {"width": 48, "blocks": (2, 1), "levels": (4, 4)}
MERGES = [(" h", "e"), (" he", "l"), ("l", "o"), (" hel", "lo"), (" t", "h"), (" th", "e")]


@pytest.fixture(scope="module")
def codec() -> SpelledCodec:
    known = words(60, 0)
    media = Media.of([said(word) for word in known], known)
    return SpelledCodec.learn(
        media, Learning(minutes=1, train=train, codes=30), modality="audio", hearing="ctc", **TINY
    )


@pytest.fixture
def letters() -> SpelledCodec:
    """Of an untrained network; its pieces are words of English."""
    torch.manual_seed(0)
    return SpelledCodec(CtcCodec(CtcConfig(signs=" 'abcdefghijklmnopqrstuvwxyzñ", **TINY)), MERGES, most=6)


def test_the_contract(codec):
    check_codec(codec, [said(word) for word in ("abc", "cab", "bbca")])


def test_it_hears_as_well_as_the_codec_inside(codec):
    assert codec.facts.name == "audio-words" and len(codec.pieces) == 30
    new = words(30, 1)
    heard = codec.encode([said(word) for word in new])
    inside = codec.hearing.spell(codec.hearing.encode([said(word) for word in new]))
    right, before = (sum(map(str.__eq__, found, new)) for found in (codec.spell(heard), inside))
    assert right >= max(before - 1, 20)
    assert sum(map(len, heard)) < 0.8 * sum(map(len, codec.spell(heard)))


def test_letters_choose_where_a_sound_leaves_a_choice():
    letters = Letters.of(["the cat", "the hat", "a cat"] * 9, " acehtk")
    heard = np.full((4, 8), 0.02)
    for slot, (one, other) in enumerate((("k", "c"), ("a", "e"), ("t", "h"), ("", ""))):
        for sign, chance in ((one, 0.5), (other, 0.4)):
            heard[slot, " acehtk".index(sign) + 1 if sign else 0] = chance
    assert likeliest(np.log(heard), " acehtk", letters) == "cat"
    assert max(letters.behind("the ca"), key=letters.behind("the ca").__getitem__) == "t"
    assert abs(sum(np.exp(list(letters.behind("kk").values()))) - 1) < 1e-6


def test_texts_are_cut_and_put_together_again(letters):
    codes = letters.cut("Hello, the año")
    assert [letters.pieces[code] for code in codes] == [" hello", " the", " a", "ñ", "o"]
    assert letters.spell([codes]) == ["hello the año"]
    assert len(set(letters.pieces)) == len(letters.pieces) == 2 * 28 + 6


def test_signs_that_it_cannot_spell_part_words(letters):
    assert letters.spell([letters.cut("É-7日o\n")]) == ["e o"]
    assert len(letters.cut("!? 日\n")) == 0


def test_silence_says_nothing(letters):
    bias = letters.hearing.net.speller[-1].bias
    bias[:: len(bias) // SLOTS] = 100  # of the blank
    (codes,) = letters.encode([Signal(np.zeros((16000, 1), np.float32), 16000.0)])
    assert codes.shape == (0,) and letters.spell([codes]) == [""]


def test_more_than_it_takes_is_told(letters, codec):
    with pytest.raises(InputError, match=r"7 pieces .* takes at most 6; cut it"):
        letters.cut("abcdefg")
    with pytest.raises(InputError, match="lasts 60 s"):
        codec.encode([Signal(np.zeros((960_000, 1), np.float32), 16000.0)])


def test_only_a_codec_that_spells_can_be_inside(codec):
    with pytest.raises(InputError, match="'ctc' or 'whisper', not 'toy'"):
        SpelledCodec(ToyCodec(), [])
    with pytest.raises(InputError, match=r"'q' and 'u' cannot be merged"):
        SpelledCodec(codec.hearing, [("q", "u")])
    with pytest.raises(InputError, match="no setting 'pitch'"):
        SpelledCodec.build(codec.config() | {"pitch": 1}, codec.tensors())


def speaking(letters: SpelledCodec) -> SpelledCodec:
    """The same with a voice that has learned nothing."""
    config = AloudConfig(letters=letters.hearing.settings.signs, width=8, blocks=1, sound_width=8, sound_blocks=1)
    return SpelledCodec(letters.hearing, MERGES, voice=(config, Aloud(config)))


@pytest.mark.parametrize("speaks", [False, True])
def test_rows_start_at_the_pieces_as_they_stand_in_text(letters, speaks):
    codec = speaking(letters) if speaks else letters
    base = tiny_base()
    sides = [base.lm.get_input_embeddings(), base.lm.get_output_embeddings()]
    tables_VH = [side.weight.detach().clone() for side in sides]
    grown = grow(base, [codec])
    layout = grown.vocabulary.layout(codec.facts.name)
    first = layout.starts[0] - grown.vocabulary.text_size
    for side, table_VH in zip([grown.embedding, grown.head][: 1 + speaks], tables_VH, strict=False):
        rows = side.rows().detach()[first:]
        for piece in (" hello", "o", " the"):
            ids = base.tokenizer(piece, add_special_tokens=False)["input_ids"]
            torch.testing.assert_close(rows[codec.pieces.index(piece)], table_VH[ids].mean(0))


def test_it_says_the_letters_in_the_voice_that_it_learned(codec):
    known = words(60, 2)
    media = Media.of([said(word) for word in known], known)
    tiny = {"width": 32, "blocks": 1, "sound_width": 48, "sound_blocks": 2}
    speaking = codec.with_voice(
        media, Learning(minutes=1, train=partial(train, steps=1400)), [(one, one[::-1]) for one in known], **tiny
    )
    check_codec(speaking, [said(word) for word in ("abc", "cab", "bbca")])
    new = words(6, 3)
    sounds = speaking.decode([speaking.cut(word) for word in new])
    assert speaking.spell(speaking.encode(sounds)) == new
    for word, sound in zip(new, sounds, strict=True):
        assert abs(len(sound.array) - len(said(word).array)) < 1600
    (silent,) = speaking.decode([np.zeros(0, np.int64)])
    assert len(silent.array) < 16000


def test_signs_are_found_where_they_are_heard():
    chances = np.log(np.array([[8, 1, 1], [1, 8, 1], [8, 1, 1], [1, 8, 1], [1, 8, 1], [1, 1, 8], [8, 1, 1]]) / 10)
    slots = aligned(chances, np.array([1, 1, 2]))
    assert slots.tolist() == [1, 3.5, 5]
    frames = durations(slots, 2, 14)
    assert frames.tolist() == [0, 6, 4, 4, 0] and frames.sum() == 14


def test_the_same_codec_in_the_tokens_of_an_llm(letters):
    tokenizer = tiny_base().tokenizer
    own = letters.in_tokens_of(tokenizer, codes=120)
    assert len(own.pieces) <= 120 and own.pieces != letters.pieces
    assert own.spell([own.cut("the cat")]) == ["the cat"]
    assert (own.facts.name, own.facts.max_frames) == (letters.facts.name, letters.facts.max_frames)
