"""Training a rival on the loop that all of Sensorium trains on, and what is known of it afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from recipes.pictograms.concepts import Concepts, Gallery, load_pictures
from recipes.pictograms.reading import reading_codec
from recipes.pictograms.words import learned
from recipes.rivals.codes import Codes
from recipes.rivals.connector import Connector
from recipes.rivals.heard import Ear, HeardClips, heard
from recipes.rivals.late import Late
from recipes.rivals.lessons import Lessons, PictureLessons
from recipes.rivals.rival import Rival
from recipes.rivals.series import Samples, Scores, series_lessons
from recipes.rivals.shared import Shared
from recipes.rivals.speech import SpectraOfClips, speech_lessons
from recipes.sensors.series import media
from recipes.sensors.sets import SETS, half
from recipes.smol.base import smol_base
from recipes.speech.clips import folder
from recipes.speech.model import SPEAKER, trained_codec, trained_on
from recipes.speech.sources import EMOJI_NAMES
from recipes.speech.tasks import Spoken
from recipes.speech.texts import emoji_names
from torch import Tensor

from sensorium.codecs import load_codec
from sensorium.data.fetch import fetch
from sensorium.device import device_of, format_of
from sensorium.families.lexical import LexicalCodec
from sensorium.families.whisper import WhisperCodec
from sensorium.files import atomic_file, cache_dir
from sensorium.learning.training import trained_net
from sensorium.model import load_base
from sensorium.model.fresh import kept_tokenizer
from sensorium.recipe import Learner
from sensorium.training import Drawn, Terms, TrainConfig, checkpoint, fit
from sensorium.training.frozen import held_in
from sensorium.training.loop import CHECKPOINTS
from sensorium.training.trainee import NetTrainee
from sensorium.types import InputError

TEXT_TOKENS = 2000
FACTS = "facts.json"
NEAR_BATCH = 64
LEAST = 1e-3
"""Minutes of what has had its time."""
"""Of what a rival learns first."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is known of a rival once it is trained.

    Args:
        base: name of the language model it was given, "" for its own.
        trained, frozen: numbers of parameters.
        peak_gb: most memory in use while training: of the GPU, or of the whole process.
        tokens: see `Rival`.
        text: whether the language model's weights are as they were; "none" where it writes no text.
        learned: digest of the texts of the lessons, which tell what its numbers mean.
    """

    base: str
    trained: int
    frozen: int
    steps: int
    batch: int
    minutes: float
    peak_gb: float
    device: str
    tokens: Mapping[str, int]
    text: str
    learned: str


def home() -> Path:
    """Where the rivals lie, each in a folder of its name."""
    return cache_dir() / "rivals"


@cache
def pictures() -> Lessons:
    return Lessons(PictureLessons(Gallery()))


@cache
def everything() -> Lessons:
    """Pictures, samples of series, and spectra of speech."""
    series = Samples([one for source in SETS for one in half(source.name, "train")])
    said = spoken()
    speech = speech_lessons(SpectraOfClips(said.clips, folder()), said)
    return Lessons(PictureLessons(Gallery()), {"series": series_lessons(series), "audio": speech})


@cache
def encoded() -> Lessons:
    """The same, but what frozen encoders make of series and speech."""
    said, codec = spoken(), trained_codec(SPEAKER)
    assert isinstance(codec, WhisperCodec)
    ear = Ear(codec)
    speech = speech_lessons(HeardClips(heard(said.clips, ear, home() / "heard.npz"), ear), said)
    return Lessons(PictureLessons(Gallery()), {"series": series_lessons(Scores(media(True))), "audio": speech})


def spoken() -> Spoken:
    return Spoken(trained_on(), emoji_names(fetch(EMOJI_NAMES)))


def tokenizer(lessons: Lessons, name: str) -> Any:
    """Byte-level BPE, learned from what is asked, answered and told."""
    texts = [*lessons.questions, *(f" {answer}" for answer in lessons.answers)]
    return kept_tokenizer(home() / name / "tokenizer", lambda: texts * 2, TEXT_TOKENS)


def connector(lessons: Lessons, base: str) -> Rival:
    return Connector(lessons, reading_codec(), load_base(base) if base else smol_base())


def codes(lessons: Lessons, base: str) -> Rival:
    return Codes(lessons, names_codec(), load_base(base) if base else smol_base())


def names_codec() -> LexicalCodec:
    """Pictures as names by what the other ways see as well: `image-read` alone."""
    place = home() / "codes" / "codec"
    if not place.exists():
        learned(Concepts(load_pictures()).emoji).save(place)
    codec = load_codec(place)
    assert isinstance(codec, LexicalCodec)
    return codec


def shared(lessons: Lessons, base: str) -> Rival:
    return Shared(lessons, tokenizer(lessons, "shared"))


def late(lessons: Lessons, base: str) -> Rival:
    return Late(lessons, reading_codec(), tokenizer(lessons, "late"))


WAYS: Mapping[str, tuple[Callable[[Lessons, str], Rival], Callable[[], Lessons]]] = {
    "codes": (codes, pictures),
    "connector": (connector, encoded),
    "shared": (shared, everything),
    "late": (late, encoded),
}
"""How each is made, from lessons and the name of a language model, and what it learns from."""


def train(name: str, minutes: float, base: str = "") -> None:
    """Train a rival for so many minutes in all, or go on.

    Args:
        base: a folder or Hub id of the language model of codes or connector; "" for that of the recipe's smol.

    Raises:
        InputError: it has no language model, but one was given, or it was begun on another.
    """
    make, lessons_of = WAYS[name]
    if base and name not in ("codes", "connector"):
        raise InputError(f"{name} starts from no model; leave out --start")
    place = home() / name
    if (place / FACTS).exists() and facts(place).base != base:
        raise InputError(f"{name} was begun on another language model; say --start as then, or delete {place}")
    lessons = lessons_of()
    torch.manual_seed(0)
    taught(make(lessons, base), lessons, place, minutes, base=base)


def taught(
    rival: Rival, lessons: Lessons, place: Path, minutes: float, steps: int | None = None, base: str = ""
) -> Trained:
    """Train in place, and keep what is known in ``place``; the rival is then in eval mode on the CPU.

    Args:
        steps: instead of the minutes, so that it can be repeated exactly.

    Raises:
        InputError: a signal asked to stop before all of it had begun.
    """
    config = TrainConfig(
        minutes=None if steps else (1 - rival.near) * minutes, max_steps=steps, lr=rival.lr, schedule="linear",
        warmup=0.05, betas=(0.9, 0.98),
    )  # fmt: skip
    before, seconds = frozen_weights(rival), 0.0
    device = device_of("auto")
    with ExitStack() as stack:
        for part in rival.frozen:
            stack.enter_context(held_in(format_of(config.dtype, device), part))
        if rival.near:
            begun = checkpoint.is_any(place / CHECKPOINTS)  # then it was near enough
            first = replace(config, minutes=None if steps else LEAST if begun else rival.near * minutes)
            terms = Terms(lambda net, batch: net.near_terms(batch))
            nearer = fit(rival, Drawn(lessons.sample, NEAR_BATCH), first, place / "near", terms)
            print(nearer)
            if nearer.stopped == "signal":
                raise InputError("stopped before the end; the same command goes on from here")
            seconds = nearer.seconds
            config = replace(config, minutes=None if steps else max(minutes - seconds / 60, LEAST))
        terms = Terms(lambda net, batch: net.terms(batch))
        result = fit(rival, Drawn(lessons.sample, rival.batch), config, place, terms)
        print(result)
    rival.eval().to("cpu")
    known = Trained(
        base=base,
        trained=sum(one.numel() for one in rival.parameters()),
        frozen=sum(one.numel() for one in frozen_parameters(rival)),
        steps=result.steps,
        batch=rival.batch,
        minutes=(seconds + result.seconds) / 60,
        peak_gb=peak_gb(device),
        device=device.type,
        tokens=rival.tokens,
        text="none" if rival.language_model is None else "identical" if frozen_weights(rival) == before else "changed",
        learned=digest(lessons),
    )
    with atomic_file(place / FACTS) as path:
        path.write_text(json.dumps(asdict(known), indent=2) + "\n", encoding="utf-8")
    return known


def frozen_parameters(rival: Rival) -> list[Tensor]:
    return [one for part in rival.frozen for one in part.parameters() if not one.requires_grad]


def frozen_weights(rival: Rival) -> str:
    """A digest of all that must not change."""
    digest = hashlib.sha256()
    for one in frozen_parameters(rival):
        digest.update(one.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def facts(place: Path) -> Trained:
    """What is known of the rival in a folder.

    Raises:
        InputError: none was trained there.
    """
    if not (place / FACTS).exists():
        raise InputError(
            f"there is no trained rival in {place}; train it with `python -m recipes rivals train {place.name}`"
        )
    return Trained(**json.loads((place / FACTS).read_text(encoding="utf-8")))


def restored(rival: Rival, lessons: Lessons, place: Path) -> Rival:
    """A rival with the weights it was trained to, in eval mode.

    Raises:
        InputError: none was trained there, or it learned from other texts.
    """
    if facts(place).learned != digest(lessons):
        raise InputError(f"the rival in {place} learned from another table; delete that folder and train it again")
    NetTrainee(rival).load(trained_net(place))
    return rival.eval()


def load(name: str) -> Rival:
    """A trained rival by its name; see `restored`."""
    make, lessons_of = WAYS[name]
    return restored(make(lessons_of(), facts(home() / name).base), lessons_of(), home() / name)


def digest(lessons: Lessons) -> str:
    return hashlib.sha256("\n".join([*lessons.questions, *lessons.answers]).encode()).hexdigest()[:16]


def peak_gb(device: torch.device) -> float:
    """Most memory in use until now, in 1e9 bytes: of the GPU by this process, or of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts in KiB


def learner(name: str) -> Learner:
    return Learner(
        train=lambda minutes, start="": train(name, minutes, start),
        minutes=20,
        report=lambda out: print((home() / name / FACTS).read_text(encoding="utf-8")),
    )
