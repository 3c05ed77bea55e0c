"""The clips: what the teacher says, as Opus files and one line of a manifest each.

Written to ``cache_dir()/speech``: ``clips/*.opus`` (24 kHz mono), ``manifest.jsonl`` and ``ATTRIBUTION.md``. First come
the clips that test, then those of validation, then training clips in a random order of everything there is to say, so
that any number of them is a good training set. A clip exists with its line or does not exist: making them can be
stopped at any time and goes on where it stopped. Clip number i depends on the seed and on i only.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from random import Random

import numpy as np
from recipes.speech.phonemes import phonemes
from recipes.speech.teacher import RATE_HZ, Speaker
from recipes.speech.texts import Text, Texts
from recipes.speech.voices import LISTENING, SPEAKING, UNSEEN
from recipes.speech.words import NAME_QUESTIONS, REPLIES

from sensorium.files import atomic_file, cache_dir
from sensorium.types import InputError

SEED = "speech-1"  # another seed is another set of clips
TESTED, VALIDATED = 100, 60
TEST_ODDS = {"name": 0.3, "sentence": 0.35, "example": 0.35}
TEST_WORDS = 3
SPEAKING_SHARE = 0.45
SLOWEST, FASTEST = 0.85, 1.2
START = "start"
MAKE = "python -m recipes speech data"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A line of the manifest.

    Args:
        path: of the sound, beneath the manifest's folder.
        part: "test" (the speaking voice), "test-unseen" (voices that are not trained on, the same texts), "question"
            (a few questions and greetings, of which unseen voices are the test), "val", "train", "start" (clips that
            were brought along) or "robot" (see `recipes.speech.robots`).
        split: "train", "val" or "test".
        text, lang, kind, concept: what is said, see `Text`.
        voice, speed: who says it, how fast.
        phonemes: as the teacher was given them.
        seconds: how long it takes.
    """

    path: str
    part: str
    split: str
    text: str
    lang: str
    kind: str = ""
    concept: str = ""
    voice: str
    speed: float = 1.0
    phonemes: str
    seconds: float = 0.0


def folder() -> Path:
    """Where the clips and their manifest lie."""
    return cache_dir() / "speech"


def read_manifest(place: Path | None = None) -> list[Clip]:
    """The clips that exist; a line that is still being written is passed over.

    Raises:
        InputError: there is no manifest.
    """
    path = (place or folder()) / "manifest.jsonl"
    if not path.exists():
        raise InputError(f"there are no clips at {path.parent}; make them with `{MAKE}`")
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [Clip(**json.loads(line)) for line in lines if line]


def planned(texts: Texts) -> Iterator[Clip]:
    """All clips without their seconds, those of training without end."""
    spoken = list(_tested(texts))
    for number, text in enumerate(spoken):
        yield _clip(f"test-{number:03}", "test", text, SPEAKING)
    for number, text in enumerate(spoken):
        yield _clip(f"unseen-{number:03}", "test-unseen", text, UNSEEN[number % len(UNSEEN)])
    for number, (voice, text) in enumerate(_asked()):
        yield _clip(f"question-{number:03}", "question", text, voice)
    for number in range(VALIDATED):
        random = Random(f"{SEED}:val:{number}")
        yield _voiced(f"val-{number:03}", "val", texts.pick(random, "val"), random)
    for number in count():
        random = Random(f"{SEED}:train:{number}")
        yield _voiced(f"train-{number:06}", "train", texts.pick(random, "train"), random)


def make(texts: Texts, teacher: Speaker, hours: float, start: Path | None = None, say: Say = print) -> Path:
    """Make clips until there are ``hours`` of them, those that exist and those brought along included; the folder.

    Args:
        start: a folder with ``manifest.jsonl`` (file, lang, text, voice, seconds) and ``clips.tar`` or the files
            themselves: clips made before that are taken over for training.

    Raises:
        InputError: the texts' sources or the teacher are out of reach, or the disk is full.
    """
    place = folder()
    (place / "clips").mkdir(parents=True, exist_ok=True)
    manifest = place / "manifest.jsonl"
    if start is not None and not manifest.exists():
        say(f"{_take_over(start, texts)} clips brought along from {start}")
    there = read_manifest() if manifest.exists() else []
    done, began, made = {clip.path for clip in there}, time.time(), 0.0
    seconds = sum(clip.seconds for clip in there if not clip.voice.startswith("espeak:"))
    with manifest.open("a", encoding="utf-8") as lines:
        for clip in planned(texts):
            if seconds >= hours * 3600:
                break
            if clip.path not in done:
                clip = _spoken(clip, teacher, place)
                lines.write(json.dumps(asdict(clip), ensure_ascii=False) + "\n")
                lines.flush()
                made, seconds = made + clip.seconds, seconds + clip.seconds
                if clip.path.endswith("00.opus"):
                    pace = (time.time() - began) / made
                    say(f"{clip.path}: {seconds / 3600:.2f} h in all, {pace:.2f} s for a second of sound")
    return place


