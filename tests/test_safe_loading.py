"""No code of a model's folder runs, and no pickle is read, through any door; chat templates keep within bounds."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from serving import running
from toys import CHATML, ToyCodec, tiny_base
from typer.testing import CliRunner

import sensorium as sm
from sensorium.cli import app
from sensorium.model import Model, grow, load_base
from sensorium.model.folder import HEAD_FILE
from sensorium.stream.template import ChatTemplate
from sensorium.types import InputError

SOURCE = Path(sm.__file__).parent
PINNED = "torch.load(BytesIO(held), map_location='cpu', weights_only=True)"
"""Of a file whose digest is known, see `test_seen.test_damaged_weights_are_told`."""


def test_every_loader_says_that_it_is_safe():
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            wrong += [f"{path.relative_to(SOURCE)}:{node.lineno}" for _ in [0] if _is_unsafe(node)]
            if path == SOURCE / "families" / "seen.py" and ast.unparse(node) == PINNED:
                wrong.pop()
    assert not wrong


def _is_unsafe(node: ast.AST) -> bool:
    """Whether it loads what may hold code: without trust_remote_code=False, or weights without use_safetensors=True."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return "pickle" in ast.unparse(node)
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    given = {one.arg: ast.unparse(one.value) for one in node.keywords}
    if called.endswith(("torch.load", "pickle.load", "pickle.loads", "load_pretrained")):
        return True
    if called.endswith("load_adapter"):
        return "adapter_state_dict" not in given
    if not called.endswith(("from_pretrained", "from_config")):
        return False
    of_weights = not any(word in called for word in ("Tokenizer", "Config", "from_config"))
    trusts = "Auto" in called and given.get("trust_remote_code") != "False"
    return trusts or (of_weights and given.get("use_safetensors") != "True")


def test_the_search_for_unsafe_loaders_can_fail():
    for line in ("AutoModel.from_pretrained(x)", "AutoModel.from_pretrained(x, trust_remote_code=False)",
                 "AutoTokenizer.from_pretrained(x)", "torch.load(x)", "lm.load_adapter(x)"):  # fmt: skip
        assert _is_unsafe(ast.parse(line).body[0].value)


PLANTED = "import pathlib; pathlib.Path({place!r}).write_text('ran')\n"


class Bomb:
    """A pickle that writes a file when it is read."""

    def __init__(self, place: Path):
        self.place = place

    def __reduce__(self) -> Any:
        return os.system, (f"echo ran > {self.place}",)


def plant(folder: Path, mark: Path) -> None:
    """Code behind every field and file from which a library could take it."""
    (folder / "evil.py").write_text(PLANTED.format(place=str(mark)) + "class Evil: pass\n")
    autos = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoTokenizer", "AutoProcessor")
    autos_map = dict.fromkeys(autos, "evil.Evil") | {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    for name in ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json"):
        path = folder / name
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | {"auto_map": autos_map}))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "evil"}))
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(PLANTED.format(place=str(mark)))
    _unseal(folder)


def pickles(folder: Path, mark: Path) -> None:
    """Weights as pickles alone."""
    for path in folder.glob("*.safetensors"):
        path.unlink()
    state: dict[str, Any] = {"model.embed_tokens.weight": torch.zeros(2, 2), "bomb": Bomb(mark)}
    torch.save(state, folder / "pytorch_model.bin")
    _unseal(folder)


