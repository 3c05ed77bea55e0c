"""smol: SmolLM2-135M-Instruct with its weights frozen, taught to read and write pictures, clips, series and speech.

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

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from recipes.mood.sources import CREDITS as MOOD_CREDITS
from recipes.pictograms.nano import PACKAGE, with_card
from recipes.pictograms.nano import READER as SEEN
from recipes.pictograms.words import CREDIT as SEEN_CREDIT
from recipes.pictograms.words import words_codec
from recipes.scenes.model import BOXES
from recipes.scenes.thoughts import ASK, MARK
from recipes.smol import series
from recipes.smol.base import smol_base
from recipes.smol.drawing import FILMER, PAINTER, filming, painting
from recipes.smol.makers import MAKERS
from recipes.smol.senses import HOME, hearing, seeing, watching
from recipes.smol.sounds import listening
from recipes.sounds.codec import sound_words
from recipes.sounds.notes import CREDITS as NOTES
from recipes.speech.sources import CREDITS
from recipes.speech.spelled import WORDS as HEARD
from recipes.speech.spelled import without_ear

from sensorium.codecs import Codec, Facts
from sensorium.data.fetch import attribution
from sensorium.families.either import EitherCodec
from sensorium.families.joined import JoinedCodec
from sensorium.files import cache_dir
from sensorium.model import Grown, Model, grow
from sensorium.model.fold import without_new_rows
from sensorium.recipe import Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.stream import Thinking
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError

SURELY = {kind: {"temperature": 0.0} for kind in ("audio", "boxes", "image", "video", "series")}
"""How media are written: what is said, where things lie, and what was wished for has one right answer; of series, which
have many, the likeliest fulfils a wish most often."""
HEARD_ABOUT = """
What it hears is what Whisper base (OpenAI, MIT), which is fetched, writes down; what it says aloud it learned from
sentences that a synthetic voice spoke.
"""
SHARES: Mapping[str, float] = {
    "names": 0.24, "read": 0.08, "about": 0.12, "apart": 0.16, "scenes": 0.2, "speech": 0.2,
}  # fmt: skip
WEIGHTS = {"boxes": 4.0, "audio-words": 3.0, PAINTER: 2.0, FILMER: 2.0}
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
    "tell": 0.12, "plot": 0.15, "mood": 0.09, "think": 0.13, "watch": 0.11, "scenes": 0.05, "point": 0.05,
    "names": 0.08, "about": 0.06, "apart": 0.08, "alone": 0.04, "speech": 0.08, "say": 0.02,
}  # fmt: skip
DRAWN_SHARES: Mapping[str, float] = {
    "paint": 0.1, "film": 0.09, "plot": 0.1, "tell": 0.08, "mood": 0.07, "think": 0.1, "watch": 0.1, "scenes": 0.04,
    "point": 0.04, "names": 0.08, "about": 0.07, "apart": 0.14, "speech": 0.07, "say": 0.02,
}  # fmt: skip
SETS_SHARES = {**DRAWN_SHARES, "tell": 0.0, "tell beside sets": 0.2, "sets": 0.8}
KEEP = 2.0
"""Weight of words that are kept as the base says them; in a third of the steps."""
CONFIG = TrainConfig(
    minutes=1, lr={"rows": 5e-4, "adapter": 1e-3}, schedule="trapezoid", cooldown=0.4, warmup=20, betas=(0.9, 0.98),
    save_minutes=4,
)  # fmt: skip


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    return mixed(MAKERS, stage.shares, stage.conversations, 0, first)


def grown(start: str) -> Grown:
    """From the base, or from a smol that may lack codecs that came later."""
    return _grown(series.READ, start)


def with_sets(start: str) -> Grown:
    """A smol whose codec that reads series is another."""
    return _grown(series.reader_of_sets(), start)


def _grown(series_reader: Codec, start: str) -> Grown:
    reads = [JoinedCodec(words_codec(), seeing(), SEEN), watching(), series_reader]
    codecs = [*reads, listening(), BOXES, painting(), filming(), series.WRITER]
    grown = grow(smol_base(), codecs, "adapter", lora_rank=8)
    if start:
        go_on_from(Model.load(start), grown)
    return grown


def with_sounds(start: str) -> Grown:
    """A smol that learns what sounds are called, and nothing else.

    Raises:
        InputError: there is no smol to start from.
    """
    if not start:
        raise InputError("what sounds are called is learned by a smol that hears; name one to start from, such as smol")
    model = grown(start)
    model.learn_only(HEARD, len(hearing().pieces))
    return model


@torch.no_grad()
def go_on_from(model: Model, grown: Grown) -> None:
    """Rows of the codecs that a model of the same base knows, and its adapter; other codecs keep their own start.

    A codec that has got more codes behind those of before goes on, too; what came is not written.

    Raises:
        InputError: it knows none of the codecs.
    """
    text_size = model.senses.text_size
    rows = without_new_rows(model.lm, text_size)
    names = [name for name, codec in grown.codecs.items() if name in model.codecs and _goes_on(model, name, codec)]
    if not names:
        raise InputError("the model knows none of the codecs of this recipe; start from a smol that it made")
    for name in names:
        layout = model.vocabulary.layout(name)
        for side, rows_NH in zip((grown.embedding, grown.head), rows, strict=True):
            known_NH = rows_NH[layout.open_id - text_size : layout.stop - text_size].float()
            own_NH = torch.cat([part() for part in side.rows.of(name)])
            if side is grown.head and len(own_NH) > len(known_NH):
                own_NH = unwritten(rows_NH, model).expand_as(own_NH)
            side.rows.start_codec_at(name, torch.cat([known_NH, own_NH[len(known_NH) :]]))
    grown.senses = replace(grown.senses, sampling=model.sampling, thinking=model.thinking)
    adapter = {name: value for name, value in model.lm.named_parameters() if "lora_" in name}
    for name, value in grown.lm.named_parameters():
        if "lora_" in name:
            value.copy_(adapter[name])


def _goes_on(model: Model, name: str, codec: Codec) -> bool:
    """Whether a codec is the model's, or has got more codes behind its."""
    known = model.codecs[name]
    if known.facts.identity() == codec.facts.identity():
        return True
    more = codec.facts.codebook_sizes > known.facts.codebook_sizes
    return isinstance(codec, EitherCodec) and more and _first(known).identity() == codec.first.facts.identity()


