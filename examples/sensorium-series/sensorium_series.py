"""Sensor series as a modality of its own: an outside package, one file, two entry points.

A series is an array (time, channels) of floats, e.g. an accelerometer's three axes. The codec clips each channel
to a range and cuts the range into even bins; a frame holds one code per channel. Nothing is trained.
"""

from __future__ import annotations

import io
from base64 import b64decode
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from sensorium.codecs import Codec, Facts
from sensorium.files import atomic_file
from sensorium.modalities import Modality
from sensorium.types import InputError


class Series(Modality):
    """Series (time, channels) float32, from arrays and comma-separated files."""

    name = "series"
    extensions = (".csv",)
    media_types = ("text/csv",)

    def open(self, source: Any) -> np.ndarray:
        where = str(source)[:80] if isinstance(source, (str, PathLike)) else "the series"
        try:
            if isinstance(source, str) and source.startswith("data:"):
                source = b64decode(source.partition(",")[2], validate=True)
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            rows = file if isinstance(file, np.ndarray) else np.loadtxt(file, delimiter=",", ndmin=2)
        except (OSError, TypeError, ValueError) as error:
            raise InputError(f"{where} is not a series of comma-separated numbers: {error}") from error
        if rows.ndim != 2 or rows.size == 0 or not np.isfinite(rows).all():
            raise InputError(f"{where} must have the shape (time, channels) and finite numbers, not {rows.shape}")
        return rows.astype(np.float32)

    def save(self, array: np.ndarray, path: str | PathLike[str]) -> None:
        with atomic_file(path) as temporary:
            np.savetxt(temporary, array, delimiter=",", fmt="%.6g")

    def to_bytes(self, array: np.ndarray) -> bytes:
        return "\n".join(",".join(f"{value:.6g}" for value in row) for row in array).encode()

    def preview(self, array: np.ndarray, size_px: int = 256) -> np.ndarray:
        """Each channel as a line from left to right."""
        picture = np.full((size_px // 2, size_px, 3), 255, np.uint8)
        low, high = float(array.min()), float(array.max())
        columns = np.linspace(0, len(array) - 1, size_px).round().astype(int)
        heights = (array[columns] - low) / max(high - low, 1e-9) * (picture.shape[0] - 1)
        for channel in range(array.shape[1]):
            colour = np.roll([200, 60, 20], channel)
            picture[picture.shape[0] - 1 - heights[:, channel].astype(int), np.arange(size_px)] = colour
        return picture

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """Root of the mean squared difference over the time that both cover."""
        length = min(len(a), len(b))
        return float(np.sqrt(np.mean((a[:length] - b[:length]) ** 2))) + abs(len(a) - len(b)) / max(len(a), len(b))


class UniformSeries(Codec):
    """Even bins per channel, variable length.

    Args:
        low, high: range of each channel; values beyond are clipped.
        bins: codes per channel.
        max_frames: longest series.
    """

    family = "uniform-series"

    def __init__(self, low: Sequence[float], high: Sequence[float], bins: int = 64, max_frames: int = 200):
        self.low, self.high = np.array(low, np.float32), np.array(high, np.float32)
        self.bins = bins
        sizes = (bins,) * len(self.low)
        self.facts = Facts(name="series", modality="series", codebook_sizes=sizes, max_frames=max_frames)

    def encode(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._encode(array) for array in arrays]

    def _encode(self, array: np.ndarray) -> np.ndarray:
        most = self.facts.max_frames
        if array.ndim != 2 or array.shape[1] != len(self.low) or not 1 <= len(array) <= most:
            raise InputError(f"codec 'series' takes 1 to {most} frames of {len(self.low)} channels, not {array.shape}")
        unit = (array - self.low) / (self.high - self.low)
        return (unit * self.bins).clip(0, self.bins - 1).astype(np.int64)

    def decode(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._decode(self.check_codes(one)) for one in codes]

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        return (self.low + (codes + 0.5) / self.bins * (self.high - self.low)).astype(np.float32)

    def features(self, codebook: int) -> np.ndarray:
        """Smooth bumps along the range, so that neighbouring bins are alike."""
        centres, bins = np.linspace(0, 1, 16), (np.arange(self.bins) + 0.5) / self.bins
        return np.exp(-(((bins[:, None] - centres) * 16) ** 2)).astype(np.float32)

    def config(self) -> dict[str, Any]:
        return {
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "bins": self.bins,
            "max_frames": self.facts.max_frames,
        }

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> UniformSeries:
        return cls(**config)


series = Series()
