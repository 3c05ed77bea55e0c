"""The modality and the codec keep their contracts; tunes survive files and codes without a loss."""

import numpy as np
import pytest
from sensorium_melody import Notes, melody

import sensorium as sm
from sensorium.codecs.contract import check_codec
from sensorium.modalities.contract import check_modality

SCALE = b"scale:d=4,o=5,b=120:c,d,e,8f.,p,2g6"
TURN = b"turn: d=8, o=6, b=63: 16g#5, a., a4., 32p, 1b7"
UNEVEN = np.array([[69, 0.31], [0, 0.17], [72, 1.1]])


@pytest.fixture(scope="module", autouse=True)
def known():
    """Where the package is not installed, it is made known here."""
    sm.register(melody)
    sm.register(Notes)


def test_the_contract_of_the_modality():
    check_modality(melody, [SCALE, TURN, UNEVEN])


def test_the_contract_of_the_codec():
    check_codec(Notes(), [SCALE, TURN, UNEVEN])


def test_notes_are_read_as_they_are_written():
    notes = melody.open(SCALE).array
    assert notes[:, 0].tolist() == [72, 74, 76, 77, 0, 91]
    assert notes[:, 1].tolist() == [0.5, 0.5, 0.5, 0.375, 0.5, 1]


@pytest.mark.parametrize("tune", [SCALE, TURN, b"fast:d=32,o=7,b=900:c,d.,p", b"a:b=127,o=4:1a"])
def test_nothing_is_lost_in_files_and_codes(tune):
    given = melody.open(tune)
    (decoded,) = Notes().decode(Notes().encode([given]))
    for again in (decoded, melody.open(melody.to_bytes(given))):
        np.testing.assert_allclose(again.array, given.array, rtol=1e-3)
        assert melody.measures(given, again)["pitches_right"] == 1


def test_other_lengths_become_the_nearest():
    (decoded,) = Notes().decode(Notes().encode([melody.open(UNEVEN)]))
    assert melody.measures(melody.open(UNEVEN), decoded)["length_error"] < 0.2


@pytest.mark.parametrize(
    ("tune", "sentence"),
    [
        (b"no tune at all", "no ringtone in RTTTL"),
        (b"a:d=4:c,,d", "no ringtone in RTTTL"),
        (b"a:b=0:c", "no ringtone in RTTTL"),
        (b"a::h", "no ringtone in RTTTL"),
        (b"a::c9", "note c9 of the tune is none of RTTTL"),
        (b"a::e#5", "note e#5 of the tune is none"),
        (np.zeros((0, 2)), "has the shape"),
        (np.array([[60.5, 1.0]]), "note 1 of the tune has pitch 60.5"),
        (np.array([[60, 1.0], [62, np.nan]]), "note 2 of the tune has pitch 62 and lasts nan s"),
    ],
)
def test_bad_tunes_are_refused_in_one_sentence(tune, sentence):
    with pytest.raises(sm.InputError, match=sentence):
        melody.open(tune)


def test_a_long_tune_is_refused_by_the_codec():
    with pytest.raises(sm.InputError, match="takes 1 to 4 frames"):
        Notes(max_notes=4).encode([melody.open(SCALE)])
