"""What is said, and when: pauses, phrases, subtitles, and the two functions that people call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from serving import tiny_assistant
from sounds import HOP, RATE_HZ, Steps, file_of, tones

import sensorium as sm
from sensorium import plugins
from sensorium.codecs.contract import check_codec
from sensorium.generate.spoken import recording
from sensorium.generate.unfolding import Unfolding
from sensorium.modalities.speech_words import IN_ENGLISH, WHAT_IS_SAID, phrases, to_say
from sensorium.modalities.subtitles import Segment, srt, vtt
from sensorium.modalities.utterances import spans
from sensorium.types import InputError, Signal

TEXT = 'a < b & c > d\n\n  "x --> y"  \nand <i>more</i>'


def heard(array: np.ndarray, longest_s: float = 30.0, rate_hz: float = RATE_HZ) -> list[tuple[float, float]]:
    return [(round(one.start_s, 2), round(one.end_s, 2)) for one in spans(Signal(array, rate_hz), longest_s)]


def test_pieces_lie_between_pauses_with_a_little_of_them():
    array = tones(0.5, 1.0, 0.8, 0.5, 0.2, 0.3, 1.0)
    assert heard(array) == [(0.38, 1.62), (2.18, 3.42)], "a fifth of a second is no pause"
    for rate_hz in (8000, 44100):
        found = heard(tones(0.5, 1.0, 0.8, 0.5, 0.2, 0.3, 1.0, rate_hz=rate_hz, channels=2), rate_hz=rate_hz)
        assert found == [pytest.approx(one, abs=0.03) for one in heard(array)]


def test_pauses_are_found_in_noise_and_in_what_is_quiet():
    rng = np.random.default_rng(0)
    array = tones(0.5, 1.0, 0.8, 0.5, 0.5, level=0.01)
    assert len(heard(array)) == 2
    noisy = array + 0.0002 * rng.standard_normal(array.shape).astype(np.float32)
    assert len(heard(noisy)) == 2
    assert heard(0.1 * rng.standard_normal((RATE_HZ, 1)).astype(np.float32)) == [(0.0, 1.0)], "steady noise is no pause"


def test_silence_holds_no_piece_and_one_sample_does_no_harm():
    assert heard(np.zeros((RATE_HZ, 1), np.float32)) == []
    assert heard(np.ones((1, 1), np.float32)) == [(0.0, 0.0)] or heard(np.ones((1, 1), np.float32))[0][1] < 0.001
    with pytest.raises(InputError, match="with a rate"):
        spans(Signal(np.ones((5, 1), np.float32)), 30)


def test_long_pieces_are_cut_where_it_is_quietest():
    array = tones(0, 5.0)
    dip = slice(round(3.4 * RATE_HZ), round(3.55 * RATE_HZ))
    array[dip] *= 0.2
    found = heard(array, longest_s=4.0)
    assert found[0][1] == found[1][0] == pytest.approx(3.48, abs=0.1)
    assert found[-1][1] == 5.0
    lengths = [end - start for start, end in heard(tones(0, 60.0), longest_s=4.0)]
    assert max(lengths) <= 4.0 and sum(lengths) == pytest.approx(60.0)


def test_a_text_is_cut_behind_sentences_and_these_as_seldom_as_may_be():
    text = "Good morning. How are you?  I am\nfine, thank you; and what about yourself, Mr. Smith? 早上好。你好！Bye."
    first, last = ["Good morning.", "How are you?"], ["早上好。", "你好！", "Bye."]
    assert phrases(text, 200) == [*first, "I am fine, thank you; and what about yourself, Mr. Smith?", *last]
    assert phrases(text, 40) == [*first, "I am fine, thank you;", "and what about yourself, Mr. Smith?", *last]
    assert phrases("word " * 30, 12) == ["word word"] * 15
    assert phrases("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert phrases(" \n ", 10) == []
    assert to_say(" Good \n morning. ").endswith("Good morning.")


def test_subtitles_are_read_by_others_as_they_were_meant():
    foreign_srt, foreign_vtt = pytest.importorskip("srt"), pytest.importorskip("webvtt")
    segments = [Segment(0, 1.2345, "Hello"), Segment(61.0004, 61.0004, TEXT), Segment(2, 3, "  "),
                Segment(3599.9996, 36001.5, "Über <b>")]  # fmt: skip
    read = list(foreign_srt.parse(srt(segments)))
    assert [one.index for one in read] == [1, 2, 3]
    assert [(one.start.total_seconds(), one.end.total_seconds()) for one in read] == [
        (0, 1.234), (61.0, 61.001), (3600.0, 36001.5),
    ]  # fmt: skip
    assert read[1].content == 'a < b & c > d\n"x -> y"\nand <i>more</i>'
    cues = foreign_vtt.from_string(vtt(segments)).captions
    assert [(one.start, one.end) for one in cues] == [
        ("00:00:00.000", "00:00:01.234"), ("00:01:01.000", "00:01:01.001"), ("01:00:00.000", "10:00:01.500"),
    ]  # fmt: skip
    assert "a &lt; b &amp; c &gt; d" in vtt(segments)
    assert len(cues[1].lines) == 3, "an empty line would end the cue"
    assert vtt([]) == "WEBVTT\n\n" and srt([]) == ""


@pytest.mark.parametrize("times", [(2, 1), (-1, 1), (0, math.nan), (0, math.inf)])
def test_times_that_are_none_are_refused(times):
    with pytest.raises(InputError, match="give seconds from 0 on"):
        Segment(*times, "x")


@pytest.fixture(scope="module")
def model():
    return tiny_assistant(codecs=[Steps()])


def test_the_toy_codec_keeps_the_contract(monkeypatch):
    monkeypatch.setitem(plugins._registered, (plugins.CODECS, Steps.family), Steps)
    check_codec(Steps(), [Signal(tones(0.1, 0.2), float(RATE_HZ)), Signal(tones(0.2, 0.2), float(RATE_HZ))])


def test_unfolded_pieces_are_the_whole(model):
    codec = model.codecs["audio"]
    layout = model.vocabulary.layout("audio")
    codes = np.array([2, *np.random.default_rng(0).integers(0, 8, 23)])
    unfolding, pieces, waiting = Unfolding(codec, layout), [], []
    for number, token in enumerate(layout.ids(codes)):
        if unfolding.add(token):
            pieces.append(unfolding.pull(ended=token == layout.close_id))
            waiting.append(number)
    joined = np.concatenate([piece.array for piece in pieces])
    np.testing.assert_array_equal(joined, codec.decode([codes])[0].array)
    lengths = [len(piece.array) for piece in pieces]
    assert lengths[0] <= 0.1 * RATE_HZ, "it is heard soon"
    assert len(lengths) >= 3 and lengths[:-1] == sorted(lengths[:-1]), "later pieces may be longer"


def test_a_transcript_has_what_the_model_says_of_each_piece_and_when(model, tmp_path):
    array = tones(0.5, 0.6, 0.8, 0.4, 0.5)
    path = tmp_path / "talk.wav"
    path.write_bytes(file_of(array))
    found = sm.transcribe(model, path)
    assert found.duration_s == pytest.approx(2.8)
    cut = recording(model, Signal(array, float(RATE_HZ)))
    own = [model.chat([cut.piece(span), WHAT_IS_SAID], "text", max_tokens=round(16 + 30 * (span[1] - span[0])))
           for span in cut.spans]  # fmt: skip
    told = [(one.start_s, one.text) for one in found.segments]
    expected = [(span.start_s, one.text.strip()) for span, one in zip(cut.spans, own, strict=True)]
    assert told == [one for one in expected if one[1]]
    assert found.text == " ".join(one.text for one in found.segments)
    assert sm.transcribe(model, path, english=True).text != found.text, f"it is asked {IN_ENGLISH!r}"
    assert sm.transcribe(model, Signal(np.zeros((800, 1), np.float32), 8000.0)).segments == ()


def test_no_piece_is_longer_than_the_codec_and_the_context_have_room_for(model):
    cut = recording(model, Signal(tones(0, 5.0), float(RATE_HZ)))
    assert all(end - start <= 1.0 for start, end in cut.spans), "50 frames of the codec are a second"
    wide = tiny_assistant(codecs=[Steps(most=1000)])
    cut = recording(wide, Signal(tones(0, 9.0), float(RATE_HZ)))
    assert 1 < max(end - start for start, end in cut.spans) <= 128 / 50, "half of 256 ids"


def test_words_of_any_length_are_said(model):
    short = sm.speak(model, "hello", seed=1)
    assert short.modality == "audio" and short.codes is not None
    assert len(short.array) == (len(short.codes) - 1) * HOP
    long = sm.speak(model, "hello there. how are you?", seed=1)
    assert len(long.array) % HOP == 0 and long.codes is None and long.data.rate_hz == RATE_HZ
    with pytest.raises(InputError, match="no words"):
        sm.speak(model, "  ")


def test_models_without_ears_or_voice_are_told(model):
    deaf, mute = tiny_assistant(codecs=[Steps(use="write")]), tiny_assistant(codecs=[Steps(use="read")])
    with pytest.raises(InputError, match="cannot read 'audio'"):
        sm.transcribe(deaf, Signal(tones(0, 0.5), 16000.0))
    with pytest.raises(InputError, match="cannot write 'audio'"):
        sm.speak(mute, "hello")
