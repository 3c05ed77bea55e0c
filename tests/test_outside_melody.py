"""An outside package brings sound: installed as a user would, its own tests pass, and it goes through every door.

A tiny fresh model learns in a minute to name and to speak a few words that espeak-ng has spoken.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sensorium as sm
from sensorium import plugins
from sensorium.model import Base

PACKAGE = Path(__file__).resolve().parent.parent / "examples" / "sensorium-audio"
WORDS = ("yes", "stop", "seven", "music")
VOICES, UNHEARD = ("m1", "m2", "m4", "m5", "m7", "f1", "f3", "f4"), ("m3", "f2")
ASKED = "What is said?"

pytest.importorskip("soundfile", reason="soundfile is missing: pip install soundfile")


def test_an_outside_modality_with_its_codec_is_one_short_file():
    assert len((PACKAGE / "sensorium_audio.py").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder that the package is installed into."""
    place = tmp_path_factory.mktemp("site")
    built_here = ["--no-build-isolation"] if find_spec("hatchling") else []
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *built_here, "--target", str(place)]
    done = subprocess.run([*install, str(PACKAGE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def package(site) -> Iterator[Any]:
    """The installed package, known to this process and to those that it starts."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{before}"
    sys.path.insert(0, str(site))
    plugins._installed.cache_clear()
    import sensorium_audio

    yield sensorium_audio
    os.environ["PYTHONPATH"] = before
    sys.path.remove(str(site))
    plugins._installed.cache_clear()


@pytest.mark.slow
def test_the_package_installs_and_its_own_tests_pass(site, tmp_path):
    assert (site / "audio.js").is_file(), "the player is not shipped"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    look = "from sensorium import plugins; from sensorium.modalities import modality; import sensorium_audio; "
    look += "print(sensorium_audio.__file__, modality('audio').name, *plugins.names(plugins.CODECS))"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert Path(said.stdout.split()[0]).is_relative_to(site), said.stderr
    assert "log-mel" in said.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    tests += ["-c", os.devnull, str(PACKAGE / "tests")]
    done = subprocess.run(tests, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]


@dataclass
class Taught:
    """A model that has learned to name and to speak, and words spoken by voices that it has not heard."""

    folder: Path
    model: Any
    unheard: list[tuple[str, Path]]
    package: Any

    def named(self, medium: Any) -> str:
        return self.model.chat([sm.Part("audio", medium), ASKED], want="text").text.strip()


@pytest.fixture(scope="module")
def taught(package, tmp_path_factory) -> Taught:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is missing (Debian: apt-get install espeak-ng)")
    place = tmp_path_factory.mktemp("spoken")
    heard = [(word, espeak(place, word, voice, speed, pitch)) for word in WORDS for voice in VOICES
             for speed in (150, 180) for pitch in (40, 60)]  # fmt: skip
    unheard = [(word, espeak(place, word, voice, 165, 50)) for word in WORDS for voice in UNHEARD]
    (place / "talk.jsonl").write_text("\n".join(json.dumps(line) for pair in heard for line in lessons(*pair)))
    codec = package.LogMel.learn([package.audio.open(path) for _, path in heard], codes=128)
    grown = sm.grow(fresh_model(), [codec], learn="full")
    sm.train(
        grown, place / "talk.jsonl", out=place / "run", max_steps=300, rows=8, row_tokens=192, lr=2e-3, warmup=10,
        optimizer="muon", schedule="trapezoid", device="cpu", dtype="float32",
    )  # fmt: skip
    grown.export(place / "model")
    return Taught(place / "model", sm.load(place / "model"), unheard, package)


def espeak(place: Path, word: str, voice: str, speed: int, pitch: int) -> Path:
    path = place / f"{word}-{voice}-{speed}-{pitch}.wav"
    told = ["espeak-ng", "-v", f"en+{voice}", "-s", str(speed), "-p", str(pitch), "-w", str(path), word]
    subprocess.run(told, check=True)
    return path


def lessons(word: str, path: Path) -> Iterator[dict[str, Any]]:
    """To name the word, and to speak it."""
    sound = {"type": "audio_url", "audio_url": {"url": str(path)}}
    asked = [sound, {"type": "text", "text": ASKED}]
    yield {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": word}]}
    yield {"messages": [{"role": "user", "content": f"Say {word}."}, {"role": "assistant", "content": [sound]}]}


def fresh_model() -> Base:
    """A random LLM of two layers with a tokenizer that knows these words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    marks, letters = ["<|user|>", "<|assistant|>", "<|end|>"], pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=marks, initial_alphabet=letters, show_progress=False)
    words.train_from_iterator([ASKED, *(f"{word} Say {word}." for word in WORDS)] * 9, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|end|>")
    tokenizer.chat_template = (
        "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=256, bos_token_id=None, eos_token_id=2, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    return Base(AutoModelForCausalLM.from_config(config).eval(), tokenizer, "fresh")


def nearest(taught: Taught, sound: Any) -> str:
    """The word, spoken by espeak-ng, that a sound is nearest to, by dynamic time warping of mel spectra."""
    listen = taught.package.heard
    (_, mine), others = (
        listen(sound),
        [(word, listen(taught.package.audio.open(path))[1]) for word, path in taught.unheard],
    )
    return min(others, key=lambda pair: warped(mine.numpy(), pair[1].numpy()))[0]


def warped(a: np.ndarray, b: np.ndarray) -> float:
    apart = np.linalg.norm(a[:, None] - b[None], axis=-1)
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for row in range(len(a)):
        for column in range(len(b)):
            before = min(total[row, column], total[row + 1, column], total[row, column + 1])
            total[row + 1, column + 1] = apart[row, column] + before
    return float(total[-1, -1]) / (len(a) + len(b))


@pytest.mark.slow
def test_python_names_words_of_voices_it_has_not_heard(taught):
    right = [taught.named(path) == word for word, path in taught.unheard]
    assert sum(right) >= 7, f"{sum(right)} of {len(right)}"


@pytest.mark.slow
def test_python_speaks_words_that_are_heard_as_such(taught, tmp_path):
    spoken = [taught.model.chat(f"Say {word}.", want="audio", seed=1, temperature=0.5).parts[0] for word in WORDS]
    assert sum(taught.named(part.data) == word for word, part in zip(WORDS, spoken, strict=True)) >= 3
    assert sum(nearest(taught, part.data) == word for word, part in zip(WORDS, spoken, strict=True)) >= 3
    spoken[0].save(tmp_path / "yes.wav")
    assert taught.package.audio.open(tmp_path / "yes.wav").rate_hz == 8000


@pytest.mark.slow
def test_the_terminal_hears_and_speaks(taught, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from sensorium.cli import app

    monkeypatch.chdir(tmp_path)
    word, path = taught.unheard[0]
    done = CliRunner().invoke(app, ["generate", str(taught.folder), ASKED, "--media", str(path), "--want", "text"])
    assert done.exit_code == 0, done.output
    assert word in done.stdout.split()
    made = ["generate", str(taught.folder), "Say stop.", "--want", "audio", "--out", "stop.flac"]
    done = CliRunner().invoke(app, [*made, "--seed", "1", "--temperature", "0.5"])
    assert done.exit_code == 0, done.output
    assert taught.named("stop.flac") == "stop"


@pytest.fixture(scope="module")
def server(taught):
    from serving import running

    with running({"spoken": sm.load(taught.folder)}) as made:
        yield made


@pytest.mark.slow
def test_the_api_hears_and_speaks_in_openais_form(taught, server):
    word, path = taught.unheard[-1]
    sound = {
        "type": "input_audio",
        "input_audio": {"data": base64.b64encode(path.read_bytes()).decode(), "format": "wav"},
    }
    asked = {"model": "spoken", "modalities": ["text"]}
    content = [sound, {"type": "text", "text": ASKED}]
    reply = server.post("/v1/chat/completions", asked | {"messages": [{"role": "user", "content": content}]}).json()
    assert word in json.dumps(reply["choices"][0]["message"]["content"])
    asked = {"model": "spoken", "modalities": ["audio"], "audio": {"format": "wav"}, "seed": 1, "temperature": 0.5}
    reply = server.post(
        "/v1/chat/completions", asked | {"messages": [{"role": "user", "content": "Say seven."}]}
    ).json()
    written = base64.b64decode(reply["choices"][0]["message"]["audio"]["data"])
    assert written[:4] == b"RIFF"
    assert taught.named(written) == "seven"


@pytest.mark.slow
def test_the_page_takes_a_sound_and_plays_one(taught, server):
    from in_browser import answers, attach, chromium, file, say, until, visiting

    word, path = taught.unheard[0]
    with chromium() as browser, visiting(browser, server.url) as visit:
        page = visit()
        attach(page, file(path.name, path.read_bytes(), "audio/wav"))
        page.locator("audio.audio-view").first.wait_for()
        page.get_by_label("Answer with").select_option("text")
        say(page, ASKED)
        answers(page).get_by_text(word).first.wait_for()
        page.get_by_label("Answer with").select_option("audio")
        say(page, "Say music.")
        until(page, "[...document.querySelectorAll('audio.audio-view')].length === 2")
        played = "(player => player.readyState > 0 && player.duration > 0.2)"
        until(page, f"{played}([...document.querySelectorAll('audio.audio-view')].at(-1))")
