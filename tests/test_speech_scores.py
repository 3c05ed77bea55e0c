"""The speech recipe's scores: error rates by hand, changes of sound, recordings of people, codecs, models."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
from recipes.speech import bits as recipe_bits
from recipes.speech import hearing, human
from recipes.speech.augment import augmented, faster, in_room, louder, noisy, through_telephone
from recipes.speech.clips import Clip
from recipes.speech.errors import error_rate, normalised
from recipes.speech.evaluate import evaluate, named
from recipes.speech.hearing import SILENCE, Transcribed, _with_controls, heard_task
from recipes.speech.recogniser import Recogniser
from recipes.speech.round_trip import ORIGINAL, Said, markdown, measure
from recipes.speech.speaking import Uttered, compare, uttered
from recipes.speech.texts import Name
from serving import tiny_assistant
from sounds import Steps

from sensorium.codecs import Codec, Facts
from sensorium.evaluate import Results
from sensorium.types import Conversation, InputError, Signal, as_message

RATE_HZ = 16000.0


def tone(height_hz: float, seconds: float = 0.5) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * height_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


# --- error rates


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Well, it's 20 o'clock!", "en", "well it's twenty o'clock"),
        ("¿Dónde está? ¡Aquí: 42!", "es", "dónde está aquí cuarenta y dos"),
        ("‘Quoted’ words — re-entered… A_B", "en", "quoted words re entered a b"),
        ("in 1984, 1st", "en", "in 1984 one st"),
        ("...", "en", ""),
    ],
)
def test_texts_are_compared_without_case_and_marks(text, language, expected):
    assert normalised(text, language) == expected


def test_error_rates_are_edits_over_the_length_of_all_texts():
    right, said = ["The cat sat.", "a dog"], ["the cat sat", "a fog on"]
    letters, words = error_rate(right, said), error_rate(right, said, "words")
    assert letters.value == pytest.approx(4 / 16)
    assert words.value == pytest.approx(2 / 5)
    assert letters.low == 0
    assert letters.high == pytest.approx(4 / 5)
    assert str(error_rate(["ab"] * 4, ["ab"] * 4)) == "0.000 (0.000 to 0.000, n = 4)"
    assert error_rate(["twenty"], ["20"]).value == 0
    assert error_rate(["veinte"], ["20"], languages=["es"]).value == 0
    with pytest.raises(InputError, match="there are 2 right texts and 1 to compare"):
        error_rate(right, said[:1])


# --- changes of sound


def test_changes_depend_on_the_generator_only_and_stay_within_range():
    sound = tone(440)
    for seed in range(12):
        one, two = (augmented(sound, RATE_HZ, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(one, two)
        assert one.dtype == np.float32 and np.isfinite(one).all() and np.abs(one).max() <= 1
        assert 0.8 < len(one) / len(sound) < 1.2
    assert not np.array_equal(
        augmented(sound, RATE_HZ, np.random.default_rng(0)), augmented(sound, RATE_HZ, np.random.default_rng(3))
    )


def test_each_change_does_what_it_says():
    sound, rng = tone(440), np.random.default_rng(0)
    assert np.abs(louder(sound, -20)).max() == pytest.approx(0.03, rel=1e-3)
    assert np.abs(louder(sound, 40)).max() == 1
    quick = faster(sound, 1.25)
    assert len(quick) == 0.8 * len(sound)
    assert np.abs(np.fft.rfft(quick)).argmax() * RATE_HZ / len(quick) == pytest.approx(550, abs=3)
    noise = noisy(sound, 10.0, rng) - sound
    assert 20 * np.log10(sound.std() / noise.std()) == pytest.approx(10, abs=0.2)
    click = np.zeros(8000, np.float32)
    click[1000] = 0.5
    echo = in_room(click, RATE_HZ, rng)
    assert not echo[:999].round(6).any()
    assert np.abs(echo[1100:3000]).max() > 0.001
    both = tone(1000) + tone(6000)
    through = np.abs(np.fft.rfft(through_telephone(both, RATE_HZ, rng)))
    assert through[3000] < 0.01 * through[500]
    assert not augmented(np.zeros(800, np.float32), RATE_HZ, np.random.default_rng(1)).any()


# --- recordings of people


def test_recordings_of_people_come_with_what_is_said(tmp_path):
    stamps, prompts, texts, books = (tmp_path / name for name in ("stamps", "prompts", "texts", "books"))
    for path in ("animals/tucan_desc.ogg", "animals/tucan_desc_es.ogg", "animals/bee_desc.ogg"):
        (stamps / path).parent.mkdir(parents=True, exist_ok=True)
        (stamps / path).touch()
    assert [one.text for one in human.names(stamps)] == ["bee", "toucan"]
    prompts.mkdir()
    texts.mkdir()
    for name in ("busy", "beep", "added", "menu"):
        (prompts / f"{name}.wav").touch()
    with gzip.open(texts / "core-sounds-en.txt.gz", "wt") as listed:
        listed.write(
            "; title\nbusy: All circuits are busy now.\nbeep: [a beep]\nadded: Added.\n"
            "menu: Press 1 to go on.\ngone: Not there at all.\n"
        )
    (only,) = human.prompts(prompts, texts)
    assert (only.path.name, only.text, only.source) == ("busy.wav", "All circuits are busy now.", "prompts")
    for part, listed in (("librivox", "transcription"), ("cards", "cards.transcription")):
        (books / part).mkdir(parents=True)
        (books / part / listed).write_text("<s> he was not ill </s> (book-0880)\n<s> ten of clubs  </s> (001)\n")
    assert [(one.path.name, one.text) for one in human.books(books)][:2] == [
        ("book-0880.wav", "he was not ill"),
        ("001.wav", "ten of clubs"),
    ]
    assert human.some([only], 1) == [only]
    with pytest.raises(InputError, match="1 recordings of people, not 2"):
        human.some([only], 2)


# --- codecs


class Coarse(Codec):
    """Every sample, or every second one, in 16 steps."""

    family: ClassVar[str] = "coarse"

    def __init__(self, every: int = 1):
        self.every = every
        rate_hz = RATE_HZ / every
        self.facts = Facts(
            name="coarse", modality="audio", codebook_sizes=(16,), max_frames=2**16, frame_rate_hz=rate_hz
        )

    def encode(self, signals):
        return [((one.array[:: self.every, 0] + 1) * 7.5).round().astype(np.int64) for one in signals]

    def decode(self, codes):
        return [Signal((one / 7.5 - 1).astype(np.float32).repeat(self.every)[:, None], RATE_HZ) for one in codes]

    def config(self) -> dict[str, Any]:
        return {"every": self.every}

    @classmethod
    def build(cls, config, tensors):
        return cls(**config)


HEIGHTS = {"low": 300, "high": 6000}


def recognise(sounds, languages):
    """Tells the two tones apart; of a low one in steps of two samples it misses a letter."""
    said = []
    for sound in sounds:
        height_hz = np.abs(np.fft.rfft(sound.array[:, 0])[1:]).argmax() * RATE_HZ / len(sound.array)
        said.append("high" if height_hz > 3000 else "low" if len(np.unique(sound.array)) > 40 else "lo")
    return said


def test_codecs_are_measured_beside_the_originals():
    words = ["low", "high", "low"]
    tones = Said("tones", [Signal(tone(HEIGHTS[word])[:, None], RATE_HZ) for word in words], words, ["en"] * 3)
    results = Results(say=str)
    measure({"fine": Coarse(), "coarse": Coarse(2)}, [tones], recognise, results)
    assert results.value("tones, CER after the round trip", ORIGINAL).value == 0
    assert results.value("tones, CER after the round trip", "fine").value == pytest.approx(2 / 10)
    assert results.value("tones, CER above the original", "fine").value == pytest.approx(2 / 10)
    facts = results.notes["coarse, tones"]
    assert (facts["kbit_per_s"], facts["codes_per_s"]) == (32.0, 8000.0)
    assert 0.2 < facts["codes_used"] < 0.5
    assert "| coarse, tones | 32.0 | 8000.0 |" in markdown(results)


def test_a_sound_is_recognised_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Recogniser, "_text", lambda self, samples, language: asked.append(len(samples)) or f"è {language}"
    )
    sounds = [Signal(tone(height_hz)[:, None], RATE_HZ) for height_hz in (300, 300, 600)]
    first, second = (Recogniser(file=tmp_path / "kept" / "heard.jsonl") for _ in range(2))
    assert first(sounds, ["en", "es", "en"]) == ["è en", "è es", "è en"]
    assert second(sounds, ["en", "es", "en"]) == ["è en", "è es", "è en"]
    assert second([Signal(tone(900)[:, None], 8000.0)], ["en"]) == ["è en"]
    assert asked == [8000, 8000, 8000, 16000]


def test_codecs_are_named_on_the_command_line(tmp_path, monkeypatch):
    from recipes.speech import evaluate as module

    monkeypatch.setattr(module, "load_codec", lambda folder: Coarse())
    found = named([str(tmp_path), f"every other sample={tmp_path}?every=2"])
    assert [(title, codec.every) for title, codec in found.items()] == [("coarse", 1), ("every other sample", 2)]
    with pytest.raises(InputError, match="no measure 'sing'; the measures are codec, listen"):
        evaluate(only=["sing"])
    with pytest.raises(InputError, match="a model is needed"):
        evaluate(only=["listen"])


# --- models


class Ears:
    """A model that hears the two tones, and guesses what it cannot hear."""

    def chat(self, conversation, want=None, **sampling):
        sounds = [part.data for part in conversation.messages[0].parts if not part.is_text]
        heard = recognise(sounds, ["en"])[0] if sounds and sounds[0].array.any() else "low"
        return SimpleNamespace(text=heard)


def say(text: str, seed: int) -> Uttered:
    return Uttered(sound=Signal(tone(HEIGHTS[text])[:, None], RATE_HZ), took_s=0.1, first_s=0.02 + 0.01 * seed)


def test_listening_is_measured_beside_controls_that_cannot_hear(monkeypatch):
    def written_down(model, pieces, **sampling):
        return [model.chat(Conversation((as_message("user", [part]),))).text for part, _ in pieces]

    monkeypatch.setattr(hearing, "written_down", written_down)
    words = ["low", "high", "high", "high"]
    sounds = [Signal((tone(HEIGHTS[word]) * 0.9)[:, None], RATE_HZ) for word in words]
    results = Results(say=str)
    _with_controls(heard_task("tones", sounds, words), Ears(), results)
    assert results.value("tones, CER").value == 0
    assert results.value("tones, WER", "no sound").value == 3 / 4
    assert results.value("tones, CER", "silence").value == pytest.approx(12 / 15)
    assert results.value("tones, WER", "another's sound").value > 0.4
    assert results.notes["tones"][1] == {"said": "high", "heard": ["high"]}
    assert not SILENCE.array.any()
    (verdict,) = Transcribed().judge(Ears(), heard_task("one", sounds[:1], ["law"]).conversations)
    assert verdict.letters == (1, 3) and verdict.words == (1, 1)


def test_speaking_is_measured_beside_the_codec_and_the_words_of_others(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    clips = []
    for number, word in enumerate(("low", "high")):
        path = Path("speech") / f"{number}.wav"
        (tmp_path / path).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / path, tone(HEIGHTS[word]), int(RATE_HZ), subtype="FLOAT")
        clips.append(Clip(path=path.name, part="test", split="test", text=word, lang="en", voice="kumo", phonemes=""))
    results = Results(say=str)
    compare(say, Coarse(), results, clips, recognise)
    assert results.value("speaking, CER").value == 0
    assert results.value("speaking, CER", "the teacher's clip").value == 0
    assert results.value("speaking, CER", "the teacher's clip through the codec").value == pytest.approx(1 / 7)
    assert results.value("speaking, CER", "said for another text").value > 0.5
    assert results.value("speaking, seconds of sound in a second").value == pytest.approx(5)
    assert results.value("speaking, time to the first sound").value == pytest.approx(0.025)
    assert json.dumps(results.to_json())


@pytest.mark.parametrize("streams", [True, False])
def test_a_model_is_asked_as_by_a_user_and_its_first_sound_is_timed(streams):
    model = tiny_assistant(codecs=[Steps(streams=streams)])
    said = uttered(model, "hello there", seed=3)
    asked = model.chat("Say: hello there", want="audio", seed=3, max_tokens=52).parts[0].data
    assert np.array_equal(said.sound.array, asked.array)
    assert (said.first_s is not None) == streams
    assert said.pace > 0 and (said.first_s or 0) <= said.took_s


def test_bits_of_texts_are_counted_of_unseen_voices_and_learned_from_training(monkeypatch):
    monkeypatch.setattr(recipe_bits, "read_sound", lambda path: Signal(tone(440.0)[:, None], RATE_HZ))
    said = {"test-unseen": ["a cat", "a dog"], "train": ["a cow", "a pig"], "test": ["never"]}
    clips = [
        Clip(path=f"{text}.wav", part=part, split="", text=text, lang="en", voice="kumo", phonemes="")
        for part, texts in said.items()
        for text in texts
    ]
    results = Results(say=str)
    recipe_bits.bits_report(results, tiny_assistant(codecs=[Steps()]), clips, count=2, minutes=0.0)
    told = {row.condition: row.value for row in results.rows if row.measure == "speech, text: bits a character"}
    assert {condition.split(",")[0] for condition in told} == {"model", "Kneser-Ney 4-gram", "unigram", "uniform"}
    assert {one.count for one in told.values()} == {len("a cat") + len("a dog")}
    learned = results.notes["ids learned from"]
    assert {learned[name]["text"] for name in learned if "gram" in name} == {2 * (len("a cow") + 1)}, "all but 'never'"


def test_names_are_told_in_the_other_language(monkeypatch):
    known = [
        Name(names={"en": "cat", "es": "gato"}, split="test"),
        Name(names={"en": "dog", "es": "perro"}, split="test"),
    ]
    tones = {"en": (440.0, 550.0), "es": (660.0, 770.0)}
    sounds = {language: [Signal(tone(one)[:, None], RATE_HZ) for one in own] for language, own in tones.items()}
    monkeypatch.setattr(hearing, "spoken_names", lambda language, seed: list(zip(sounds[language], known, strict=True)))
    means = {id(sounds["en"][n]): one.names["es"] for n, one in enumerate(known)}
    means |= {id(sounds["es"][n]): one.names["en"] for n, one in enumerate(known)}

    def rank(prompt, answers, k, adapter):
        heard = [means.get(id(part.data)) for part in prompt.parts() if not part.is_text]
        return [SimpleNamespace(index=answers.index(heard[0]) if heard and heard[0] else 0)]

    results = Results(say=str)
    hearing.translating(SimpleNamespace(rank=rank), results)
    for told in ("name said in en, told in es, top-1", "name said in es, told in en, top-1"):
        assert results.value(told, "model").value == 1
        assert results.value(told, "another's sound").value == 0
        assert results.value(told, "no sound").value == 0.5
