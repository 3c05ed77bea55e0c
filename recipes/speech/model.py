"""The codecs of speech, and the model `talk`, which writes down what it hears, names it, translates it, and speaks.

``python -m recipes speech codec audio-read train`` learns to read; ``codec audio train`` gives the same codes a voice;
``codec audio encode`` and ``train talk`` follow. `mel` is another codec that writes speech, for any voice. A model of
all senses takes `makers` and `coded` into its own stages.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from recipes.speech import coded, human, tasks
from recipes.speech.clips import Clip, folder, read_manifest
from recipes.speech.coded import Coded
from recipes.speech.ear import ear, with_ear
from recipes.speech.errors import counted, rate_of
from recipes.speech.robots import PART
from recipes.speech.sound import at_rate, read_sound
from recipes.speech.sources import EMOJI_NAMES
from recipes.speech.spelled import WORDS, in_pieces, pronounced, with_hearing, written
from recipes.speech.tasks import Spoken
from recipes.speech.texts import emoji_names
from recipes.speech.voices import SPEAKING

from sensorium.codecs import Codec, Media, load_codec
from sensorium.data.fetch import fetch
from sensorium.data.table import grouped
from sensorium.device import computing
from sensorium.files import atomic_folder
from sensorium.learning.learn import learn_codec, learning
from sensorium.learning.report import codec_row, table
from sensorium.model import Grown, grow
from sensorium.model.fresh import fresh_base, kept_tokenizer
from sensorium.recipe import Learner, Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.recipe.makers import Maker
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError, Signal

READER, SPEAKER, MEL = "audio-read", "audio", "mel"
PLAYED = (0.77, 1.3)
"""How much faster copies are played."""
TEXT_TOKENS, TEXTS = 700, 4000
WARMTH = 0.5
"""Temperature at which it speaks."""
KEPT = Path(__file__).with_name("weights") / SPEAKER


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


def trained_on() -> list[Clip]:
    return [clip for clip in read_manifest() if clip.split == "train"]


def learner(name: str) -> Learner:
    """How a codec is trained, encodes the clips, and is measured."""
    place = folder() / "codecs" / name

    def train(minutes: float, start: str = "") -> None:
        if start:
            raise InputError(f"{name} starts from fresh weights or its own checkpoint; leave --start out")
        how: dict[str, Any] = {"minutes": minutes, "checkpoint": place / "state.safetensors"}
        _trained(name, how).save(place / "codec")

    def report(out: Path) -> None:
        codec: Any = trained_codec(name)
        held_out = [read_sound(folder() / clip.path) for clip in read_manifest() if clip.part == "test"]
        print(table([codec_row(codec, held_out)]))
        if name != MEL:
            _spelled(codec)
        if name == WORDS:
            print("heard with all of Whisper base:")
            _spelled(written(codec))

    def encode() -> None:
        codec: Any = trained_codec(name)
        with computing("auto", codec.device):  # a code at the border of two may be the other one
            coded.encode(codec, trained_on(), codes_file(name), views)

    return Learner(train=train, minutes=60, report=report, encode=encode if name in (SPEAKER, WORDS) else None)


def _spelled(codec: Any) -> None:
    """Print how many letters are wrong that the codec's own network spells, of held-out clips and of people."""
    clips = [clip for clip in read_manifest() if clip.part in ("test", "test-unseen")]
    sets = grouped(clips, lambda clip: f"{clip.part}, {clip.lang}").items()
    heard = {name: [(read_sound(folder() / one.path), one.text, one.lang) for one in some] for name, some in sets}
    heard["people, en"] = [(read_sound(one.path), one.text, "en") for one in human.sentences(100, 0)]
    for name, some in heard.items():
        sounds, texts, languages = zip(*some, strict=True)
        began = time.process_time()
        codes = codec.encode(sounds)
        pace = sum(len(one.array) / (one.rate_hz or 1) for one in sounds) / (time.process_time() - began)
        wrong = rate_of(*counted(texts, codec.spell(codes), "letters", languages))
        print(f"letters spelled wrong, {name}: {wrong}; {pace:.1f} s heard in a second of a core")