def _first(codec: Codec) -> Facts:
    return codec.first.facts if isinstance(codec, EitherCodec) else codec.facts


def unwritten(rows_NH: torch.Tensor, model: Model) -> torch.Tensor:
    """(1, H) the output row of what is never written."""
    return rows_NH[model.vocabulary.layout(SEEN).open_id - model.senses.text_size][None].float()


def export(model: Grown, out: Path) -> Path:
    """Rows, adapter and codecs in half precision; what hears is taken from packages, as the base is.

    What tells things may have learned more since the model was begun: it is the newest.
    """
    whole = model.fold()
    named = whole.codecs[SEEN]
    assert isinstance(named, JoinedCodec)
    senses = whole.senses.replaced(EitherCodec(without_ear(hearing()), sound_words(), HEARD))
    for codec in (JoinedCodec(named.first, seeing(), SEEN), watching(), painting(), filming()):
        senses = senses.replaced(codec)
    whole.senses = replace(senses, sampling=SURELY, thinking=Thinking(ASK, MARK))
    whole.save_rows(out, dtype=torch.float16)
    with_card(out, Path(__file__).with_name("smol_card.md"))
    with (out / "ATTRIBUTION.md").open("a", encoding="utf-8") as file:
        credits = [SEEN_CREDIT, *CREDITS, *MOOD_CREDITS, *NOTES]
        file.write(attribution(credits, HEARD_ABOUT).replace("# Attribution\n", "", 1))
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
        Stage(shares=DRAWN_SHARES, minutes=55, conversations=3_000, cooldown=0.6, note="What is wished for is drawn."),
    ],
    grown=grown,
    conversations=conversations,
    config=CONFIG,
    weights=WEIGHTS,
    keep=KEEP,
    rows=1,
    row_tokens=512,
    export=export,
    out=PACKAGE / "smol",
)
SMOL_SOUNDS = Plan(
    name="smol-sounds",
    folder=str(HOME / "sounds"),
    stages=[
        Stage(shares={"sound": 1.0}, minutes=20, conversations=1_500, start="smol", note="Sounds that are no speech.")
    ],
    grown=with_sounds,
    conversations=conversations,
    config=replace(CONFIG, lr={"rows": 2e-3}, cooldown=0.5),
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
    keep=KEEP,
    rows=1,
    row_tokens=512,
    export=lambda model, out: model.fold().save_rows(out),
    out=cache_dir() / HOME / "series" / "exported",
)
