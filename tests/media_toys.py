"""Made-up modalities over one, two and three axes, for tests of codec families: files are npz with what they mean."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from sensorium import plugins
from sensorium.modalities import Modality, Wish
from sensorium.types import InputError, Signal


class Cells(Modality):
    """Arrays (rows, ..., channels) of one type of numbers."""

    media_types = ("application/x-cells",)

    def __init__(self, name: str, axes: int, dtype: str):
        self.name, self.axes, self.dtype = name, axes, np.dtype(dtype)  # type: ignore[misc]
        self.extensions = (f".{name}",)  # type: ignore[misc]

    def read(self, data: bytes, where: str, wish: Wish) -> Signal:
        try:
            with np.load(io.BytesIO(data)) as file:
                return self.check(Signal.of(file["array"], json.loads(str(file["meta"]))))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{where} holds no {self.name} ({error}); save it again") from error

    def check(self, signal: Signal) -> Signal:
        array = np.asarray(signal.array)
        if array.ndim != self.axes + 1 or array.dtype != self.dtype or not array.size:
            raise InputError(f"{self.name} has {self.axes} axes and channels, not {array.dtype} {array.shape}")
        return signal

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        if wish.channels not in (None, signal.array.shape[-1]):
            raise InputError(f"{wish.channels} channels are needed, not {signal.array.shape[-1]}")
        return signal

    def write(self, signal: Signal, media_type: str) -> bytes:
        file = io.BytesIO()
        np.savez(file, array=signal.array, meta=json.dumps(signal.meta()))
        return file.getvalue()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        flat = signal.array.reshape(len(signal.array), -1)[:size_px, :size_px].astype(float)
        grey = ((flat - flat.min()) / max(np.ptp(flat), 1e-9) * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        a, b = (one.array.astype(float) for one in (original, other))
        rows = min(len(a), len(b))
        return {"error": float(np.abs(a[:rows] - b[:rows]).mean()), "rows": len(b) / len(a)}


KINDS = {
    "waves": Cells("waves", 1, "float32"),
    "bands": Cells("bands", 2, "float32"),
    "heat": Cells("heat", 2, "float32"),
    "clips": Cells("clips", 3, "uint8"),
}


@contextmanager
def known() -> Iterator[None]:
    """The modalities are registered while the block runs."""
    for name, kind in KINDS.items():
        plugins.register(plugins.MODALITIES, name, kind)
    try:
        yield
    finally:
        for name in KINDS:
            plugins.unregister(plugins.MODALITIES, name)


def waves(count: int, seed: int = 0, kinds: Sequence[str] = ("slow", "quick")) -> list[Signal]:
    """Two channels of sines in noise, of different lengths, levels and sizes; slow and quick ones in turn."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        rows = int(rng.integers(40, 90))
        speed = {"slow": 0.1, "quick": 0.9}[kinds[number % len(kinds)]]
        phase = rng.random(2) * 6
        wave = np.sin(np.arange(rows)[:, None] * speed + phase) + rng.normal(0, 0.05, (rows, 2))
        scaled = wave * np.exp(rng.normal(0, 1, 2)) + rng.normal(0, 30, 2)
        found.append(Signal(scaled.astype(np.float32), rate_hz=100.0, channels=("x", "y"), units=("g", "g")))
    return found


def bands(count: int, seed: int = 0) -> list[Signal]:
    """Eight bands through which a slow swell runs."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        row, band = np.mgrid[: int(rng.integers(10, 30)), :8]
        array = np.sin(row * 0.3 + band * 0.5 + rng.random() * 6)
        found.append(Signal(array[..., None].astype(np.float32), rate_hz=50.0))
    return found


def heat(count: int, seed: int = 0) -> list[Signal]:
    """A warm spot on a square of 16."""
    rng, (y, x) = np.random.default_rng(seed), np.mgrid[:16, :16]
    centres = rng.integers(3, 13, (count, 2))
    spots = [20 + 5 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for a, b in centres]
    return [Signal(spot[..., None].astype(np.float32)) for spot in spots]


def clips(count: int, seed: int = 0) -> list[Signal]:
    """A box that moves over a white square of 16, of different lengths."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        clip = np.full((int(rng.integers(5, 12)), 16, 16, 3), 255, np.uint8)
        colour, left = rng.integers(0, 200, 3), int(rng.integers(0, 5))
        for at, picture in enumerate(clip):
            picture[4:10, left + at // 2 : left + at // 2 + 6] = colour
        found.append(Signal(clip, rate_hz=10.0))
    return found


MAKE = {"waves": waves, "bands": bands, "heat": heat, "clips": clips}
