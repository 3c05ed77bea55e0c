"""The model `film`: a small Llama trained from nothing on clips, which it reads and writes in the same codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recipes.motion.codec import trained
from recipes.motion.makers import SHARES, makers
from recipes.motion.moved import atlas_of

from sensorium.files import cache_dir
from sensorium.model import Grown, grow
from sensorium.model.fresh import fresh_base, kept_tokenizer
from sensorium.recipe import Plan, Stage, conversations
from sensorium.training import TrainConfig
from sensorium.types import Conversation

TEXT_TOKENS, TEXTS = 700, 400
HOME = Path("motion") / "film"


def made(stage: Stage, first: int = 0) -> Iterator[Conversation]:
    return conversations(makers("train", atlas_of("train")), stage.shares, stage.conversations, seed=0, start=first)


def texts() -> list[str]:
    """What the tokenizer is learned from."""
    some = made(Stage(shares=STAGE.shares, minutes=0, conversations=TEXTS))
    return [part.data for one in some for part in one.parts() if part.is_text]


def grown(start: str) -> Grown:
    tokenizer = kept_tokenizer(cache_dir() / HOME / "tokenizer", texts, TEXT_TOKENS)
    return grow(fresh_base(tokenizer, hidden=192, layers=6, heads=6, intermediate=512), [trained()], learn="full")


STAGE = Stage(shares=SHARES, minutes=40, conversations=20_000, lr={"rows": 3e-3, "body": 2e-3})
FILM = Plan(
    name="film",
    folder=str(HOME),
    stages=[STAGE],
    grown=grown,
    conversations=made,
    config=TrainConfig(minutes=1, optimizer="muon", schedule="trapezoid", cooldown=0.4, warmup=50),
    weights={"text": 4.0},  # a clip has over a hundred codes, an answer a few tokens
    rows=16,
    row_tokens=256,
    export=lambda grown, out: grown.fold().save(out),
    out=cache_dir() / HOME / "model",
)
