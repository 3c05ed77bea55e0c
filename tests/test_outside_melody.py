"""An outside package brings tunes: installed as a user would, its own tests pass, and it goes through every door.

A tiny fresh model learns in a minute to name and to play a few tunes, and names them in keys that it has not heard.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import sensorium as sm
from sensorium import plugins
from sensorium.model import Base

PACKAGE = Path(__file__).resolve().parent.parent / "examples" / "sensorium-melody"
TUNES = {
    "scale": ((0, 2, 4, 5, 7, 9), "8"),
    "chord": ((0, 4, 7, 12), "4"),
    "siren": ((7, 0, 7, 0, 7, 0), "2"),
    "knock": ((0, 0, 0, 5), "16"),
}
"""Steps above the first note, and the length of each."""
HEARD, UNHEARD = (72, 73, 75, 76, 78, 79, 80, 82), (74, 77, 81)
TEMPOS = (90, 120, 160)
ASKED = "What is played?"
NAMES = ("c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b")


def ringtone(tune: str, first: int, tempo: int) -> str:
    steps, length = TUNES[tune]
    notes = [f"{NAMES[(first + step) % 12]}{(first + step) // 12 - 1}" for step in steps]
    return f"{tune}:d={length},o=5,b={tempo}:{','.join(notes)}"


def steps_of(signal: sm.Signal) -> tuple[int, ...]:
    """What makes a tune, in whatever key."""
    lowest = min(signal.array[:, 0])
    return tuple(int(pitch - lowest) for pitch in signal.array[:, 0])


def test_an_outside_modality_with_its_codec_is_one_short_file():
    assert len((PACKAGE / "sensorium_melody.py").read_text(encoding="utf-8").splitlines()) <= 150


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
    import sensorium_melody

    yield sensorium_melody
    os.environ["PYTHONPATH"] = before
    sys.path.remove(str(site))
    plugins._installed.cache_clear()


@pytest.mark.slow
def test_the_package_installs_and_its_own_tests_pass(site, tmp_path):
    assert (site / "melody.js").is_file(), "the player is not shipped"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    look = "from sensorium import plugins; from sensorium.modalities import modality; import sensorium_melody; "
    look += "print(sensorium_melody.__file__, modality('melody').name, *plugins.names(plugins.CODECS))"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert Path(said.stdout.split()[0]).is_relative_to(site), said.stderr
    assert "rtttl" in said.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    tests += ["-c", os.devnull, str(PACKAGE / "tests")]
    done = subprocess.run(tests, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]


@dataclass
class Taught:
    """A model that has learned to name and to play, and tunes in keys that it has not heard."""

    folder: Path
    model: Any
    unheard: list[tuple[str, Path]]
    package: Any

    def named(self, medium: Any) -> str:
        return self.model.chat([sm.Part("melody", medium), ASKED], want="text").text.strip()

    def is_tune(self, medium: Any, tune: str) -> bool:
        return steps_of(self.package.melody.open(medium)) == TUNES[tune][0]


@pytest.fixture(scope="module")
def taught(package, tmp_path_factory) -> Taught:
    place = tmp_path_factory.mktemp("played")
    heard = [(tune, saved(place, tune, first, tempo)) for tune in TUNES for first in HEARD for tempo in TEMPOS]
    unheard = [(tune, saved(place, tune, first, 120)) for tune in TUNES for first in UNHEARD]
    (place / "talk.jsonl").write_text("\n".join(json.dumps(line) for pair in heard for line in lessons(*pair)))
    grown = sm.grow(fresh_model(), [package.Notes()], learn="full")
    sm.train(
        grown, place / "talk.jsonl", out=place / "run", max_steps=130, rows=8, row_tokens=128, lr=2e-3, warmup=10,
        optimizer="muon", schedule="trapezoid", device="cpu", dtype="float32",
    )  # fmt: skip
    grown.export(place / "model")
    return Taught(place / "model", sm.load(place / "model"), unheard, package)


def saved(place: Path, tune: str, first: int, tempo: int) -> Path:
    path = place / f"{tune}-{first}-{tempo}.rtttl"
    path.write_text(ringtone(tune, first, tempo))
    return path


def lessons(tune: str, path: Path) -> Iterator[dict[str, Any]]:
    """To name the tune, and to play it."""
    medium = {"type": "melody_url", "melody_url": {"url": str(path)}}
    asked = [medium, {"type": "text", "text": ASKED}]
    yield {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": tune}]}
    yield {"messages": [{"role": "user", "content": f"Play {tune}."}, {"role": "assistant", "content": [medium]}]}


def fresh_model() -> Base:
    """A random LLM of two layers with a tokenizer that knows these words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    marks, letters = ["<|user|>", "<|assistant|>", "<|end|>"], pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=marks, initial_alphabet=letters, show_progress=False)
    words.train_from_iterator([ASKED, *(f"{tune} Play {tune}." for tune in TUNES)] * 9, trainer)
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


