"""The model `scenes`: nano goes on, and learns to see what lies where.

Its reading codec is joined with the one of scenes (`recipes.scenes.codec`), so that a picture is told by the 8 codes
that nano knows and by 64 of what lies where; places are said and written as boxes. What nano could do before is
practised along, from the recipe `pictograms`, whose pictures have the place codes of another picture most of the time:
their own would tell the names of drawings that training shows, and of no others.

``python -m recipes scenes codec scene train``, then ``train scenes``; the pictograms must have been made and encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random

import numpy as np
import torch
from recipes.pictograms import nano
from recipes.pictograms import tasks as pictograms
from recipes.pictograms.concepts import load_pixels
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import CELL_PX, SHAPE, SIDE_PX, boxes_of, trained
from recipes.scenes.codec import scenes as scene_pictures
from recipes.scenes.data import make
from recipes.scenes.episodes import STILL, WRITTEN, Making
from recipes.scenes.episodes import makers as scenes
from recipes.scenes.places import owners

from sensorium.codecs import Codec
from sensorium.data import read_conversations
from sensorium.data.facts import Thing
from sensorium.data.views import remembered
from sensorium.families.joined import JoinedCodec
from sensorium.families.uniform import UniformCodec
from sensorium.files import cache_dir
from sensorium.grounding import teaching
from sensorium.model import Grown, Model, grow
from sensorium.recipe import Maker, Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.training import TrainConfig
from sensorium.types import Conversation, Part, Signal

HOME, STILLS = Path("scenes") / "model", Path("scenes") / "stills"
PICTURES, TAUGHT = 12_000, 18_000
"""Scenes that are taught in the words of evaluation, and conversations about them, at most."""
ASKED = {task: share for task, share in STILL.items() if task not in WRITTEN}
OTHERS = 0.7
"""How often a pictogram that is read has the place codes of another one."""
BOXES = UniformCodec(
    ("x0", "y0", "x1", "y1"),
    name="boxes",
    modality="boxes",
    bins=65,
    ranges=[(0, 64)] * 4,
    frame=(64, 64),
    max_frames=8,
)


def grown(start: str) -> Grown:
    return widened(start, trained())


def widened(start: str, scene: Codec) -> Grown:
    """A model in the box that reads pictures by a further codec, too, and boxes; its rows stay where they are."""
    model = Model.load(start)
    text = model.senses.text_size
    sides = model.lm.get_input_embeddings(), model.lm.get_output_embeddings()
    rows_in, rows_out = (side.weight.detach()[text:].clone() for side in sides)
    reader = JoinedCodec(model.codecs[nano.READER], scene, name=nano.READER)
    codecs = [model.codecs[nano.WRITER], reader, BOXES]
    found = grow(model.without_codecs(), codecs, learn="full", init="codebook")
    found.start_at((rows_in, rows_out))
    return found


@cache
def places() -> np.ndarray:
    """(N, codes) of the pictograms by the codec of scenes."""
    codec, pixels = trained(), load_pixels()

    def look() -> np.ndarray:
        batches = (pixels[at : at + 512] for at in range(0, len(pixels), 512))
        return np.array([codes for batch in batches for codes in codec.encode([Signal(one) for one in batch])])

    return remembered(cache_dir() / HOME / "places.npz", codec.fingerprint(), look)


def filled(conversation: Conversation, random: Random) -> Conversation:
    """Pictures by number as codes: of what is written nano's, of what is read nano's and those of places behind."""
    numbers = [part.data for part in conversation.parts() if not part.is_text]
    found, left = nano.encoded().fill(conversation, random), iter(numbers)

    def more(part: Part) -> Part:
        if part.is_text:
            return part
        number = next(left)
        if part.codec != nano.READER:
            return part
        shown = random.randrange(len(places())) if random.random() < OTHERS else number
        return part.with_codes(np.concatenate([part.codes, places()[shown]]), part.codec)

    return Conversation(tuple(replace(one, parts=tuple(map(more, one.parts))) for one in found.messages))


@cache
def taught() -> Sequence[Conversation]:
    """Conversations about stills of train in the words of evaluation, see `sensorium.grounding.teaching`; kept."""
    made = make(train=PICTURES, val=0, test=0, moving=0.0, side_px=SIDE_PX, drawings=False, out=cache_dir() / STILLS)
    path = made / "train" / "taught.jsonl"
    if not path.exists():
        teaching.write([made / "train" / "facts.jsonl"], path, TAUGHT)
    return list(read_conversations(path))


def makers() -> dict[str, Maker]:
    """Questions about scenes in two ways of asking, and nano's own tasks."""
    asked = scenes(Making(side="train", side_px=SIDE_PX, atlas=Atlas()))
    own = {name: partial(make, nano.concepts()) for name, make in pictograms.TASKS.items()}
    return {**{name: asked[name] for name in ASKED}, "taught": lambda random: random.choice(taught()), **own}


