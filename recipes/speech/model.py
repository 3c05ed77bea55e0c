"""The codecs and the model `speech`: one codec reads, one writes, and nano learns to listen and speak.

``python -m recipes speech codec audio train``, ``... audio-read train``, both ``... encode``, then ``train
speech``. A model of all senses takes `makers` and `coded` into its own stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from recipes.speech import coded, tasks
from recipes.speech.clips import Clip, folder, read_manifest
from recipes.speech.coded import Coded
from recipes.speech.sound import at_rate, read_sound
from recipes.speech.sources import EMOJI_NAMES
from recipes.speech.tasks import Spoken
from recipes.speech.texts import emoji_names
from recipes.speech.voices import SPEAKING

from sensorium.codecs import Codec, Media, load_codec
from sensorium.data.fetch import fetch
from sensorium.learning.learn import learn_codec
from sensorium.learning.report import codec_row, table
from sensorium.model import Grown, Model, grow
from sensorium.recipe import Learner, Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.recipe.makers import Maker
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError, Signal

WRITER, READER = "audio", "audio-read"
FAMILIES = {WRITER: "mel", READER: "ctc"}
VIEWS = {WRITER: 1, READER: 2}
STRESS = "ˈˌ"
PLAYED = (0.77, 1.3)
"""How much faster copies are played."""


def media(clips: Sequence[Clip], copies: bool = False) -> Media:
    """Training clips with their phonemes, as codecs learn from them; stress is left out, blanks are kept.

    Args:
        copies: each once more, played faster or slower: higher or lower, as shorter and taller speakers are.
    """

    def named() -> Iterator[tuple[Signal, str]]:
        for clip in clips:
            sound, words = (
                read_sound(folder() / clip.path),
                clip.phonemes.translate({ord(mark): None for mark in STRESS}),
            )
            yield sound, words
            if copies:
                faster = Random(clip.path).uniform(*PLAYED)
                yield Signal(at_rate(sound, round((sound.rate_hz or 0) / faster)).array, sound.rate_hz), words

    return Media(named)


def trained_on(codec: str) -> list[Clip]:
    """What a codec learns from and is made codes of: every training clip is read, those in one voice are written."""
    clips = [clip for clip in read_manifest() if clip.split == "train"]
    return clips if codec == READER else [clip for clip in clips if clip.voice == SPEAKING]


def learner(name: str) -> Learner:
    """How a codec is trained, encodes the clips, and is measured."""
    place = folder() / "codecs" / name

    def train(minutes: float, start: str = "") -> None:
        if start:
            raise InputError(f"{name} starts from fresh weights or its own checkpoint; leave --start out")
        clips = [clip for clip in read_manifest() if clip.split == "train"]
        use = "write" if name == WRITER else "read"
        names: dict[str, Any] = {"name": name, "modality": "audio", "use": use}
        kept: dict[str, Any] = {"minutes": minutes, "checkpoint": place / "state.safetensors"}
        learn_codec(FAMILIES[name], media(clips, copies=name == WRITER), **kept, **names).save(place / "codec")

    def encode() -> None:
        coded.encode(trained_codec(name), trained_on(name), codes_file(name), VIEWS[name])

    def report(out: Path) -> None:
        held_out = [read_sound(folder() / clip.path) for clip in read_manifest() if clip.part == "test"]
        print(table([codec_row(trained_codec(name), held_out)]))

    return Learner(train=train, minutes=60, report=report, encode=encode)


def trained_codec(name: str) -> Codec:
    """InputError when it has not been trained."""
    place = folder() / "codecs" / name / "codec"
    if not place.is_dir():
        raise InputError(f"the codec {name} is not trained yet; run `python -m recipes speech codec {name} train`")
    return load_codec(place)


def codes_file(name: str) -> Path:
    return folder() / "codecs" / name / "clips.npz"


@cache
def known() -> Coded:
    """The codes of all clips that were encoded."""
    read, written = (
        coded.read_coded(trained_codec(name), codes_file(name), f"python -m recipes speech codec {name} encode")
        for name in (READER, WRITER)
    )
    return Coded(reader=READER, writer=WRITER, read=read, written=written)


def makers(spoken: Spoken) -> dict[str, Maker]:
    """The tasks, ready to be mixed, also with those of other recipes."""
    return {name: partial(make, spoken) for name, make in tasks.TASKS.items()}


@cache
def spoken() -> Spoken:
    """The training clips that were encoded."""
    clips = [clip for clip in known().known(read_manifest()) if clip.path in known().written or clip.voice != SPEAKING]
    return Spoken(clips, emoji_names(fetch(EMOJI_NAMES)))


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    """Those of a stage, with codes."""
    made = mixed(makers(spoken()), stage.shares, stage.conversations, 0, first)
    for index, conversation in enumerate(made, start=first):
        yield known().fill(conversation, Random(f"0:codes:{index}"))


def grown(start: str) -> Grown:
    """A model in the box that knows words, with both codecs; all of it trains."""
    return grow(Model.load(start), [trained_codec(READER), trained_codec(WRITER)], learn="full")


LISTENING = {name: share for name, share in tasks.SHARES.items() if name not in tasks.SPEAKING_TASKS}

STAGES = (
    Stage(start="nano", shares=LISTENING, minutes=33, conversations=40_000, note="Only listening."),
    Stage(
        shares=LISTENING | {name: 2 * tasks.SHARES[name] for name in tasks.SPEAKING_TASKS}, minutes=60,
        conversations=60_000, note="Mostly speaking.",
    ),
    Stage(
        shares=tasks.SHARES, minutes=10, conversations=20_000, lr={"rows": 1.5e-3, "body": 1e-3}, cooldown=1.0,
        note="Gentle: half the learning rate, falling from the start.",
    ),
)  # fmt: skip

SPEECH = Plan(
    name="speech",
    folder="speech/model",
    stages=STAGES,
    grown=grown,
    conversations=conversations,
    config=TrainConfig(
        minutes=1, optimizer="muon", lr={"rows": 3e-3, "body": 2e-3}, schedule="trapezoid", cooldown=0.35, warmup=50,
        weight_decay=0.05,
    ),
    among="kind",
    weights={"text": 4.0},  # a sentence said has hundreds of codes, written down it has a dozen tokens
    rows=12,
    row_tokens=512,
    export=lambda model, out: model.fold().save(out),
    out=folder() / "model" / "exported",
)  # fmt: skip