@pytest.mark.slow
def test_python_names_tunes_in_keys_it_has_not_heard(taught):
    right = [taught.named(path) == tune for tune, path in taught.unheard]
    assert sum(right) >= 10, f"{sum(right)} of {len(right)}"


@pytest.mark.slow
def test_python_plays_tunes_note_by_note(taught, tmp_path):
    played = {
        tune: taught.model.chat(f"Play {tune}.", want="melody", seed=1, temperature=0.3).parts[0] for tune in TUNES
    }
    assert sum(taught.is_tune(part.data, tune) for tune, part in played.items()) >= 3
    played["scale"].save(tmp_path / "scale.rtttl")
    assert taught.package.melody.open(tmp_path / "scale.rtttl").array.shape == played["scale"].data.array.shape


@pytest.mark.slow
def test_the_terminal_hears_and_plays(taught, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from sensorium.cli import app

    monkeypatch.chdir(tmp_path)
    tune, path = taught.unheard[0]
    done = CliRunner().invoke(app, ["generate", str(taught.folder), ASKED, "--media", str(path), "--want", "text"])
    assert done.exit_code == 0, done.output
    assert tune in done.stdout.split()
    made = ["generate", str(taught.folder), "Play knock.", "--want", "melody", "--out", "knock.rtttl"]
    done = CliRunner().invoke(app, [*made, "--seed", "1", "--temperature", "0.3"])
    assert done.exit_code == 0, done.output
    assert taught.named("knock.rtttl") == "knock"


@pytest.fixture(scope="module")
def server(taught):
    from serving import running

    with running({"played": sm.load(taught.folder)}) as made:
        yield made


@pytest.mark.slow
def test_the_api_hears_and_plays_in_openais_form(taught, server):
    tune, path = taught.unheard[-1]
    medium = {"type": "input_melody", "input_melody": {"data": base64.b64encode(path.read_bytes()).decode()}}
    asked = {"model": "played", "modalities": ["text"]}
    content = [medium, {"type": "text", "text": ASKED}]
    reply = server.post("/v1/chat/completions", asked | {"messages": [{"role": "user", "content": content}]}).json()
    assert tune in json.dumps(reply["choices"][0]["message"]["content"])
    asked = {"model": "played", "modalities": ["melody"], "melody": {"format": "rtttl"}, "seed": 1, "temperature": 0.3}
    messages = [{"role": "user", "content": "Play siren."}]
    reply = server.post("/v1/chat/completions", asked | {"messages": messages}).json()
    written = base64.b64decode(reply["choices"][0]["message"]["melody"]["data"])
    assert written.startswith(b"tune:d=4")
    assert taught.named(written) == "siren"


@pytest.mark.slow
def test_the_page_takes_a_tune_and_plays_one(taught, server):
    from in_browser import answers, attach, chromium, file, say, until, visiting

    tune, path = taught.unheard[0]
    with chromium() as browser, visiting(browser, server.url) as visit:
        page = visit()
        attach(page, file(path.name, path.read_bytes(), ""))
        page.locator(".melody-view line").first.wait_for(state="attached")
        assert page.locator(".shelf .melody-view line").count() == len(TUNES[tune][0])
        page.get_by_label("Answer with").select_option("text")
        say(page, ASKED)
        answers(page).get_by_text(tune).first.wait_for()
        page.get_by_label("Answer with").select_option("melody")
        say(page, "Play siren.")
        answers(page).locator(".melody-view").wait_for()
        page.get_by_role("button", name="Stop").wait_for(state="detached")
        page.get_by_role("button", name="Listen").last.click()
        until(page, "document.querySelectorAll('.melody-view line.now').length === 1")