def _trained(name: str, how: Mapping[str, Any]) -> Codec:
    clips = trained_on()
    if name == READER:
        return learn_codec("whisper", told(clips), ear=ear(), modality="audio", name=name, **how)
    if name == MEL:
        return learn_codec("mel", media(clips), modality="audio", name=name, **how)
    spoken = [clip for clip in clips if clip.voice == SPEAKING]
    own = Media(lambda: ((read_sound(folder() / clip.path), tasks.transcript(clip)) for clip in spoken))
    if name == WORDS:
        hearing: Any = trained_codec(SPEAKER)
        return in_pieces(hearing).with_voice(own, learning(**how), pronounced(spoken))
    reader: Any = trained_codec(READER)
    return reader.with_voice(own, learning(**how), name=name)


def trained_codec(name: str) -> Codec:
    """The codec that was trained here, else the one that lies with the recipe.

    Raises:
        InputError: there is neither.
    """
    place = folder() / "codecs" / name / "codec"
    if place.is_dir():
        return load_codec(place)
    if name == SPEAKER:
        return with_ear(KEPT)
    if name == WORDS:
        hearing: Any = trained_codec(SPEAKER)
        return with_hearing(hearing)
    raise InputError(f"the codec {name} is not trained yet; run `python -m recipes speech codec {name} train`")


def kept(out: Path) -> Path:
    """Put together the model `talk` that lies with the recipe: its codec needs the encoder, which is fetched."""
    with atomic_folder(out) as fresh:
        shutil.copytree(KEPT.with_name("talk"), fresh, dirs_exist_ok=True)
        with_ear(KEPT).save(fresh / "codecs" / SPEAKER)
    return out


def codes_file(name: str = SPEAKER) -> Path:
    return folder() / "codecs" / name / "clips.npz"


@cache
def known() -> Coded:
    """The codes of all clips that were encoded: as they are heard in any view, and said as they are."""
    read = coded.read_coded(trained_codec(SPEAKER), codes_file(), f"python -m recipes speech codec {SPEAKER} encode")
    return Coded(reader=SPEAKER, writer=SPEAKER, read=read, written={path: codes[:1] for path, codes in read.items()})


def makers(spoken: Spoken) -> dict[str, Maker]:
    """The tasks, ready to be mixed, also with those of other recipes."""
    return {name: partial(make, spoken) for name, make in tasks.TASKS.items()}


@cache
def clips() -> Spoken:
    """The training clips that were encoded; since codes do not tell voices, all may be said."""
    return Spoken(known().known(read_manifest()), emoji_names(fetch(EMOJI_NAMES)), any_voice=True)


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    """Those of a stage, with codes."""
    made = mixed(makers(clips()), stage.shares, stage.conversations, 0, first)
    for index, conversation in enumerate(made, start=first):
        yield known().fill(conversation, Random(f"0:codes:{index}"))


def texts() -> list[str]:
    """What the tokenizer is learned from."""
    some = mixed(makers(clips()), tasks.SHARES, TEXTS, 0)
    return [part.data for one in some for part in one.parts() if part.is_text]


def grown(start: str) -> Grown:
    """A small body; few tokens of text, since words that were never heard are spelled."""
    tokenizer = kept_tokenizer(folder() / "talk" / "tokenizer", texts, TEXT_TOKENS)
    base = fresh_base(tokenizer, hidden=192, layers=6, heads=6, intermediate=512)
    return grow(base, [trained_codec(SPEAKER)], learn="full")


def export(model: Grown, out: Path) -> Path:
    whole = model.fold()
    whole.senses = replace(whole.senses, sampling={"audio": {"temperature": WARMTH}})
    return whole.save(out)


TALK = Plan(
    name="talk",
    folder="speech/talk",
    stages=[
        Stage(shares=tasks.SHARES, minutes=32, conversations=80_000),
        Stage(shares={**tasks.SHARES, "write": 0.7}, minutes=20, conversations=40_000, cooldown=0.7),
    ],
    grown=grown,
    conversations=conversations,
    config=TrainConfig(
        minutes=1, optimizer="muon", lr={"rows": 3e-3, "body": 2e-3}, schedule="trapezoid", cooldown=0.4, warmup=50,
        weight_decay=0.05,
    ),
    among="kind",
    weights={"text": 3.0},  # a sentence has a hundred codes, written down it has a dozen tokens
    rows=16,
    row_tokens=256,
    export=export,
    out=folder() / "talk" / "exported",
)  # fmt: skip
