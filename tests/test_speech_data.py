"""The speech recipe's data: voices, texts and their split, clips that are made one by one."""

from __future__ import annotations

import json
import shutil
import tarfile
from itertools import islice

import numpy as np
import pytest
import soundfile
from recipes.speech import clips, robots, words
from recipes.speech.clips import make, planned, read_manifest
from recipes.speech.numbers import spelled
from recipes.speech.phonemes import phonemes
from recipes.speech.sound import at_rate, read_sound
from recipes.speech.teacher import RATE_HZ, Teacher, tidied
from recipes.speech.texts import Name, Texts, carried, dictionary_examples, emoji_names, texts_of
from recipes.speech.voices import LISTENING, SPEAKING, UNSEEN, blend, terms

from sensorium.types import InputError

NAMES = [
    Name(names={"en": "cat", "es": "gato"}, split="train"),
    Name(names={"en": "red apple", "es": "manzana roja"}, split="train"),
    Name(names={"en": "bridge", "es": "puente"}, split="test"),
    Name(names={"en": "candle", "es": "vela"}, split="val"),
]
EXAMPLES = [
    f"the {one} was seen near the {two}" for one in ("dog", "moon", "bridge", "king") for two in ("sea", "candle")
]


@pytest.fixture
def texts() -> Texts:
    return Texts(NAMES, EXAMPLES)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A cache of its own, few test clips, no program for phonemes."""
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    monkeypatch.setattr(clips, "TESTED", 3)
    monkeypatch.setattr(clips, "VALIDATED", 2)
    monkeypatch.setattr(clips, "REPLIES", {"en": {"Hello!": ("hello",)}})
    monkeypatch.setattr(clips, "NAME_QUESTIONS", {})
    monkeypatch.setattr(clips, "phonemes", lambda text, language: f"/{text}/")
    return tmp_path / "speech"


class Hum:
    """Speaks a tone whose height is told by the voice; counts what it said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, phonemes: str, voice: str, speed: float = 1.0) -> np.ndarray:
        self.said.append(phonemes)
        height_hz = 200 + 40 * len(voice)
        time_s = np.arange(round(0.3 * RATE_HZ / speed)) / RATE_HZ
        return (0.5 * np.sin(2 * np.pi * height_hz * time_s)).astype(np.float32)


# --- voices and numbers


def test_voices_are_named_by_what_they_are_made_of():
    assert terms("kumo") == {"kumo": 1}
    assert terms("kumo1.3alpha-.3") == {"kumo": 1.3, "alpha": -0.3}
    speakers = {"kumo": np.array([1.0, 0.0], np.float32), "alpha": np.array([0.0, 1.0], np.float32)}
    assert blend("kumo.7alpha.3", speakers) == pytest.approx([0.7, 0.3])
    for wrong in ("", "kumo 1", ".5kumo", "Kumo", "kumo-alpha"):
        with pytest.raises(InputError, match="names no voice"):
            terms(wrong)
    with pytest.raises(InputError, match="unknown speaker bob; known are kumo, alpha"):
        blend("kumo.5bob.5", speakers)


def test_unseen_voices_hold_a_speaker_that_is_never_trained_on():
    trained = {speaker for voice in (SPEAKING, *LISTENING) for speaker in terms(voice)}
    assert all(set(terms(voice)) - trained for voice in UNSEEN)


@pytest.mark.parametrize(
    ("number", "english", "spanish"),
    [
        (0, "zero", "cero"),
        (16, "sixteen", "dieciséis"),
        (42, "forty two", "cuarenta y dos"),
        (100, "one hundred", "cien"),
        (101, "one hundred and one", "ciento uno"),
        (523, "five hundred and twenty three", "quinientos veintitrés"),
    ],
)
def test_numbers_are_spelled(number, english, spanish):
    assert (spelled(number, "en"), spelled(number, "es")) == (english, spanish)


# --- texts


def test_a_text_lies_with_the_held_out_things_that_it_speaks_of(texts):
    assert texts.side("we crossed the bridge") == "test"
    assert texts.side("la Vela se apagó") in ("val", "test")
    assert texts.held_out_in("bridgehead and puentes") == []
    assert texts.side("Hello there") == texts.side("hello, there!")


def test_nothing_that_is_trained_on_speaks_of_a_held_out_thing(texts):
    found = list(texts_of(texts, 400, "train", "here"))
    assert {one.kind for one in found} == {"name", "sentence", "example", "said", "count"}
    assert {one.concept for one in found} == {"", "cat", "red apple"}
    assert not [one.text for one in found if texts.held_out_in(one.text)]
    trained, tested = ({one.text for one in texts_of(texts, 300, split, "here")} for split in ("train", "test"))
    assert not trained & tested
    assert {one.language for one in found} == {"en", "es"}


def test_a_text_depends_on_the_seed_and_its_number_only(texts):
    many = list(texts_of(texts, 20, "train", "a"))
    assert list(texts_of(texts, 5, "train", "a")) == many[:5]
    assert list(texts_of(texts, 20, "train", "b")) != many


