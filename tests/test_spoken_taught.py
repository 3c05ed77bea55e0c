"""A tiny model learns three words that are sequences of levels, and then hears and speaks through every door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from serving import running
from sounds import HOP, LEVELS, RATE_HZ, Steps, file_of, read
from toys import fresh_base
from typer.testing import CliRunner

import sensorium as sm
from sensorium import plugins
from sensorium.cli import app
from sensorium.modalities.speech_words import WHAT_IS_SAID, to_say
from sensorium.types import Conversation, Part, Signal, as_message

pytestmark = pytest.mark.slow
WORDS = {"one": [6] * 12, "two": [3] * 12, "three": [6] * 4 + [3] * 4 + [6] * 4}
SAID = ("three", "one", "two", "two", "one")


def spoken(word: str, rng: np.random.Generator) -> Signal:
    """Lasting a little longer or shorter each time, with a little silence around it."""
    levels = np.repeat(WORDS[word], rng.integers(1, 3, len(WORDS[word])))
    around = [np.zeros(rng.integers(4, 8)), levels, np.zeros(rng.integers(4, 8))]
    return Signal(samples(np.concatenate(around)), float(RATE_HZ))


def samples(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels / (LEVELS - 1), HOP)[:, None].astype(np.float32)


def talk() -> np.ndarray:
    """The words of `SAID`, half a second or more apart."""
    rng = np.random.default_rng(9)
    gap = np.zeros((round(0.4 * RATE_HZ), 1), np.float32)
    return np.concatenate([piece for word in SAID for piece in (gap, spoken(word, rng).array)])


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> Iterator[Path]:
    place, rng, lines = tmp_path_factory.mktemp("taught"), np.random.default_rng(0), []
    for number in range(240):
        word = list(WORDS)[number % 3]
        path = place / f"{number}.wav"
        path.write_bytes(file_of(spoken(word, rng).array))
        sound = {"type": "audio_url", "audio_url": {"url": str(path)}}
        asked = [sound, {"type": "text", "text": WHAT_IS_SAID}]
        lines.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": word}]})
        said = [{"role": "user", "content": to_say(word)}, {"role": "assistant", "content": [sound]}]
        lines.append({"messages": said})
    (place / "talk.jsonl").write_text("\n".join(map(json.dumps, lines)))
    grown = sm.grow(fresh_base(), [Steps(most=60)], learn="full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENSORIUM_CACHE", str(place / "cache"))  # another run's codec may have been another
        patch.setitem(plugins._registered, (plugins.CODECS, Steps.family), Steps)
        train(grown, place)
        grown.export(place / "model")
        yield place / "model"


def train(grown: Any, place: Path) -> None:
    sm.train(
        grown, place / "talk.jsonl", out=place / "run", max_steps=250, rows=8, row_tokens=192, lr=3e-3, warmup=10,
        optimizer="muon", schedule="trapezoid", device="cpu", dtype="float32",
    )  # fmt: skip


@pytest.mark.cell("audio in", "text out")
def test_what_is_said_is_found_with_its_times(taught):
    found = sm.transcribe(sm.load(taught), Signal(talk(), float(RATE_HZ)))
    assert found.text.split() == list(SAID)
    rng, at_s = np.random.default_rng(9), 0.0
    for segment, word in zip(found.segments, SAID, strict=True):
        array = spoken(word, rng).array[:, 0]
        loud = np.flatnonzero(array)[[0, -1]] / RATE_HZ
        start_s, at_s = at_s + 0.4 + loud[0], at_s + 0.4 + len(array) / RATE_HZ
        assert segment.start_s == pytest.approx(start_s - 0.12, abs=0.05)
        assert segment.end_s == pytest.approx(at_s - (len(array) / RATE_HZ - loud[1]) + 0.12, abs=0.05)


@pytest.mark.cell("text in", "audio out")
def test_what_is_spoken_is_heard_as_such(taught):
    model = sm.load(taught)
    heard = [sm.transcribe(model, sm.speak(model, word, seed=1, temperature=0.3).data).text for word in WORDS]
    assert heard == list(WORDS)


def test_the_commands_hear_and_speak(taught, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(file_of(talk()))

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--model", str(taught)])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert run("transcribe", "talk.wav").split() == list(SAID)
    told = json.loads(run("transcribe", "talk.wav", "--format", "json"))
    assert [one["text"] for one in told["segments"]] == list(SAID)
    run("transcribe", "talk.wav", "--format", "vtt", "--out", "talk.vtt")
    assert (tmp_path / "talk.vtt").read_text().startswith("WEBVTT\n\n00:00:00.")
    run("speak", "three", "--out", "three.wav", "--seed", "1", "--temperature", "0.3")
    assert run("transcribe", "three.wav").strip() == "three"
    made = ["generate", str(taught), to_say("one"), "--want", "audio", "--out", "one.flac", "--temperature", "0.3"]
    assert CliRunner().invoke(app, made).exit_code == 0
    assert run("transcribe", "one.flac", "--format", "srt").splitlines()[2] == "one"


def test_the_server_hears_and_speaks(taught):
    with running({"taught": sm.load(taught)}) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)
        asked = {"file": ("talk.wav", file_of(talk())), "model": "taught"}
        assert client.audio.transcriptions.create(**asked).text.split() == list(SAID)
        events = client.audio.transcriptions.create(**asked, stream=True)
        assert "".join(event.delta for event in events if event.type == "transcript.text.delta").split() == list(SAID)
        raw = {"model": "taught", "input": "two", "voice": "default", "response_format": "wav"}
        spoken = client.audio.speech.create(**raw, extra_body={"temperature": 0.3}).content
        assert read(spoken)[1] == RATE_HZ
        assert client.audio.transcriptions.create(file=("two.wav", spoken), model="taught").text == "two"
        assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_conversation_is_answered_aloud(taught):
    model = sm.load(taught)
    reply = model.chat(Conversation((as_message("user", to_say("one")),)), want="audio", temperature=0.3)
    assert model.chat([Part("audio", reply.parts[0].data), WHAT_IS_SAID], want="text").text == "one"
