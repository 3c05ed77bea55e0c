"""What a user sees of the command line, with a model made up for the purpose."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import sensorium
from sensorium.cli import app, options
from sensorium.cli.terminal import TRIES, Terminal, blocks
from sensorium.codecs import Facts
from sensorium.types import InputError, Part, Reply
from sensorium.vocabulary import Vocabulary

RED = np.full((8, 8, 3), (255, 0, 0), np.uint8)


class FakeModel:
    """Draws red squares, and says what it was asked and shown."""

    def __init__(self):
        self.asked = []
        self.copies = 0  # so many of its further attempts are what it drew first
        facts = Facts(name="image", modality="image", codebook_sizes=(4,), grid=(2,), max_frames=2)
        self.vocabulary = Vocabulary.build(10, [facts])

    def chat(self, content, want=None, *, history=(), **sampling):
        self.asked.append((content, want, tuple(history), sampling))
        if want == "image":
            return Reply((Part("image", RED),), ids=(max(sampling.get("attempt", 0) - self.copies, 0),))
        pictures = sum(part.modality == "image" for part in content if isinstance(part, Part))
        said = " ".join(part if isinstance(part, str) else part.data for part in content if _is_text(part))
        thought = "red, all of it" if sampling.get("think") else None
        return Reply((Part("text", f"{pictures} shown, {len(history)} before: {said}"),), thought=thought)


def _is_text(part) -> bool:
    return isinstance(part, str) or part.is_text


@pytest.fixture
def model(monkeypatch):
    fake = FakeModel()
    monkeypatch.setattr(options, "load", lambda name, base: fake)
    return fake


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words, stdin=None: CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def terminal(tmp_path):
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    return Terminal(FakeModel(), name="fake", out=tmp_path, sampling={}, console=console)


def picture(path, colour="blue"):
    Image.new("RGB", (8, 8), colour).save(path)
    return path


def test_help_names_every_command_and_is_quick():
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "sensorium", "--help"], capture_output=True, text=True, check=True)
    took_s = os.times().children_user - before.children_user
    names = ("data", "codec", "encode", "train", "chat", "generate", "transcribe", "speak", "export", "show", "doctor")
    for name in names:
        assert re.search(rf"^\s+{name}\s", done.stdout, re.MULTILINE)
    assert took_s < 1.5, f"help took {took_s} s of processor time"


def test_help_loads_no_heavy_module():
    code = "import sys, sensorium.cli; print(sorted({'torch', 'transformers', 'PIL', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version(run):
    assert run("--version").stdout.strip() == sensorium.__version__


def test_bad_input_is_one_sentence_on_stderr(run, monkeypatch):
    def refuse(name, base):
        raise InputError("no model named 'x'")

    monkeypatch.setattr(options, "load", refuse)
    result = run("chat", "x", "--once", "hello")
    assert result.exit_code == 2
    assert "sensorium: no model named 'x'" in result.stderr
    assert "Traceback" not in result.output


def test_a_place_that_is_no_folder_is_told(run, model, tmp_path):
    (tmp_path / "notes").write_text("mine")
    result = run("chat", "--once", "draw a cat", "--out", "notes")
    assert result.exit_code == 2
    assert "notes" in result.stderr
    assert "File exists" in result.stderr
    assert (tmp_path / "notes").read_text() == "mine"


def test_draw_once_saves_a_picture_and_tells_where(run, model, tmp_path):
    result = run("chat", "--once", "draw a red heart", "--seed", "3")
    assert result.exit_code == 0
    assert "saved made-1.png" in result.stdout
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made-1.png").convert("RGB")), RED)
    ((content, want, _, sampling),) = model.asked
    assert (content, want, sampling["seed"]) == (["Draw a red heart."], "image", 3)


def test_image_once_answers_on_stdout(run, model, tmp_path):
    picture(tmp_path / "cat.png")
    result = run("chat", "--once", "/image cat.png what is this?")
    assert result.stdout.strip() == "1 shown, 0 before: what is this?"


def test_a_picture_that_cannot_be_read_is_told(run, model):
    result = run("chat", "--once", "/image nowhere.png what is this?")
    assert result.exit_code == 2
    assert "nowhere.png" in result.stderr
    assert "Traceback" not in result.output
    assert model.asked == []


def test_a_chat_goes_on_after_bad_input(run, model, tmp_path):
    result = run("chat", stdin="/image nowhere.png\n/dance\nhello\n/quit\nnot reached\n")
    assert result.exit_code == 0
    assert "nowhere.png" in result.stdout
    assert "no command /dance" in result.stdout
    assert "0 shown, 0 before: hello" in result.stdout
    assert "not reached" not in result.stdout


def test_the_chat_ends_with_its_input(run, model):
    assert run("chat", stdin="hello\n").exit_code == 0


def test_drawings_do_not_overwrite_each_other(terminal, tmp_path):
    (tmp_path / "made-1.png").write_bytes(b"mine")
    terminal.answer("/make image a cat")
    terminal.answer("/make image a dog")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made-1.png", "made-2.png", "made-3.png"]
    assert (tmp_path / "made-1.png").read_bytes() == b"mine"


def test_drawing_again_gives_another_drawing(terminal):
    terminal.answer("/make image a cat")
    terminal.answer("/make image a cat")
    terminal.answer("/make image a dog")
    assert [sampling["attempt"] for *_, sampling in terminal.model.asked] == [0, 1, 0]


def test_a_copy_of_an_earlier_drawing_is_drawn_anew_but_not_for_ever(terminal, tmp_path):
    terminal.model.copies = 2
    terminal.answer("/make image a cat")
    terminal.answer("/make image a cat")
    assert [sampling["attempt"] for *_, sampling in terminal.model.asked] == [0, 1, 2, 3]
    terminal.model.copies = 99
    terminal.answer("/make image a cat")
    assert len(terminal.model.asked) == 4 + TRIES
    assert len(list(tmp_path.iterdir())) == 3


def test_later_questions_are_about_the_picture_shown_last(terminal, tmp_path):
    cat, dog = picture(tmp_path / "a cat.png"), picture(tmp_path / "dog.png")
    terminal.answer(f'/image "{cat}"')
    terminal.answer("what colour is it?")
    terminal.answer(f"/image {dog} isn't it a dog?")
    terminal.answer("/new")
    terminal.answer("hello")
    said = [line for line in terminal.console.file.getvalue().splitlines() if line]
    assert said == [
        "1 shown, 0 before: What is this?",
        "0 shown, 2 before: what colour is it?",
        "1 shown, 0 before: isn't it a dog?",
        "0 shown, 0 before: hello",
    ]


def test_two_pictures_in_one_question_and_a_path_with_spaces(terminal, tmp_path):
    cat, dog = picture(tmp_path / "cat.png"), picture(tmp_path / "dog.png")
    terminal.answer(f"/image {cat} {dog} which one is a dog?")
    terminal.answer(f"/image {picture(tmp_path / 'two words.png')}")
    assert "2 shown, 0 before: which one is a dog?" in terminal.console.file.getvalue()
    assert "1 shown, 0 before: What is this?" in terminal.console.file.getvalue()


@pytest.mark.parametrize("line", ["/make", "/make image", "/draw", "/image", "/unknown"])
def test_an_incomplete_command_says_what_to_type(terminal, line):
    with pytest.raises(InputError, match=r"say|/help"):
        terminal.answer(line)


def test_a_file_name_alone_is_not_said_as_words(terminal, tmp_path):
    cat = picture(tmp_path / "cat.png")
    with pytest.raises(InputError, match=r"show the file: /image .*cat\.png"):
        terminal.answer(str(cat))
    terminal.answer("nothing.png")  # no such file: words


def test_help_in_the_chat_lists_its_commands(terminal):
    terminal.answer("/help")
    for command in ("/KIND PATH", "/make KIND", "/new", "/quit", "It reads image; it writes image."):
        assert command in terminal.console.file.getvalue()


def test_blocks_show_two_pixels_in_a_character():
    picture_HW3 = np.zeros((2, 3, 3), np.uint8)
    picture_HW3[0] = (255, 0, 0)
    text = blocks(picture_HW3)
    assert text.plain == "▀▀▀\n"
    assert str(text.spans[0].style) == "#ff0000 on #000000"


def test_generate_writes_the_medium_that_is_wanted(run, model, tmp_path):
    result = run("generate", "fake", "a red square", "--want", "image", "--out", "square.png")
    assert result.exit_code == 0
    assert (tmp_path / "square.png").is_file()
    assert run("generate", "fake", "a red square", "--want", "image").exit_code == 2


def test_generate_answers_about_a_picture(run, model, tmp_path):
    picture(tmp_path / "cat.png")
    assert run("generate", "fake", "name it", "--media", "cat.png").stdout.strip() == "1 shown, 0 before: name it"


def test_a_thought_stands_before_the_answer_and_not_in_what_is_piped(run, model, tmp_path):
    shown = picture(tmp_path / "blue.png")
    said = run("chat", "fake", "--think", "--once", f"/image {shown} what?")
    assert said.stdout.splitlines() == ["red, all of it", "1 shown, 0 before: what?"]
    told = run("generate", "fake", "what?", "--media", str(shown), "--think")
    assert (told.stdout, told.stderr.strip()) == ("1 shown, 0 before: what?\n", "red, all of it")
    run("generate", "fake", "what?")
    assert "think" not in model.asked[-1][-1], "models that cannot are not asked to"


def test_a_thought_is_dim_and_is_not_said_again(terminal):
    terminal.sampling["think"] = True
    terminal.console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", soft_wrap=True)
    terminal.answer("hello")
    terminal.answer("and?")
    assert "\x1b[2mred, all of it\x1b[0m\n0 shown" in terminal.console.file.getvalue()
    assert [message.text for message in terminal.history] == [
        "hello",
        "0 shown, 0 before: hello",
        "and?",
        "0 shown, 2 before: and?",
    ]


def test_generate_writes_json_that_fits_a_schema(run, monkeypatch, tmp_path):
    pytest.importorskip("llguidance")
    from serving import tiny_assistant

    monkeypatch.setattr(options, "load", lambda name, base: tiny_assistant())
    Path("schema.json").write_text('{"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 3}')
    result = run("generate", "fake", "count", "--schema", "schema.json")
    assert set(json.loads(result.stdout)) == {1}
    Path("schema.json").write_text("{")
    assert run("generate", "fake", "count", "--schema", "schema.json").exit_code == 2


def in_a_box(box, monkeypatch, **uses):
    """Folders of models that say that they read or write sound, or neither, and nothing else."""
    from sensorium import api

    for name, use in uses.items():
        modality = "audio" if use else "image"
        facts = Facts(name="it", modality=modality, codebook_sizes=(4,), max_frames=2, use=use or "both")
        said = {"format": 2, "vocabulary": Vocabulary.build(10, [facts]).to_json(), "codecs": {}, "base": None}
        (box / name).mkdir(parents=True)
        (box / name / "sensorium.json").write_text(json.dumps(said))
    monkeypatch.setattr(api, "IN_THE_BOX", box)


def test_where_no_model_is_named_one_that_can_do_it_hears_and_speaks(run, monkeypatch, tmp_path):
    from serving import tiny_assistant
    from sounds import Steps, file_of, tones

    in_a_box(tmp_path / "box", monkeypatch, blue=None, deaf="write", mute="read", talker="both")
    (tmp_path / "talk.wav").write_bytes(file_of(tones(0.1, 0.3)))
    loaded = []
    model = tiny_assistant(codecs=[Steps()])
    monkeypatch.setattr(options, "load", lambda name, base: loaded.append(name) or model)
    assert run("speak", "hello", "--out", "hello.wav").exit_code == 0
    assert run("transcribe", "talk.wav").exit_code == 0
    assert run("speak", "hello", "--out", "hello.wav", "--model", "talker").exit_code == 0
    assert loaded == ["deaf", "mute", "talker"]
    assert (tmp_path / "hello.wav").read_bytes()[:4] == b"RIFF"


def test_where_no_model_in_the_box_hears_or_speaks_that_is_told_in_a_sentence(run, model, monkeypatch, tmp_path):
    in_a_box(tmp_path / "box", monkeypatch, blue=None, mute="read")
    done = run("speak", "hello", "--out", "hello.wav")
    assert done.exit_code == 2
    assert done.stderr.strip() == (
        "sensorium: no model in the box writes 'audio' (blue, mute); name one that does, a folder or a Hub id"
    )
    in_a_box(tmp_path / "empty", monkeypatch)
    assert "no model in the box reads 'audio' (there is none)" in run("transcribe", "talk.wav").stderr


def test_the_model_in_the_box_that_hears_and_speaks_is_found_by_what_it_says_of_itself():
    from sensorium import api

    assert api.model_of("audio", "read") == api.model_of("audio", "write") == "smol"
    assert (api.model_of("image", "write"), api.model_of("video", "read")) == ("nano", "smol")


def test_train_without_a_codec_can_read_and_write(run, monkeypatch):
    from sensorium import api
    from sensorium.vocabulary import Vocabulary

    def grow(model, codecs, **options):
        vocabulary = Vocabulary.build(300, [codec.facts for codec in codecs])
        raise InputError(f"{vocabulary.reader('image').facts.name} and {vocabulary.writer('image').facts.name}")

    monkeypatch.setattr(api, "grow", grow)
    assert "image-read and image" in run("train", "base", "chats.jsonl", "--out", "run").stderr


def test_a_grown_model_is_trained_further_with_the_codecs_it_has(run, monkeypatch, tmp_path):
    from sensorium import api

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sensorium.json").write_text("{}")

    def grow(model, codecs, **options):
        raise InputError(f"{model} and {len(codecs)} codecs")

    monkeypatch.setattr(api, "grow", grow)
    assert "mine and 0 codecs" in run("train", "mine", "chats.jsonl", "--out", "run").stderr
    assert "nano and 1 codecs" in run("train", "nano", "chats.jsonl", "--out", "run", "--codec", "image").stderr


def test_how_much_words_are_kept_is_said(run, monkeypatch):
    from sensorium.cli import train

    def told(wanted):
        raise InputError(f"words count {wanted.data.keep:g}")

    monkeypatch.setattr(train, "train_run", told)
    assert "words count 2" in run("train", "nano", "chats.jsonl", "--out", "run", "--keep", "2").stderr
    assert "words count 0" in run("train", "nano", "chats.jsonl", "--out", "run").stderr


def test_a_training_that_was_stopped_keeps_its_model_and_says_how_to_go_on(run, monkeypatch, tmp_path):
    from sensorium import api
    from sensorium.training import Energy, TrainResult

    result = TrainResult(
        steps=3, seconds=1.0, tokens=9, stopped="signal", loss=None, kinds={}, energy=Energy(), checkpoint=tmp_path
    )
    exported = []
    monkeypatch.setattr(api, "grow", lambda model, codecs, **options: SimpleNamespace(export=exported.append))
    monkeypatch.setattr(api, "train", lambda grown, data, **options: result)
    told = run("train", "base", "chats.jsonl", "--out", "run")
    assert told.exit_code == 130
    assert "the same command goes on from here" in told.stderr
    assert [str(path) for path in exported] == ["run/model"]
    monkeypatch.setenv("RANK", "1")
    assert run("train", "base", "chats.jsonl", "--out", "run").stdout == ""
    assert len(exported) == 1, "the first of many processes writes the model, and no other"


RUN_FILE = """
from sensorium.runs import Data, Run, Source
from sensorium.training import TrainConfig