def test_names_stand_in_carrier_phrases_with_their_articles():
    apple = NAMES[1]
    assert carried(apple, "en", "draw {a}") == "draw a red apple"
    assert carried(apple, "en", "where is {the}?") == "where is the red apple?"
    assert carried(apple, "en", "{bare}") == "red apple"
    assert carried(apple, "es", "esto es: {bare}") == "esto es: manzana roja"
    for language in ("en", "es"):
        for one in NAMES:
            assert all("{" not in carried(one, language, carrier) for carrier in words.CARRIERS[language])


def test_names_of_emoji_are_read_without_signs_and_tones(tmp_path):
    entries = [
        {
            "hexcode": "1F431",
            "label": "cat face",
            "group": 3,
            "skins": [{"hexcode": "1F431-1F3FB", "label": "x", "tone": 1}],
        },
        {"hexcode": "1F1EB-1F1F7", "label": "flag: France", "group": 9},
        {"hexcode": "0031-20E3", "label": "keycap: 1", "group": 8},
        {"hexcode": "1F17E", "label": "O button (blood type)", "group": 8},
    ]
    spanish = ["cara de gato", "Bandera: Francia", "teclas: 1", "grupo sanguíneo tipo O"]
    (tmp_path / "meta").mkdir()
    groups = {"groups": {"3": "animals-nature", "8": "symbols", "9": "flags"}}
    (tmp_path / "meta" / "groups.json").write_text(json.dumps(groups))
    for locale in ("en", "fr", "es", "de", "it"):
        (tmp_path / locale).mkdir()
        named = [entry | {"label": said} for entry, said in zip(entries, spanish, strict=True)]
        (tmp_path / locale / "data.json").write_text(json.dumps(named if locale == "es" else entries))
    found = emoji_names(tmp_path)
    assert [one.names for one in found] == [
        {"en": "cat face", "es": "cara de gato"},
        {"en": "flag: France", "es": "bandera de Francia"},
    ]
    assert carried(found[1], "en", "I see {a}") == "I see the flag of France"


def test_example_sentences_of_the_dictionary_are_plain_and_short(tmp_path):
    place = tmp_path / "usr" / "share" / "wordnet"
    place.mkdir(parents=True)
    (place / "data.verb").write_text(
        '00 | go; "We like to walk every Sunday" "he ran"; "it cost $5 in 1990"; "Who\'s dealing here?"\n', "latin-1"
    )
    assert dictionary_examples(tmp_path) == ["We like to walk every Sunday", "Who's dealing here?"]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_phonemes_are_those_of_the_language():
    assert phonemes("a red heart", "en") == "ɐ ɹˈɛd hˈɑːɹt"
    assert phonemes("¿qué es esto?", "es") == "kˈe ˈes ˈesto?"
    assert phonemes("look, a cat", "en").startswith("lˈʊk, ")
    with pytest.raises(InputError, match="en, es, not 'de'"):
        phonemes("Haus", "de")


# --- the teacher


def test_silence_around_is_cut_and_nothing_clips():
    loud = np.concatenate([np.zeros(9000), 2 * np.ones(2400), np.zeros(9000)]).astype(np.float32)
    cut = tidied(loud)
    assert len(cut) == pytest.approx(2400 + 2 * 0.04 * RATE_HZ, abs=2)
    assert np.abs(cut).max() == pytest.approx(0.95)
    assert tidied(np.zeros(500, np.float32)).size == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_the_teacher_is_understood_by_the_outside_recogniser():
    """Fetches 100 MB of teacher and 150 MB of recogniser on its first run."""
    from recipes.speech.errors import error_rate
    from recipes.speech.recogniser import Recogniser

    from sensorium.types import Signal

    said = ["She put the red book on the kitchen table.", "La niña tiene un perro pequeño y blanco."]
    teacher, languages = Teacher(), ["en", "es"]
    for voice in (SPEAKING, UNSEEN[0]):
        sounds = [teacher(phonemes(text, language), voice) for text, language in zip(said, languages, strict=True)]
        heard = Recogniser()([Signal(one[:, None], float(RATE_HZ)) for one in sounds], languages)
        assert error_rate(said, heard, languages=languages).value < 0.15
    with pytest.raises(InputError, match="says 1 to 500 phonemes at once"):
        teacher("", SPEAKING)


# --- clips


def test_tests_come_first_and_unseen_voices_say_the_same(quick, texts):
    plan = list(islice(planned(texts), 60))
    parts = [clip.part for clip in plan]
    assert parts[:6] == ["test"] * 3 + ["test-unseen"] * 3
    assert parts[-35:] == ["train"] * 35
    assert [clip.text for clip in plan[:3]] == [clip.text for clip in plan[3:6]]
    assert {clip.voice for clip in plan[3:6]} == set(UNSEEN)
    assert {clip.split for clip in plan[:6]} == {"test"}
    trained = [clip for clip in plan if clip.split == "train"]
    assert not {clip.voice for clip in trained} & set(UNSEEN)
    assert all(clip.speed == 1 for clip in trained if clip.voice == SPEAKING)
    assert {clip.voice for clip in plan if clip.part == "question" and clip.split == "test"} == set(UNSEEN)


