"""Pieces of words: learned from texts, or those of an LLM's own tokenizer."""

from __future__ import annotations

import pytest

from sensorium.families.pieces import Cutter, in_signs, learn_merges, merges_of, pieces_of
from sensorium.model.fresh import learn_tokenizer
from sensorium.types import InputError

SIGNS = " 'abcdefghijklmnopqrstuvwxyzáéíñóú"
TEXTS = [
    "the weather in the north",
    "the mother and the other one",
    "el niño está en la montaña",
    "the mother's end",
] * 9


def cut(text, merges):
    pieces = pieces_of(SIGNS, merges)
    return [pieces[code] for code in Cutter(pieces, merges).cut(text)]


@pytest.mark.parametrize("text", TEXTS[:4])
def test_words_fall_into_the_tokens_of_the_llm(text):
    tokenizer = learn_tokenizer(TEXTS, 400)
    merges = merges_of(tokenizer, TEXTS, SIGNS, 400)
    for word in text.split():
        tokens = [tokenizer.decode([one]) for one in tokenizer(f" {word}", add_special_tokens=False)["input_ids"]]
        assert cut(word, merges) == tokens


def test_few_pieces_are_those_that_texts_need_most():
    tokenizer = learn_tokenizer(TEXTS, 400)
    merges = merges_of(tokenizer, ["the north"] * 9 + ["end"], SIGNS, len(pieces_of(SIGNS, [])) + 2)
    assert cut("the", merges) == [" the"] and cut("end", merges) != [" end"]
    assert "".join(cut("the mother", merges)) == " the mother"


def test_without_texts_they_are_the_first_ones_of_the_llm():
    tokenizer = learn_tokenizer(TEXTS, 400)
    few, all_ = (merges_of(tokenizer, [], SIGNS, codes) for codes in (80, 400))
    assert few == all_[: len(few)] and len(pieces_of(SIGNS, few)) == 80
    assert cut("the", few) == [" the"]


def test_a_piece_with_a_space_put_before_it_whole_begins_with_its_first_sign():
    """Where the tokenizer merges a space with "na" at once, " n" and "a" are merged instead."""
    tokenizer = learn_tokenizer(["banana " * 9, "nanana " * 9, "na na na"] * 9, 300)
    merges = merges_of(tokenizer, ["na na banana"], SIGNS, 100)
    assert cut("na", merges) == [" na"]


def test_a_tokenizer_without_pairs_is_told():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({"the": 0, "?": 1}, unk_token="?"))
    with pytest.raises(InputError, match="has no pairs"):
        merges_of(PreTrainedTokenizerFast(tokenizer_object=known), TEXTS, SIGNS, 100)


def test_learned_pieces_are_the_frequent_ones():
    assert cut("the", learn_merges(TEXTS, SIGNS, 90)) == [" the"]


def test_texts_in_signs():
    assert in_signs("¡Él niÑo, Ü!", SIGNS) == " él niño  u "