def mixture(stage: Stage, first: int) -> Iterator[Conversation]:
    """Those of a stage, pictograms in codes."""
    made = mixed(makers(), stage.shares, stage.conversations, 0, first)
    for index, conversation in enumerate(made, start=first):
        numbered = any(isinstance(part.data, int) for part in conversation.parts() if not part.is_text)
        yield filled(conversation, Random(f"0:codes:{index}")) if numbered else conversation


def align(model: Grown, count: int = 6000) -> None:
    """Start the rows of place codes at the words for what lies where they come: the mean of all that was seen there."""
    codec, table = trained(), model.embedding.weight.detach()

    @cache
    def embedded(words: str) -> torch.Tensor:
        return table[model.tokenizer(words, add_special_tokens=False)["input_ids"]].mean(0)

    part = model.embedding.rows.of(nano.READER)[-1]
    sums, counts = torch.zeros(len(part.free), table.shape[1]), torch.zeros(len(part.free), 1)
    for pixels, facts in scene_pictures("train", count, seed=2):
        codes = torch.from_numpy(codec.encode([Signal(pixels)])[0])
        owner = torch.from_numpy(owners(boxes_of(facts), SHAPE.grid, CELL_PX)).flatten()
        words = [embedded(_words(thing)) for thing in facts.things]
        told = torch.stack([*words, embedded(" nothing")])[owner]  # the last for what is nobody's, -1
        sums.index_add_(0, codes, told)
        counts.index_add_(0, codes, torch.ones(len(codes), 1))
    known = counts[:, 0] > 0
    rows = sums / counts.clamp(min=1)
    rows[~known] = rows[known].mean(0)
    with torch.no_grad():
        part.start_at(rows)


def _words(thing: Thing) -> str:
    return "".join(f" {value}" for aspect in ("size", "material", "colour", "name") if (value := thing.value(aspect)))


def shares(asked: float, describe: float, **others: float) -> Mapping[str, float]:
    """Odds of tasks: so much for questions of this recipe, ``describe`` times as many descriptions, and others."""
    own = {task: share * (describe if task == "describe" else 1.0) for task, share in ASKED.items()}
    return {task: asked * share / sum(own.values()) for task, share in own.items()} | others


SCENES = Plan(
    name="scenes",
    folder=str(HOME),
    stages=[
        Stage(
            start="nano", minutes=13, conversations=60_000,
            shares=shares(0.22, 1, taught=0.20, names=0.03, read=0.08, draw=0.22, text=0.23, mixed=0.02),
            note="Half scenes, half what nano knew: 1.3 M tokens, and nothing is seen yet.",
        ),
        Stage(
            shares=shares(0.45, 4, taught=0.30, names=0.03, read=0.06, draw=0.08, text=0.08), minutes=42,
            conversations=40_000, aligned=True, note="Mostly scenes, from rows that start at words.",
        ),
    ],
    grown=grown,
    conversations=mixture,
    config=TrainConfig(
        minutes=1, optimizer="muon", lr={"rows": 3e-3, "body": 1.5e-3}, schedule="trapezoid", cooldown=0.4, warmup=50,
        compile=True, weight_decay=0.05,
    ),
    among="kind",
    weights={"text": 4.0, "boxes": 2.0},
    rows=6,
    row_tokens=512,
    align=align,
    export=nano.export,
    out=cache_dir() / HOME / "exported",
)  # fmt: skip
