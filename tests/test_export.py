"""``sensorium export`` for other programs."""

from __future__ import annotations

import json

import pytest
from toys import ToyCodec, tiny_configs, tiny_tokenizer
from typer.testing import CliRunner

from sensorium.cli import app, options
from sensorium.model import Base, grow

pytest.importorskip("onnxruntime")
pytest.importorskip("gguf")


@pytest.fixture
def export(monkeypatch, tmp_path):
    """Runs the command on a tiny model; gives its result and the names of the files it wrote."""

    def run(*arguments: str, learn: str = "full"):
        from transformers import AutoModelForCausalLM

        config = tiny_configs()["llama"]
        config.head_dim = 16
        base = Base(AutoModelForCausalLM.from_config(config).eval(), tiny_tokenizer(), "tiny")
        model = grow(base, [ToyCodec()], learn=learn).fold()
        monkeypatch.setattr(options, "load", lambda name, base: model)
        result = CliRunner().invoke(app, ["export", "tiny", str(tmp_path / "out"), *arguments])
        return result, {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}

    return run


@pytest.fixture
def conversations(tmp_path):
    asked, answered = {"role": "user", "content": "hello"}, {"role": "assistant", "content": "a red heart"}
    (tmp_path / "told.jsonl").write_text(json.dumps({"messages": [asked, answered]}) + "\n")
    return str(tmp_path / "told.jsonl")


def test_onnx_comes_with_tokenizer_and_codecs_and_is_checked(export, conversations):
    result, files = export("--format", "onnx", "--dtype", "int8", "--check", conversations)
    assert result.exit_code == 0, result.output
    assert "nats per token, the same likeliest token at" in result.stdout
    assert {"model.onnx", "weights.bin", "genai_config.json", "tokenizer.json", "codecs/toy/codec.json"} <= files


def test_gguf_comes_with_the_adapter(export):
    result, files = export("--format", "gguf", "--dtype", "float16", learn="adapter")
    assert result.exit_code == 0, result.output
    assert files == {"model.gguf", "adapter.gguf"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dtype", "int8"], "transformers takes as-is, float32, float16, bfloat16"),
        (["--format", "gguf", "--check", __file__], "only --format onnx is checked"),
        (["--format", "gguf", "--dtype", "bfloat16"], "gguf takes as-is, float32, float16, int8"),
        (["--format", "onnx", "--dtype", "float16"], "onnx takes as-is, float32, int8"),
    ],
)
def test_what_does_not_go_together_is_refused(export, arguments, said):
    result, files = export(*arguments)
    assert result.exit_code != 0
    assert said in " ".join((result.output + str(result.exception)).replace("│", " ").split())
    assert not files
