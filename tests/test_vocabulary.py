import numpy as np
import pytest
from toys import ToyCodec, random_codes, tiny_tokenizer

from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary

READ, WRITE = ToyCodec("toy-read", "read", sizes=(5,), grid=(3,)), ToyCodec("toy", "write")


def vocabulary(text_size: int = 300) -> Vocabulary:
    return Vocabulary.build(text_size, [WRITE.facts, READ.facts])


def test_layout_is_contiguous_and_starts_after_the_text():
    joint = vocabulary()
    write, read = joint.layouts
    assert (write.open_id, write.close_id, write.starts) == (300, 301, (302, 310))
    assert write.range(1) == (310, 314)
    assert (read.open_id, read.stop, joint.size) == (314, 321, 321)


def test_codes_survive_the_way_to_ids_and_back():
    joint, codes = vocabulary(), random_codes(WRITE)
    ids = joint.layout("toy").ids(codes)
    assert ids[0] == 300 and ids[-1] == 301
    assert ids[1] == 302 + codes[0] and ids[2] == 310 + codes[1]
    np.testing.assert_array_equal(joint.layout("toy").codes(ids[1:-1]), codes)


@pytest.mark.parametrize("codes", [[8, 0] * 4, [-1, 0] * 4, [0, 0, 0] * 4, [0.5, 0] * 4, [[0, 0]] * 4])
def test_codes_out_of_range_are_refused_not_wrapped(codes):
    with pytest.raises(InputError, match="toy"):
        vocabulary().layout("toy").ids(np.array(codes))


@pytest.mark.parametrize("ids", [[302], [302, 310] * 3, [310, 302] * 4, [0, 310] * 4, []])
def test_ids_that_spell_no_medium_are_refused(ids):
    with pytest.raises(InputError):
        vocabulary().layout("toy").codes(ids)


def test_reader_and_writer_differ_and_missing_senses_are_named():
    joint = vocabulary()
    assert joint.reader("toy").facts.name == "toy-read"
    assert joint.writer("toy").facts.name == "toy"
    with pytest.raises(InputError, match="cannot read 'smell'; it can read: toy"):
        joint.reader("smell")


def test_two_codecs_for_one_use_are_refused():
    with pytest.raises(InputError, match="two codecs"):
        Vocabulary.build(10, [WRITE.facts, ToyCodec("other", "write").facts])
    with pytest.raises(InputError, match="named 'toy'"):
        Vocabulary.build(10, [WRITE.facts, ToyCodec("toy", "read").facts])


def test_kinds_and_their_uniform_loss():
    joint = vocabulary()
    assert joint.kinds == ("text", "toy", "toy-read")
    np.testing.assert_array_equal(joint.kind_of(np.array([0, 300, 301, 302, 313, 314, 316])), [0, 0, 0, 1, 1, 0, 2])
    assert joint.uniform_nats(2) == pytest.approx(np.log(5))
    assert joint.uniform_nats(1) == pytest.approx((np.log(8) + np.log(4)) / 2)


def test_tokenizer_holds_every_token_at_its_id_and_reserved_rows_fill_the_gap():
    tokenizer, joint = tiny_tokenizer(), vocabulary(text_size=300)
    assert len(tokenizer) < 300
    joint.extend_tokenizer(tokenizer)
    assert len(tokenizer) == joint.size
    assert tokenizer.convert_tokens_to_ids(["<|toy|>", "<|/toy|>", "<|toy:1:3|>", "<|toy-read:4|>"]) == [
        300,
        301,
        313,
        320,
    ]
    joint.extend_tokenizer(tokenizer)
    assert len(tokenizer) == joint.size


def test_a_medium_travels_as_a_string():
    tokenizer, joint = tiny_tokenizer(), vocabulary()
    joint.extend_tokenizer(tokenizer)
    ids = joint.layout("toy-read").ids(random_codes(READ))
    assert tokenizer(tokenizer.decode(ids), add_special_tokens=False)["input_ids"] == ids


def test_json_round_trip():
    joint = vocabulary()
    assert Vocabulary.from_json(joint.to_json()) == joint


def test_a_clash_of_token_names_is_refused():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<|toy|>"], special_tokens=True)
    with pytest.raises(InputError, match="another id"):
        vocabulary().extend_tokenizer(tokenizer)


def test_a_header_counts_once_in_what_guessing_gives():
    codec = ToyCodec(sizes=(256,), grid=None, max_frames=9, header=[("scale", 4)])
    joint = Vocabulary.build(300, [codec.facts])
    assert joint.uniform_nats(1) == pytest.approx((np.log(4) + 9 * np.log(256)) / 10)
