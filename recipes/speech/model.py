"""The codecs, one that reads and one that writes, and the models `listen` and `speech`.

``python -m recipes speech codec audio-read train``, ``... encode``, then ``train listen``: a small Llama trained from
nothing to write down, name and translate what it hears. ``codec audio train``, ``... encode`` and ``train speech``: it
goes on, and learns to speak. A model of all senses takes `makers` and `coded` into its own stages.
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
from recipes.speech.ear import ear
from recipes.speech.robots import PART
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
from sensorium.model.fresh import fresh_base, kept_tokenizer
from sensorium.recipe import Learner, Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.recipe.makers import Maker
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError, Signal

WRITER, READER = "audio", "audio-read"
PLAYED = (0.77, 1.3)
"""How much faster copies are played."""
TEXT_TOKENS, TEXTS = 700, 4000


def media(clips: Sequence[Clip]) -> Media:
    """Clips as the codec that writes learns from them: each once more, played faster or slower, which makes it higher
    or lower, as shorter and taller speakers are."""

    def sounds() -> Iterator[tuple[Signal, str]]:
        for clip in clips:
            sound = read_sound(folder() / clip.path)
            faster = Random(clip.path).uniform(*PLAYED)
            yield sound, ""
            yield Signal(at_rate(sound, round((sound.rate_hz or 0) / faster)).array, sound.rate_hz), ""

    return Media(sounds)


def told(clips: Sequence[Clip]) -> Media:
    """All views of clips with what is said, as it is scored: what the codec that reads learns to spell."""

    def named() -> Iterator[tuple[Signal, str]]:
        for clip in clips:
            yield from ((coded.seen(clip, view), tasks.transcript(clip)) for view in range(views(clip)))

    return Media(named)


def views(clip: Clip) -> int:
    """In how many views a clip is read: of the teacher two, of the plain voices, which are many, one."""
    return 1 if clip.part == PART else 2


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
        how: dict[str, Any] = {"minutes": minutes, "checkpoint": place / "state.safetensors"}
        how |= {"name": name, "modality": "audio"}
        if name == WRITER:
            codec = learn_codec("mel", media(clips), use="write", **how)
        else:
            codec = learn_codec("whisper", told(clips), ear=ear(), **how)
        codec.save(place / "codec")

    def encode() -> None:
        coded.encode(trained_codec(name), trained_on(name), codes_file(name), views if name == READER else lambda _: 1)

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
def known(spoken: bool = True) -> Coded:
    """The codes of all clips that were encoded.

    Args:
        spoken: those to be written, too.
    """
    read, written = (
        coded.read_coded(trained_codec(name), codes_file(name), f"python -m recipes speech codec {name} encode")
        if spoken or name == READER
        else {}
        for name in (READER, WRITER)
    )
    return Coded(reader=READER, writer=WRITER, read=read, written=written)


def makers(spoken: Spoken) -> dict[str, Maker]:
    """The tasks, ready to be mixed, also with those of other recipes."""
    return {name: partial(make, spoken) for name, make in tasks.TASKS.items()}


@cache
def clips(spoken: bool = True) -> Spoken:
    """The training clips that were encoded."""
    codes = known(spoken)
    own = {clip.path for clip in read_manifest() if clip.voice == SPEAKING} if codes.written else set()
    found = [clip for clip in codes.known(read_manifest()) if clip.path in codes.written or clip.path not in own]
    return Spoken(found, emoji_names(fetch(EMOJI_NAMES)))


def conversations(stage: Stage, first: int, spoken: bool = True) -> Iterator[Conversation]:
    """Those of a stage, with codes."""
    codes = known(spoken)
    made = mixed(makers(clips(spoken)), stage.shares, stage.conversations, 0, first)
    for index, conversation in enumerate(made, start=first):
        yield codes.fill(conversation, Random(f"0:codes:{index}"))


def texts() -> list[str]:
    """What the tokenizer is learned from."""
    some = mixed(makers(clips(spoken=False)), LISTENING, TEXTS, 0)
    return [part.data for one in some for part in one.parts() if part.is_text]


def fresh(start: str) -> Grown:
    """A small body that reads; few tokens of text, since words that were never heard are spelled."""
    tokenizer = kept_tokenizer(folder() / "listen" / "tokenizer", texts, TEXT_TOKENS)
    base = fresh_base(tokenizer, hidden=192, layers=6, heads=6, intermediate=512)
    return grow(base, [trained_codec(READER)], learn="full")


def grown(start: str) -> Grown:
    """A model that knows words, with both codecs; all of it trains."""
    return grow(Model.load(start), [trained_codec(READER), trained_codec(WRITER)], learn="full")


LISTENING = {name: share for name, share in tasks.SHARES.items() if name not in tasks.SPEAKING_TASKS}
CONFIG = TrainConfig(
    minutes=1, optimizer="muon", lr={"rows": 3e-3, "body": 2e-3}, schedule="trapezoid", cooldown=0.4, warmup=50,
    weight_decay=0.05,
)  # fmt: skip

LISTEN = Plan(
    name="listen",
    folder="speech/listen",
    stages=[Stage(shares=LISTENING, minutes=40, conversations=80_000)],
    grown=fresh,
    conversations=partial(conversations, spoken=False),
    config=CONFIG,
    among="kind",
    weights={"text": 1.0},
    rows=16,
    row_tokens=256,
    export=lambda model, out: model.fold().save(out),
    out=folder() / "listen" / "exported",
)
SPEECH = Plan(
    name="speech",
    folder="speech/model",
    stages=[
        Stage(
            start="nano", shares=LISTENING | {name: 2 * tasks.SHARES[name] for name in tasks.SPEAKING_TASKS},
            minutes=60, conversations=60_000, note="Mostly speaking.",
        ),
        Stage(
            shares=tasks.SHARES, minutes=10, conversations=20_000, lr={"rows": 1.5e-3, "body": 1e-3}, cooldown=1.0,
            note="Gentle: half the learning rate, falling from the start.",
        ),
    ],
    grown=grown,
    conversations=conversations,
    config=CONFIG,
    among="kind",
    weights={"text": 4.0},  # a sentence said has hundreds of codes, written down it has a dozen tokens
    rows=12,
    row_tokens=512,
    export=lambda model, out: model.fold().save(out),
    out=folder() / "model" / "exported",
)  # fmt: skip
