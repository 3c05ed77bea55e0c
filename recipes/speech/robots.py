"""Clips in the voices of espeak-ng: plain and many, so that what listens learns words that the teacher never said.

They cost a hundredth of the teacher's, but sound like machines: they are listened to, never spoken like, never a test.
Every clip depends on the seed and its number only, and stands in the manifest beside the teacher's.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path
from random import Random

import numpy as np
from recipes.speech.clips import SEED, Clip, read_manifest, write_sound
from recipes.speech.phonemes import phonemes
from recipes.speech.teacher import RATE_HZ, tidied
from recipes.speech.texts import Texts

from sensorium.types import InputError

PART = "robot"
VOICES = {"en": ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp"), "es": ("es", "es-419")}
VARIANTS = ("", *(f"+m{number}" for number in range(1, 8)), *(f"+f{number}" for number in range(1, 6)))
WORDS_A_MINUTE, PITCH = (120, 190), (20, 80)


def make_robots(texts: Texts, hours: float, place: Path, say: Callable[[str], None] = print) -> None:
    """Make clips until there are ``hours`` of them, those that exist included.

    Raises:
        InputError: espeak-ng is missing.
    """
    there = [clip for clip in read_manifest(place) if clip.part == PART]
    done, seconds = {clip.path for clip in there}, sum(clip.seconds for clip in there)
    with (place / "manifest.jsonl").open("a", encoding="utf-8") as lines:
        for number in count():
            if seconds >= hours * 3600:
                break
            path = f"clips/{PART}-{number:06}.opus"
            if path not in done:
                clip = _made(path, texts, Random(f"{SEED}:{PART}:{number}"), place)
                lines.write(json.dumps(asdict(clip), ensure_ascii=False) + "\n")
                seconds += clip.seconds
    say(f"{seconds / 3600:.2f} h in the voices of espeak-ng")


def _made(path: str, texts: Texts, random: Random, place: Path) -> Clip:
    text = texts.pick(random, "train")
    voice = random.choice(VOICES[text.language]) + random.choice(VARIANTS)
    samples = said(text.text, voice, random.randint(*WORDS_A_MINUTE), random.randint(*PITCH))
    write_sound(place / path, samples)
    return Clip(
        path=path,
        part=PART,
        split=text.split,
        text=text.text,
        lang=text.language,
        kind=text.kind,
        concept=text.concept,
        voice=f"espeak:{voice}",
        phonemes=phonemes(text.text, text.language),
        seconds=round(len(samples) / RATE_HZ, 3),
    )


def said(text: str, voice: str, words_a_minute: int, pitch: int) -> np.ndarray:
    """Samples (samples,) float32 at the teacher's rate.

    Raises:
        InputError: espeak-ng is missing.
    """
    import soundfile
    import soxr

    if shutil.which("espeak-ng") is None:
        raise InputError("the program espeak-ng is needed; install it and run again")
    command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(words_a_minute), "-p", str(pitch), "--", text]
    wave = bytearray(subprocess.run(command, capture_output=True, check=True).stdout)
    wave[4:8] = (len(wave) - 8).to_bytes(4, "little")  # it says nothing of its length, as it writes to a pipe
    wave[40:44] = (len(wave) - 44).to_bytes(4, "little")
    samples, rate_hz = soundfile.read(io.BytesIO(bytes(wave)), dtype="float32")
    return tidied(soxr.resample(samples, rate_hz, RATE_HZ))