def _tested(texts: Texts) -> Iterable[Text]:
    """`TESTED` different texts of `TEST_WORDS` words or more."""
    found: dict[str, Text] = {}
    for number in count():
        text = texts.pick(Random(f"{SEED}:test:{number}"), "test", TEST_ODDS)
        if len(text.text.split()) >= TEST_WORDS:
            found.setdefault(text.text, text)
        if len(found) == TESTED:
            return found.values()
    raise AssertionError("count() does not end")


def _asked() -> Iterable[tuple[str, Text]]:
    """Questions and greetings, few and known: their test is in voices that are not trained on."""
    ways = [(said, language) for language, replies in REPLIES.items() for some in replies.values() for said in some]
    ways += [(said, language) for language, some in NAME_QUESTIONS.items() for said in some]
    for voice in (*UNSEEN, SPEAKING, *LISTENING):
        split = "test" if voice in UNSEEN else "train"
        yield from (
            (voice, Text(text=said, language=language, kind="question", split=split)) for said, language in ways
        )


def _voiced(name: str, part: str, text: Text, random: Random) -> Clip:
    """The speaking voice keeps its speed, since a model is to speak like it; the others vary."""
    if random.random() < SPEAKING_SHARE:
        return _clip(name, part, text, SPEAKING)
    voice = random.choice(LISTENING)
    return _clip(name, part, text, voice, round(random.uniform(SLOWEST, FASTEST), 2))


def _clip(name: str, part: str, text: Text, voice: str, speed: float = 1.0) -> Clip:
    return Clip(
        path=f"clips/{name}.opus",
        part=part,
        split=text.split,
        text=text.text,
        lang=text.language,
        kind=text.kind,
        concept=text.concept,
        voice=voice,
        speed=speed,
        phonemes="",
    )


def _spoken(clip: Clip, teacher: Speaker, place: Path) -> Clip:
    ipa = phonemes(clip.text, clip.lang)
    samples = teacher(ipa, clip.voice, clip.speed)
    write_sound(place / clip.path, samples)
    return replace(clip, phonemes=ipa, seconds=round(len(samples) / RATE_HZ, 3))


def write_sound(path: Path, samples: np.ndarray) -> None:
    """Opus at about 40 kbit/s, whole or not at all.

    Args:
        samples: (samples,) float32 at `RATE_HZ`.
    """
    import soundfile

    with atomic_file(path) as out:
        soundfile.write(out, samples, RATE_HZ, format="OGG", subtype="OPUS", compression_level=0.8)


def _take_over(start: Path, texts: Texts) -> int:
    """Clips made before: trained on, unless they speak of a held-out concept or say what a test says."""
    if not (start / "manifest.jsonl").exists():
        raise InputError(f"{start} holds no manifest.jsonl; name a folder of clips made before")
    place, kept = folder(), []
    tested = {text.text.lower() for text in _tested(texts)}
    archive = start / "clips.tar"
    if archive.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(place / START, filter="data")
    for line in (start / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        held_out = texts.held_out_in(one["text"])
        sound = (place / START if archive.exists() else start) / one["file"]
        if one["text"].lower() in tested or held_out or one["voice"] in UNSEEN:
            continue
        path = place / "clips" / f"{START}-{one['file']}"
        shutil.copyfile(sound, path)
        kept.append(
            Clip(
                path=f"clips/{path.name}",
                part=START,
                split="train",
                text=one["text"],
                lang=one["lang"],
                voice=one["voice"],
                phonemes=phonemes(one["text"], one["lang"]),
                seconds=one["seconds"],
            )
        )
    with atomic_file(place / "manifest.jsonl") as out:
        out.write_text("".join(json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in kept), encoding="utf-8")
    shutil.rmtree(place / START, ignore_errors=True)
    return len(kept)
