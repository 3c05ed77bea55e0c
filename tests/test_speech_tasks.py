"""The speech recipe's conversations, and clips in codes."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
from recipes.speech import coded, model, tasks
from recipes.speech.clips import Clip
from recipes.speech.coded import Coded, encode, kept, read_coded, seen
from recipes.speech.model import makers
from recipes.speech.recipe import RECIPE
from recipes.speech.tasks import TASKS, Spoken, clip_part
from recipes.speech.texts import Name

from sensorium.codecs import Codec, Facts
from sensorium.modalities.speech_words import IN_ENGLISH
from sensorium.recipe import conversations
from sensorium.types import Conversation, InputError, Part

NAMES = [
    Name(names={"en": "cat", "es": "gato"}, split="train"),
    Name(names={"en": "bridge", "es": "puente"}, split="test"),
]


def clip(number: int, text: str, **other: Any) -> Clip:
    facts = {"part": "train", "split": "train", "lang": "en", "voice": "kumo", "phonemes": ""} | other
    return Clip(path=f"clips/{number}.wav", text=text, **facts)


CLIPS = [
    clip(0, "I see a cat", concept="cat"),
    clip(1, "dibuja: gato", concept="cat", lang="es", voice="alpha"),
    clip(2, "gato", lang="es", part="start"),
    clip(3, "What is this?", kind="question"),
    clip(4, "hello", kind="question", voice="alpha"),
    clip(5, "the old bridge", split="test", part="test"),
    clip(7, "a cat", concept="cat"),
    clip(6, "draw a cat", concept="cat", voice="alpha"),
]


@pytest.fixture
def spoken() -> Spoken:
    return Spoken(CLIPS, NAMES)


def said(conversation: Conversation) -> list[str]:
    return [" ".join(str(part.data) for part in message.parts) for message in conversation.messages]


def many(make, spoken: Spoken, count: int = 60) -> list[list[str]]:
    return [said(make(spoken, Random(seed))) for seed in range(count)]


def test_only_training_clips_are_learned_from(spoken):
    for name, make in TASKS.items():
        text = str(many(make, spoken))
        assert "clips/5.wav" not in text and "bridge" not in text, name
    with pytest.raises(InputError, match="there are no training clips yet"):
        Spoken([CLIPS[5]], NAMES)


def test_what_is_heard_is_written_as_it_is_scored(spoken):
    found = many(tasks.write, spoken)
    assert ["clips/0.wav What is said?", "i see a cat"] in found
    assert ["clips/3.wav What is said?", "what is this"] in found
    assert any("language" in one[2] and one[3] == "Spanish" for one in found if len(one) == 4 and "/1.wav" in one[0])
    assert said(tasks.transcribing(Part("audio", data="x"), "¡Hola!", "es")) == ["x What is said?", "hola"]


def test_words_are_said_in_the_speaking_voice_only(spoken):
    found = many(tasks.say, spoken)
    assert {one[1] for one in found} == {"clips/0.wav", "clips/2.wav", "clips/3.wav", "clips/7.wav"}
    assert ["Say: I see a cat", "clips/0.wav"] in found
    assert said(tasks.saying("hello")) == ["Say: hello"]


def test_things_are_named_and_translated_also_of_clips_that_say_just_a_name(spoken):
    named = many(tasks.name, spoken)
    assert ["clips/0.wav What thing is named?", "a cat"] in named
    assert {one[1] for one in named if one[0].startswith("clips/2.wav")} == {"gato"}
    translated = many(tasks.translate, spoken)
    assert ["clips/0.wav What is it in Spanish?", "gato"] in translated
    assert ["clips/2.wav What is it in English?", "cat"] in translated
    english = many(tasks.in_english, spoken)
    assert {one[1] for one in english if one[0].startswith("clips/2.wav")} == {"cat"}
    assert not [one for one in english if one[0].startswith("clips/1.wav")]
    assert ["clips/0.wav " + IN_ENGLISH, "i see a cat"] in english
    aloud = many(tasks.say_translated, spoken)
    assert {tuple(one) for one in aloud} == {
        ("Say in English: gato", "clips/7.wav"),
        ("Say in Spanish: cat", "clips/2.wav"),
    }


def test_what_is_asked_aloud_is_answered(spoken):
    assert {tuple(one) for one in many(tasks.answer, spoken)} == {("clips/4.wav", tasks.ANSWERS["hello"])}
    picture = Part("image", data=7)
    assert said(tasks.asked_about(picture, clip_part(CLIPS[3]), "cat")) == ["7 clips/3.wav", "a cat"]
    assert spoken.name_questions == [CLIPS[3]]
    assert spoken.drawing_requests == {"cat": [CLIPS[1], CLIPS[7]]}
    assert said(tasks.drawn(clip_part(CLIPS[7]), picture)) == ["clips/6.wav", "7"]
    assert said(tasks.drawn(clip_part(CLIPS[2]), picture, tasks.ASK_DRAWN)) == ["clips/2.wav Draw what is named.", "7"]


def test_a_conversation_depends_on_the_seed_and_its_number_only(spoken):
    made = [said(one) for one in conversations(makers(spoken), tasks.SHARES, 20, 1)]
    assert [said(one) for one in conversations(makers(spoken), tasks.SHARES, 5, 1, start=15)] == made[15:]
    assert set(tasks.SHARES) == set(TASKS)


def test_a_set_without_a_kind_of_clip_says_what_is_missing():
    plain = Spoken([clip(9, "good day", voice="alpha")], NAMES)
    with pytest.raises(InputError, match="no training clip of this kind exists yet"):
        tasks.say(plain, Random(0))
    assert said(tasks.answer(plain, Random(0)))[1] == "good day"


# --- codes


class Loudness(Codec):
    """Ten milliseconds of sound as one of 64 loudnesses; counts what it encoded."""

    family: ClassVar[str] = "loudness"
    facts = Facts(name="loud", modality="audio", codebook_sizes=(64,), max_frames=1000, frame_rate_hz=100.0)

    def __init__(self, steps: int = 64):
        self.steps, self.encoded = steps, 0

    def encode(self, signals):
        self.encoded += len(signals)
        frames = [one.array[: len(one.array) // 160 * 160].reshape(-1, 160) for one in signals]
        return [(np.abs(one).mean(1) * self.steps).astype(np.int64).clip(0, 63) for one in frames]

    def decode(self, codes):
        raise InputError("it only reads")

    def config(self) -> dict[str, Any]:
        return {"steps": self.steps}

    @classmethod
    def build(cls, config, tensors):
        return cls(**config)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    (tmp_path / "speech" / "clips").mkdir(parents=True)
    for one in CLIPS[:3]:
        samples = np.random.default_rng(len(one.text)).uniform(-0.5, 0.5, 4000 + 160 * len(one.text))
        soundfile.write(tmp_path / "speech" / one.path, samples, 16000)
    return tmp_path / "codes.npz"


def test_clips_are_encoded_once_and_views_differ(place, monkeypatch):
    codec = Loudness()
    first = encode(codec, CLIPS[:2], place, views=lambda _: 3, say=str)
    assert codec.encoded == 6
    every = encode(codec, CLIPS[:3], place, views=lambda _: 3, say=str)
    assert codec.encoded == 9
    read = read_coded(codec, place, "make")
    for path, codes in every.items():
        assert [one.tolist() for one in codes] == [one.tolist() for one in read[path]]
        assert len({one.tobytes() for one in codes}) == 3
        assert np.array_equal(codes[0], codec.encode([seen(next(c for c in CLIPS if c.path == path), 0)])[0])
    assert first[CLIPS[0].path][1].tolist() == every[CLIPS[0].path][1].tolist()
    assert kept(Loudness(32), place) == {}
    with pytest.raises(InputError, match=r"holds no codes of this loud; make them with `make`"):
        read_coded(Loudness(32), place, "make")
    monkeypatch.setattr(coded, "augmented", lambda *a: pytest.fail("the clip as it is was changed"))
    encode(codec, CLIPS[:1], place.with_name("one.npz"), views=lambda _: 1, say=str)


def test_codes_take_the_place_of_paths_by_who_speaks():
    read = {"clips/0.wav": [np.array([1]), np.array([2])]}
    codes = Coded(reader="in", writer="out", read=read, written={"clips/0.wav": [np.array([7, 8])]})
    talk = Conversation(
        tasks.naming(clip_part(CLIPS[0]), "a cat").messages + tasks.saying("x", clip_part(CLIPS[0])).messages
    )
    seen_codes = set()
    for seed in range(20):
        filled = codes.fill(talk, Random(seed))
        media = [part for part in filled.parts() if not part.is_text]
        assert [part.codec for part in media] == ["in", "out"]
        assert media[1].codes.tolist() == [7, 8]
        seen_codes.add(media[0].codes.tolist()[0])
    assert seen_codes == {1, 2}
    assert codes.known(CLIPS) == [CLIPS[0]]


def test_what_is_read_in_training_changes_its_pace_and_little_else():
    codes = np.arange(200)
    found = [coded.misheard(codes, Random(seed)) for seed in range(50)]
    assert {170 <= len(one) <= 236 for one in found} == {True} and len({len(one) for one in found}) > 20
    in_order = [np.mean(np.diff(one) >= 0) for one in found]
    assert 0.9 < np.mean(in_order) < 1 and min(in_order) > 0.8
    assert len(coded.misheard(codes[:1], Random(0))) == 1


def test_the_recipe_names_its_codecs_and_its_model():
    assert set(RECIPE.codecs) == {"audio-read", "audio", "audio-words", "mel"}
    assert set(RECIPE.models["talk"].stages[-1].shares) == set(TASKS)


def test_where_codes_tell_no_voice_clips_in_any_voice_are_said():
    found = many(tasks.say, Spoken(CLIPS, NAMES, any_voice=True))
    assert ["Say: hello", "clips/4.wav"] in found


def test_copies_that_codecs_learn_from_are_higher_or_lower(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    (tmp_path / "speech" / "clips").mkdir(parents=True)
    time_s = np.arange(8000) / 16000
    soundfile.write(tmp_path / "speech" / CLIPS[0].path, np.sin(2 * np.pi * 500 * time_s), 16000, format="WAV")
    one, other = model.media([CLIPS[0]])
    heights = [np.abs(np.fft.rfft(sound.array[:, 0])).argmax() * 16000 / len(sound.array) for sound in (one, other)]
    assert heights[0] == pytest.approx(500, abs=3)
    assert heights[1] == pytest.approx(500 * len(one.array) / len(other.array), rel=0.02)
    assert 0.77 <= heights[1] / 500 <= 1.3
