"""Invariant 3: the export is a plain checkpoint. Another environment, without Sensorium, continues a prompt that
holds a picture and writes the same ids."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import sensorium as sm
from sensorium.files import cache_dir
from sensorium.types import Conversation, as_message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def plain_python() -> Path:
    """The interpreter of an environment with only torch and transformers, kept between runs."""
    wanted = {"torch": version("torch").split("+")[0], "transformers": version("transformers")}
    place = cache_dir() / "environments" / "plain-{torch}-{transformers}".format(**wanted)
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([str(python), str(HERE.parent / "tools" / "install_torch.py"), "cpu"], check=True)
        pip = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "-c",
            str(HERE.parent / "constraints.txt"),
            "transformers",
        ]
        subprocess.run(pip, check=True)
        (place / "complete").touch()
    return python


def picture() -> np.ndarray:
    """A red disc on white."""
    y, x = np.mgrid[:64, :64]
    rgb = np.full((64, 64, 3), 255, dtype=np.uint8)
    rgb[(x - 32) ** 2 + (y - 32) ** 2 < 500] = (220, 30, 30)
    return rgb


@pytest.mark.parametrize("content", [["What is this?"], ["What colour is the circle?"], ["Was ist das?"]])
def test_plain_transformers_writes_the_same_ids(plain_python, tmp_path, content):
    model = sm.load("nano")
    folder = model.save(tmp_path / "export")
    conversation = model.senses.encode(Conversation((as_message("user", [sm.Image(picture()), *content]),)))
    prompt_ids = model.stream.render(conversation, reply=True).ids.tolist()
    ours = model.chat(conversation, want="text", max_tokens=16)
    request = json.dumps({"prompt": model.tokenizer.decode(prompt_ids), "new_tokens": len(ours.ids)})
    run = [str(plain_python), str(HERE / "plain_reader.py"), str(folder)]
    printed = subprocess.run(run, input=request, capture_output=True, text=True, check=True).stdout
    plain = json.loads(printed.splitlines()[-1])
    assert plain["class"] == type(model.lm).__name__
    assert plain["prompt"] == prompt_ids
    assert plain["ids"] == list(ours.ids)