def test_making_clips_goes_on_where_it_stopped_and_does_not_depend_on_how_often(quick, texts):
    first, second = Hum(), Hum()
    make(texts, first, hours=4 / 3600, say=str)
    lines = (quick / "manifest.jsonl").read_text()
    with (quick / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"path": "half a li')
    assert len(read_manifest()) == len(first.said) == lines.count("\n")
    (quick / "manifest.jsonl").write_text(lines)
    make(texts, second, hours=6 / 3600, say=str)
    again = read_manifest()
    assert len(again) == len(first.said) + len(second.said) == len({clip.path for clip in again})
    plan = planned(texts)
    for clip in again:
        expected = next(plan)
        assert (clip.path, clip.text, clip.voice) == (expected.path, expected.text, expected.voice)
        assert clip.phonemes == f"/{clip.text}/"
        sound = read_sound(quick / clip.path)
        assert len(sound.array) / RATE_HZ == pytest.approx(clip.seconds, abs=0.01)
    assert sum(clip.seconds for clip in again) >= 6


def test_clips_in_machine_voices_stand_beside_the_teachers_and_do_not_count_as_its_hours(quick, texts, monkeypatch):
    monkeypatch.setattr(robots, "phonemes", lambda text, language: f"/{text}/")
    monkeypatch.setattr(robots, "said", lambda text, voice, pace, pitch: Hum()(text, voice))
    make(texts, Hum(), hours=4 / 3600)
    teachers = read_manifest()
    for hours in (0.6 / 3600, 1.5 / 3600):  # the second goes on where the first stopped
        robots.make_robots(texts, hours, quick, say=lambda line: None)
    spoken = [clip for clip in read_manifest() if clip.part == robots.PART]
    assert len(spoken) == len({clip.path for clip in spoken}) == 5
    assert {clip.split for clip in spoken} == {"train"}
    assert not any(texts.held_out_in(clip.text) for clip in spoken)
    assert {clip.lang for clip in spoken} >= {clip.voice[7:9] for clip in spoken}
    make(texts, Hum(), hours=4 / 3600)
    assert [clip for clip in read_manifest() if clip.part != robots.PART] == teachers


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_machine_voices_differ():
    one, other = (robots.said("a red heart", voice, 150, 50) for voice in ("en-us", "en-gb+f3"))
    assert 0.5 * RATE_HZ < len(one) < 2 * RATE_HZ
    assert len(one) != len(other)


def test_clips_made_before_are_taken_over_but_for_what_is_held_out(quick, texts, tmp_path):
    before = tmp_path / "before"
    before.mkdir()
    said = ["a cat", "draw a bridge", next(planned(texts)).text, "a cat again"]
    voices = [SPEAKING, SPEAKING, SPEAKING, UNSEEN[0]]
    rows = []
    with tarfile.open(before / "clips.tar", "w") as tar:
        for number, (text, voice) in enumerate(zip(said, voices, strict=True)):
            soundfile.write(tmp_path / "one.opus", np.zeros(4800), RATE_HZ, format="OGG", subtype="OPUS")
            tar.add(tmp_path / "one.opus", f"{number}.opus")
            rows.append({"file": f"{number}.opus", "lang": "en", "text": text, "voice": voice, "seconds": 0.2})
    (before / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    make(texts, Hum(), hours=0, start=before, say=str)
    (clip,) = read_manifest()
    assert (clip.text, clip.part, clip.split, clip.phonemes) == ("a cat", "start", "train", "/a cat/")
    assert read_sound(quick / clip.path).rate_hz == RATE_HZ


def test_what_is_missing_is_told(quick, texts, tmp_path):
    with pytest.raises(InputError, match=r"there are no clips at .*; make them with `python -m recipes speech data`"):
        read_manifest()
    with pytest.raises(InputError, match=r"holds no manifest\.jsonl"):
        make(texts, Hum(), hours=0, start=tmp_path)
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"bad\.wav is not a sound of a known kind"):
        read_sound(tmp_path / "bad.wav")


def test_sounds_keep_their_tone_at_another_rate(tmp_path):
    time_s = np.arange(24000) / 24000
    stereo = np.stack([np.sin(2 * np.pi * 440 * time_s), np.zeros(24000)], 1)
    soundfile.write(tmp_path / "tone.wav", 0.5 * stereo, 24000)
    sound = at_rate(read_sound(tmp_path / "tone.wav"), 16000)
    assert sound.array.shape == (16000, 1)
    assert np.abs(np.fft.rfft(sound.array[:, 0])).argmax() == 440