def run():
    sources = (Source(path="a.jsonl", share=3), Source(path="b.jsonl", share=1))
    data = Data(sources=sources, validate="c.jsonl", weights={"text": 2.0})
    return Run(model="base", data=data, config=TrainConfig(max_steps=7, optimizer="muon"), out="run")
"""


def test_a_run_file_says_what_the_options_say(run, monkeypatch, tmp_path):
    from sensorium import api
    from sensorium.training import Energy, TrainResult

    result = TrainResult(
        steps=3, seconds=1.0, tokens=9, stopped="steps", loss=None, kinds={}, energy=Energy(), checkpoint=tmp_path
    )
    taken = []
    monkeypatch.setattr(api, "grow", lambda model, **options: SimpleNamespace(export=lambda folder: None))
    monkeypatch.setattr(api, "train", lambda grown, data, **options: taken.append((data, options)) or result)
    (tmp_path / "run.py").write_text(RUN_FILE)
    assert run("train", "--config", "run.py").exit_code == 0
    words = "train base a.jsonl=3 b.jsonl=1 --validate c.jsonl --weight text=2 --max-steps 7 --optimizer muon --out run"
    assert run(*words.split(), "--codec", "image").exit_code == 0
    (one, settings), (other, more) = taken
    assert [(str(s.path), s.share) for s in one.sources] == [(str(s.path), s.share) for s in other.sources]
    assert (str(one.validate), one.weights) == (str(other.validate), other.weights)
    assert settings | {"minutes": 30.0, "out": None} == more | {"out": None}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nano"], "train needs a model, conversations and --out"),
        (["--config", "nowhere.py"], "does not exist"),
        (["--config", "empty.py"], "needs a function run()"),
        (["nano", "a.jsonl", "--out", "x", "--weight", "text"], "--weight takes KIND=NUMBER"),
        (["nano", "a.jsonl=much", "--out", "x"], "must be a number"),
        (["nano", "a.jsonl", "--out", "x", "--accumulate", "0"], "accumulate must be more than 0"),
    ],
)
def test_a_training_that_is_not_said_whole_is_refused(run, tmp_path, words, told):
    (tmp_path / "empty.py").write_text("")
    result = run("train", *words)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


GOOD = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]}


def test_data_lint_names_the_line_and_goes_on(run, tmp_path):
    (tmp_path / "chats.jsonl").write_text(f"{json.dumps(GOOD)}\nnot json\n{json.dumps({'messages': []})}\n")
    result = run("data", "lint", "chats.jsonl")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("line 2: ")
    assert lines[1].startswith("line 3: ")
    assert "1 of 3" in lines[2]


def test_data_lint_of_a_good_file(run, tmp_path):
    (tmp_path / "chats.jsonl").write_text(json.dumps(GOOD))
    result = run("data", "lint", "chats.jsonl")
    assert (result.exit_code, result.stdout.strip()) == (0, "all 1 conversations are good")


def test_data_lint_of_no_file(run):
    result = run("data", "lint", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "nowhere.jsonl does not exist" in result.stderr


def test_data_import_of_a_folder_passes_lint(run, tmp_path):
    (tmp_path / "pictures").mkdir()
    picture(tmp_path / "pictures" / "sky.png")
    (tmp_path / "pictures" / "sky.txt").write_text("a blue sky")
    assert (
        run("data", "import", "folder", "pictures", "chats.jsonl").stdout.strip()
        == "wrote 2 conversations to chats.jsonl"
    )
    assert run("data", "lint", "chats.jsonl").exit_code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "media", "--out", "x", "--family", "tape"), "no codec family named 'tape'"),
        (("train", "media", "--out", "x", "--modality", "smell"), "no modality named 'smell'"),
        (("train", "nowhere", "--out", "x"), "no media in nowhere; give a folder, a pattern or a JSONL file"),
        (("train", "media", "--out", "x", "--modality", "series"), "no series files in media"),
        (("train", "media", "--out", "x", "--codes", "100"), "power of two"),
        (("train", "media", "--out", "x", "--family", "pretrained"), "are not trained"),
        (("train", "media", "--out", "x", "--family", "semantic"), "one folder per name"),
        (("fetch", "media", "--out", "x"), "no VQ model could be loaded from 'media'"),
    ],
)
def test_a_codec_that_cannot_be_trained_is_told(run, tmp_path, words, sentence):
    (tmp_path / "media").mkdir()
    picture(tmp_path / "media" / "a.png")
    result = run("codec", *words)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (tmp_path / "x").exists()


def test_doctor_as_json(run):
    report = json.loads(run("doctor", "--json").stdout)
    assert report["sensorium"] == sensorium.__version__
    assert report["devices"][0]["kind"] == "cpu"