def _unseal(folder: Path) -> None:
    head = folder / HEAD_FILE
    if head.exists():
        found = json.loads(head.read_text())
        head.write_text(json.dumps({key: one for key, one in found.items() if key not in ("checksums", "seal")}))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A whole model, and a plain base."""
    place = tmp_path_factory.mktemp("sound")
    base = tiny_base("llama")
    base.lm.save_pretrained(place / "base")
    base.tokenizer.save_pretrained(place / "base")
    grow(place / "base", [ToyCodec("toy", "both")]).fold().save(place / "model")
    grow(place / "base", [ToyCodec("toy", "both")], learn="adapter", lora_rank=2).fold().save(place / "adapted")
    (place / "talk.jsonl").write_text('{"messages": [{"role": "user", "content": "a"}]}\n')
    return place


def by_command(*arguments: str) -> None:
    """A command line, with "y" for whoever asks; InputError for its error."""
    done = CliRunner().invoke(app, list(arguments), input="y\n" * 50)
    assert "Usage" not in done.output and not isinstance(done.exception, (OSError, RuntimeError)), done.output
    if done.exit_code:
        raise InputError(done.output)


DOORS = {
    "load": lambda place: sm.load(place / "model"),
    "Model.load": lambda place: Model.load(place / "model"),
    "grow": lambda place: sm.grow(place / "base", [ToyCodec("toy", "both")]),
    "grow a model": lambda place: sm.grow(place / "model", [ToyCodec("two", "both", modality="b")]),
    "load_base": lambda place: load_base(place / "base"),
    "chat": lambda place: by_command("chat", str(place / "model")),
    "generate": lambda place: by_command("generate", str(place / "model"), "hi"),
    "train": lambda place: by_command(
        "train", str(place / "model"), str(place / "talk.jsonl"), "--out", str(place / "run"), "--minutes", "0.01"
    ),
    "export": lambda place: by_command("export", str(place / "model"), str(place / "out")),
}


@pytest.mark.parametrize("trap", [plant, pickles])
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_nothing_of_a_folder_runs(sound, tmp_path, monkeypatch, door, trap):
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    mark = tmp_path / "mark"
    for name in ("model", "base"):
        trap(tmp_path / name, mark)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 50))
    with pytest.raises(InputError, match="which is never run" if trap is plant else "its weights are in pytorch_model"):
        door(tmp_path)
    assert not mark.exists()


def test_the_bomb_works(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


def test_yes_from_a_pipe_runs_nothing(sound, tmp_path):
    shutil.copytree(sound / "model", tmp_path / "model")
    plant(tmp_path / "model", tmp_path / "mark")
    done = subprocess.run(
        [sys.executable, "-m", "sensorium", "generate", str(tmp_path / "model"), "hi"],
        input="y\n" * 100, capture_output=True, text=True, timeout=200, cwd=tmp_path / "model",
    )  # fmt: skip
    assert done.returncode and "Traceback" not in done.stderr
    assert not (tmp_path / "mark").exists()


def test_the_server_loads_neither_code_nor_pickles(sound, tmp_path):
    with running() as server:
        for trap in (plant, pickles):
            folder = tmp_path / trap.__name__
            shutil.copytree(sound / "model", folder)
            trap(folder, tmp_path / "mark")
            reply = server.post("/v1/models/load", {"model": str(folder)})
            assert reply.status_code == 400, reply.text
    assert not (tmp_path / "mark").exists()


def test_a_folder_of_pickles_is_told_how_to_convert_it(sound, tmp_path):
    shutil.copytree(sound / "base", tmp_path / "base")
    pickles(tmp_path / "base", tmp_path / "mark")
    with pytest.raises(InputError, match=r"its weights are in pytorch_model.bin, .*save_pretrained\(NEW_FOLDER\)"):
        load_base(tmp_path / "base")


def test_a_pickle_beside_safetensors_is_not_read(sound, tmp_path):
    shutil.copytree(sound / "base", tmp_path / "base")
    torch.save({"bomb": Bomb(tmp_path / "mark")}, tmp_path / "base" / "pytorch_model.bin")
    assert load_base(tmp_path / "base")
    assert not (tmp_path / "mark").exists()


def test_an_adapter_is_read_from_safetensors_and_names_no_module(sound, tmp_path):
    shutil.copytree(sound / "adapted", tmp_path / "model")
    _unseal(tmp_path / "model")
    assert Model.load(tmp_path / "model").has_adapter
    config = tmp_path / "model" / "adapter" / "adapter_config.json"
    known = json.loads(config.read_text())
    config.write_text(json.dumps(known | {"megatron_config": {"a": 1}, "megatron_core": "evil"}))
    with pytest.raises(InputError, match="megatron_config"):
        Model.load(tmp_path / "model")
    config.write_text(json.dumps(known))
    torch.save({"bomb": Bomb(tmp_path / "mark")}, tmp_path / "model" / "adapter" / "adapter_model.bin")
    (tmp_path / "model" / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match="adapter"):
        Model.load(tmp_path / "model")
    assert not (tmp_path / "mark").exists()


def test_an_adapter_alone_is_not_followed_to_its_base(sound, tmp_path):
    shutil.copytree(sound / "adapted" / "adapter", tmp_path / "adapter")
    with pytest.raises(InputError, match="a LoRA adapter and not a model"):
        load_base(tmp_path / "adapter")


def test_kernels_of_the_hub_are_not_fetched_for_a_config(sound, tmp_path):
    shutil.copytree(sound / "base", tmp_path / "base")
    config = tmp_path / "base" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"attn_implementation": "somebody/kernel"}))
    with pytest.raises(InputError, match="code of the Hub"):
        load_base(tmp_path / "base")


LOOP = "{% for a in range(99) %}STEP{% endfor %}{{ ns.s }}"
TEMPLATES = {
    "long": "{{ 'x' * 10**9 }}",
    "loops": "{% for a in range(9999) %}" * 3 + "{% endfor %}" * 3,
    "power": "{{ 9 ** (9 ** 9) }}",
    "doubled by ~": "{% set ns = namespace(s='x') %}" + LOOP.replace("STEP", "{% set ns.s = ns.s ~ ns.s %}"),
    "doubled by +": "{% set ns = namespace(s='x') %}" + LOOP.replace("STEP", "{% set ns.s = ns.s + ns.s %}"),
    "doubled by block": "{% set ns = namespace(s='x') %}"
    + LOOP.replace("STEP", "{% set b %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = b %}"),
    "doubled by list": "{% set ns = namespace(s=[1]) %}" + LOOP.replace("STEP", "{% set ns.s = [ns.s, ns.s] %}"),
    "replaced": "{% set ns = namespace(s='xx') %}" + LOOP.replace("STEP", "{% set ns.s = ns.s.replace('x', ns.s) %}"),
    "joined": "{% set ns = namespace(s='xx') %}" + LOOP.replace("STEP", "{% set ns.s = ns.s.join([ns.s] * 3) %}"),
    "padded": "{{ 'x'.center(10**9) }}",
    "formatted": "{{ '%1000000000d' % 1 }}",
    "formatted too": "{{ '{:1000000000}'.format(1) }}",
    "indented": "{{ {'a': 1} | tojson(indent=10**9) }}",
    "sliced": "{{ [1] | slice(10**9) | list }}",
    "recursion": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "inside": "{{ ''.__class__.__mro__ }}",
    "source": "x" * 10**6,
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_chat_template_keeps_within_bounds(template):
    began = time.process_time()
    with pytest.raises(InputError, match="chat template"):
        ChatTemplate(template, {}).render([{"role": "user", "content": "a"}], reply=True)
    assert time.process_time() - began < 2


MODERN = """{%- set ns = namespace(last=messages|length - 1, found=false) %}
{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}
{%- if not ns.found and message.role == "user" and not message.content.startswith('<tool>') %}
{%- set ns.found = true %}{%- set ns.last = index %}{%- endif %}{%- endfor %}
{%- for message in messages %}{%- if message.role == "assistant" %}
{%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
{%- generation %}{{ content | trim }}{% endgeneration %}
{%- else %}{{- '<|' + message.role + '|>' ~ message['content'] + eos_token }}{%- endif %}{%- endfor %}
{{ messages | map(attribute='role') | join(', ') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}
{{ "%s!" % 'a' }} {{ dict(a=1) | tojson(indent=2) }} {{ {'a': [1, (2, 3)]} }} {{ strftime_now('%Y') }}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"""


@pytest.mark.parametrize("template", [CHATML, MODERN])
@pytest.mark.parametrize("reply", [True, False])
def test_ordinary_templates_give_what_transformers_gives(template, reply):
    tokenizer = tiny_base("llama").tokenizer
    talk = [{"role": role, "content": f"<think>x</think>\n{role}"} for role in ("system", "user", "assistant", "user")]
    for messages in (talk, talk[1:], talk[1:2]):
        expected = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=reply
        )
        assert ChatTemplate(template, tokenizer.special_tokens_map).render(messages, reply) == expected
