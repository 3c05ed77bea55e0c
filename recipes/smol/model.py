"""smol: SmolLM2-135M-Instruct with its weights frozen, taught to read pictures, clips and speech, to point and speak.

``python -m recipes smol train smol``, ``... export smol``: rows, adapter and codecs go into the package, the base stays
apart (`recipes.smol.base`). Every code that it reads is a word, or a number, so that its rows start at embeddings that
the base knows: a picture is what its names are likeliest to be (`recipes.pictograms.words`) and a list of what lies
where (`recipes.scenes.codec`), a clip is a list of what was first and last where, a series is the list of its turns
(`recipes.smol.series`), speech is what is spelled (`recipes.speech.spelled`), in tokens of the base: to write down what
it hears, and to say what is written, it copies.
All senses are taught in one mixture, since an adapter that learns one after another forgets the first, and with them
what the base itself says in words (`recipes.smol.talk`), since one that learns names alone forgets to talk.

``... train smol-series`` goes on to the series of the recipe `sensors`, with all others in the mixture. It is not
shipped: the sets are fetched to learn from, not to be passed on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from recipes.mood.sources import CREDITS as MOOD_CREDITS
from recipes.pictograms.nano import PACKAGE, with_card
from recipes.pictograms.nano import READER as SEEN
from recipes.pictograms.words import words_codec
from recipes.scenes.model import BOXES
from recipes.scenes.thoughts import ASK, MARK
from recipes.smol import series
from recipes.smol.base import smol_base
from recipes.smol.makers import MAKERS
from recipes.smol.senses import HOME, hearing, seeing, watching
from recipes.speech.sources import CREDITS
from recipes.speech.spelled import without_ear

from sensorium.codecs import Codec
from sensorium.data.fetch import attribution
from sensorium.families.joined import JoinedCodec
from sensorium.families.spelled import SpelledCodec
from sensorium.files import cache_dir
from sensorium.model import Grown, Model, grow
from sensorium.model.fold import without_new_rows
from sensorium.model.folder import resolve
from sensorium.recipe import Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.stream import Thinking
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError

CARD, CREDITED = Path(__file__).with_name("smol_card.md"), "ATTRIBUTION.md"
SURELY = {"audio": {"temperature": 0.0}, "boxes": {"temperature": 0.0}}
"""How media are written: what is said and where things lie has one right answer."""
HEARD_ABOUT = """
What it hears is what Whisper base (OpenAI, MIT), which is fetched, writes down; what it says aloud it learned from
sentences that a synthetic voice spoke.
"""
SHARES: Mapping[str, float] = {
    "names": 0.24, "read": 0.08, "about": 0.12, "apart": 0.16, "scenes": 0.2, "speech": 0.2,
}  # fmt: skip
WEIGHTS = {"boxes": 4.0, "audio-words": 3.0}
"""Of what is written beside words: few tokens in many."""
WRITTEN_SHARES: Mapping[str, float] = {
    "say": 0.3, "point": 0.2, "names": 0.16, "about": 0.08, "apart": 0.1, "scenes": 0.08, "speech": 0.08,
}  # fmt: skip
HEARD_SHARES: Mapping[str, float] = {
    "speech": 0.5, "say": 0.08, "names": 0.16, "about": 0.08, "apart": 0.1, "scenes": 0.04, "point": 0.04,
}  # fmt: skip
COPIED_SHARES: Mapping[str, float] = {
    "speech": 0.26, "say": 0.24, "write": 0.1, "names": 0.14, "about": 0.05, "apart": 0.07, "scenes": 0.09,
    "point": 0.05,
}  # fmt: skip
THOUGHT_SHARES: Mapping[str, float] = {
    "think": 0.26, "watch": 0.2, "scenes": 0.05, "point": 0.05, "names": 0.08, "about": 0.09, "apart": 0.11,
    "alone": 0.06, "speech": 0.08, "say": 0.02,
}  # fmt: skip
ALL_SHARES: Mapping[str, float] = {
    "tell": 0.12, "draw": 0.1, "go on": 0.05, "mood": 0.09, "think": 0.13, "watch": 0.11, "scenes": 0.05, "point": 0.05,
    "names": 0.08, "about": 0.06, "apart": 0.08, "alone": 0.04, "speech": 0.08, "say": 0.02,
}  # fmt: skip
SETS_SHARES = {**ALL_SHARES, "tell": 0.0, "tell beside sets": 0.2, "sets": 0.8}
CONFIG = TrainConfig(
    minutes=1, lr={"rows": 5e-4, "adapter": 1e-3}, schedule="trapezoid", cooldown=0.4, warmup=20, betas=(0.9, 0.98),
    save_minutes=4,
)  # fmt: skip


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    return mixed(MAKERS, stage.shares, stage.conversations, 0, first)


def grown(start: str) -> Grown:
    """From the base, or from a smol that may lack codecs that came later."""
    return _from_base(series.READ) if not start else _later(Model.load(start))


def _from_base(series_reader: Codec) -> Grown:
    codecs = [JoinedCodec(words_codec(), seeing(), SEEN), BOXES, hearing(), watching(), series.WRITER, series_reader]
    return grow(smol_base(), codecs, "adapter", lora_rank=8)


def _later(model: Model) -> Grown:
    later = (watching(), series.WRITER, series.READ)
    return grow(model, [one for one in later if one.facts.name not in model.codecs], "adapter")


@torch.no_grad()
def with_sets(start: str) -> Grown:
    """A smol whose codec that reads series, the last one, is another."""
    model, grown = Model.load(start), _from_base(series.reader_of_sets())
    known = [codec.facts.identity() for codec in model.codecs.values()]
    if known[:-1] != [codec.facts.identity() for codec in grown.codecs.values()][:-1]:
        raise InputError(f"the codecs of {start} are not those of this recipe; start from a smol that it made")
    grown.senses = replace(grown.senses, sampling=model.sampling, thinking=model.thinking)
    first = model.vocabulary.layout(series.READER).open_id - model.senses.text_size
    rows_in, rows_out = without_new_rows(model.lm, model.senses.text_size)
    grown.start_at((rows_in[:first], rows_out[:first]))
    adapter = {name: value for name, value in model.lm.named_parameters() if "lora_" in name}
    for name, value in grown.lm.named_parameters():
        if "lora_" in name:
            value.copy_(adapter[name])
    return grown


def heard_by(codec: SpelledCodec, start: str, out: Path) -> Path:
    """A smol that hears by another codec with the same pieces, all else as it was."""
    model, credits = Model.load(start), (resolve(start) / CREDITED).read_bytes()
    model.senses = model.senses.replaced(without_ear(codec))
    model.save_rows(out, dtype=torch.float16)
    shutil.copy(CARD, out / "README.md")
    (out / CREDITED).write_bytes(credits)
    return out


def export(model: Grown, out: Path) -> Path:
    """Rows, adapter and codecs in half precision; what hears is taken from packages, as the base is.

    What tells things may have learned more since the model was begun: it is the newest.
    """
    whole = model.fold()
    named = whole.codecs[SEEN]
    assert isinstance(named, JoinedCodec)
    senses = whole.senses.replaced(without_ear(hearing()))
    for codec in (JoinedCodec(named.first, seeing(), SEEN), watching()):
        senses = senses.replaced(codec)
    whole.senses = replace(senses, sampling=SURELY, thinking=Thinking(ASK, MARK))
    whole.save_rows(out, dtype=torch.float16)
    with_card(out, CARD)
    with (out / CREDITED).open("a", encoding="utf-8") as file:
        file.write(attribution([*CREDITS, *MOOD_CREDITS], HEARD_ABOUT).replace("# Attribution\n", "", 1))
    return out


SMOL = Plan(
    name="smol",
    folder=str(HOME),
    stages=[
        Stage(shares=SHARES, minutes=30, conversations=4_500),
        Stage(shares=WRITTEN_SHARES, minutes=16, conversations=1_200, cooldown=0.7, note="More of what is written."),
        Stage(shares=HEARD_SHARES, minutes=8, conversations=700, cooldown=1.0, note="More of what is heard."),
        Stage(shares=COPIED_SHARES, minutes=65, conversations=1_200, cooldown=1.0, note="More of what is copied."),
        Stage(shares=THOUGHT_SHARES, minutes=90, conversations=3_000, cooldown=0.6, note="Thinking before answering."),
        Stage(shares=ALL_SHARES, minutes=55, conversations=3_000, cooldown=0.6, note="Series and moods as well."),
    ],
    grown=grown,
    conversations=conversations,
    config=CONFIG,
    weights=WEIGHTS,
    rows=1,
    row_tokens=512,
    export=export,
    out=PACKAGE / "smol",
)
SMOL_SERIES = Plan(
    name="smol-series",
    folder=str(HOME / "series"),
    stages=[Stage(shares=SETS_SHARES, minutes=20, conversations=3_000, start="smol")],
    grown=with_sets,
    conversations=conversations,
    config=replace(CONFIG, cooldown=0.7),
    weights=WEIGHTS,
    rows=1,
    row_tokens=512,
    export=lambda model, out: model.fold().save_rows(out),
    out=cache_dir() / HOME / "series" / "exported",
)
