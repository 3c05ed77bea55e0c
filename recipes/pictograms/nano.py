"""nano, the model in the box: a small Llama trained from scratch on pictograms, in stages.

``python -m recipes pictograms train nano`` runs its whole history, once both codecs are trained and have encoded the
table (``codec image encode``, ``codec image-read encode``); ``... export nano`` writes it into the package.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from recipes.pictograms import tasks
from recipes.pictograms.codec import fsq, kept, trained_codec
from recipes.pictograms.concepts import Concepts, folder, load_pictures, load_pixels
from recipes.pictograms.reading import reading_codec
from recipes.pictograms.tokenizer import corpus

from sensorium.codecs import Codec
from sensorium.data.views import Numbered, Views
from sensorium.modalities.drawings import main_colour
from sensorium.model import Grown, Model, grow
from sensorium.model.fresh import fresh_base, kept_tokenizer
from sensorium.recipe import Plan, Stage
from sensorium.training import TrainConfig
from sensorium.types import Conversation

WRITER, READER = "image", "image-read"
NOISE = (0.0, 0.3, 0.5, 0.7, 0.9)
"""Standard deviations of what is added to the values of a picture that is read (whose own is 1)."""
TEXT_TOKENS = 3500
GENTLE: dict[str, Any] = {"lr": {"rows": 1.5e-3, "body": 1e-3}, "cooldown": 1.0}
"""Half the learning rate, falling from the start: to polish weights that have been cooled down."""
DRAWING: dict[str, Any] = {"temperature": 0.3, "guidance": 1.5, "attempts": {"temperature": 2.0, "top_k": 2, "pool": 3}}
"""How drawings are sampled; chosen in results/README.md."""
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "sensorium" / "weights"

# The weights in the box had these stages and minutes, on one or two contended cores; tokens and energy are in the
# notes. Run anew, every stage reads and writes with today's codecs. Which stages were gentle was not written down: here
# they are those that shortly polished what a stage before had cooled down. Rows turned to words first did not help
# nano (results/log.md).
STAGES = (
    Stage(
        shares=tasks.SHARES, minutes=28,
        note="Reading and drawing, 1.75 M tokens, 6.4 Wh: draws by heart soon, names hardly better than blind "
        "(the reading codec was an FSQ autoencoder).",
    ),
    Stage(
        shares={"read": 0.80, "draw": 0.16, "pair": 0.02, "text": 0.02}, minutes=38,
        note="Mostly reading, 3.55 M, 9.5 Wh, same codec: 12.0 % of names, 19.0 % of drawings.",
    ),
    Stage(
        shares={"read": 0.0, "draw": 0.93, "pair": 0.0, "text": 0.07}, minutes=63,
        note="Only drawing, 3.74 M, 14 Wh, while the semantic reading codec was trained.",
    ),
    Stage(
        shares={"read": 0.66, "draw": 0.28, "pair": 0.03, "text": 0.03}, minutes=15,
        note="With the semantic reading codec, whose rows start anew, 0.81 M, 3.2 Wh.",
    ),
    Stage(
        shares={"read": 0.25, "names": 0.35, "draw": 0.36, "pair": 0.02, "text": 0.02}, minutes=48,
        note="Several pictures in turn, each only named, 2.97 M, 10.7 Wh: more names for the time.",
    ),
    Stage(
        shares={"read": 0.16, "names": 0.68, "draw": 0.14, "pair": 0.01, "text": 0.01}, minutes=14, **GENTLE,
        note="Mostly names, 0.81 M, 3.0 Wh: 41.6 % of names, 90.5 % of drawings.",
    ),
    Stage(
        shares={"read": 0.16, "names": 0.57, "draw": 0.14, "mixed": 0.06, "pair": 0.02, "text": 0.05}, minutes=42,
        note="Fresh noise in what is read, described drawings, changes of subject, 9.4 Wh.",
    ),
    Stage(
        shares={"read": 0.16, "names": 0.61, "draw": 0.12, "mixed": 0.05, "pair": 0.01, "text": 0.05}, minutes=52,
        note="With the reading codec of 86 minutes, 6.49 M, 15 Wh: 52.4 % of names, 73.0 % of drawings.",
    ),
    Stage(
        shares={"read": 0.07, "names": 0.38, "draw": 0.50, "mixed": 0.03, "pair": 0.01, "text": 0.01}, minutes=9.5,
        **GENTLE, note="Half drawings, 1.32 M, 2.8 Wh: 51.8 % of names, 86.5 % of drawings.",
    ),
    Stage(
        shares={"read": 0.08, "names": 0.34, "draw": 0.53, "mixed": 0.02, "pair": 0.01, "text": 0.02}, minutes=33,
        note="From the box, with the image codec of 25 dB, 5.13 M, 10.1 Wh, AMX (by mistake with the reading codec of "
        "26 minutes).",
    ),
    Stage(
        shares={"read": 0.10, "names": 0.46, "draw": 0.38, "mixed": 0.03, "pair": 0.01, "text": 0.02}, minutes=9,
        **GENTLE, note="With the right reading codec, 1.56 M, 2.6 Wh: 50.6 % of names, 92.0 % of drawings.",
    ),
)  # fmt: skip


def codecs() -> tuple[Codec, Codec]:
    """The one that writes and the one that reads."""
    return fsq(trained_codec(WRITER)), reading_codec()


@cache
def encoded() -> Numbered:
    """What both codecs make of the pictures of the table."""
    views = Views(codec=READER, values_VND=kept(READER).read(), quantise=reading_codec().quantise, noise=NOISE)
    return Numbered(views=views, codec=WRITER, written=kept(WRITER).read())


@cache
def concepts() -> Concepts:
    """What the pictures show that have codes (the table may have grown since they were encoded)."""
    known = min(len(encoded().written), encoded().views.values_VND.shape[1])
    pixels, pictures = load_pixels(), (picture for picture in load_pictures() if picture.medium < known)
    return Concepts(replace(one, colour=main_colour(np.asarray(pixels[one.medium]))) for one in pictures)


def grown(start: str) -> Grown:
    """Fresh, with a tokenizer learned from the recipe's texts, or a model in the box with today's codecs."""
    if not start:
        tokenizer = kept_tokenizer(folder() / "nano" / "tokenizer", lambda: corpus(concepts()), TEXT_TOKENS)
        return grow(fresh_base(tokenizer, hidden=256, layers=7, heads=8, intermediate=704), codecs(), learn="full")
    model = Model.load(start)
    for codec in codecs():
        model.senses = model.senses.replaced(codec)
    return grow(model, learn="full")


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    """Those of a stage, with codes."""
    made = tasks.conversations(concepts(), stage.conversations, 0, stage.shares, first)
    for index, conversation in enumerate(made, start=first):
        yield encoded().fill(conversation, Random(f"0:codes:{index}"))


def export(model: Grown, out: Path) -> Path:
    """A plain Hugging Face folder in half precision."""
    whole = model.fold()
    whole.senses = replace(whole.senses, sampling={"image": DRAWING})
    whole.save(out, dtype=torch.float16)
    return with_card(out, Path(__file__).with_name("nano_card.md"))


def with_card(out: Path, card: Path) -> Path:
    shutil.copy(card, out / "README.md")
    shutil.copy(folder() / "ATTRIBUTION.md", out / "ATTRIBUTION.md")
    return out


NANO = Plan(
    name="nano",
    folder="pictograms/nano",
    stages=STAGES,
    grown=grown,
    conversations=conversations,
    # Muon for the body's matrices, a flat learning rate that falls in the last third of the time.
    config=TrainConfig(
        minutes=1, optimizer="muon", lr={"rows": 3e-3, "body": 2e-3}, schedule="trapezoid", cooldown=0.35, warmup=50,
        compile=True, weight_decay=0.05,
    ),
    weights={"text": 4.0},  # a drawing has 64 codes, a name a few tokens
    rows=12,
    row_tokens=256,
    export=export,
    out=PACKAGE / "nano",
)  # fmt: skip
