"""Sounds that hurt whoever opens them, and small ones that do not."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile

KINDS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def tone(seconds: float = 0.5, rate_hz: int = 16000, pitch_hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    """(samples,) float32."""
    return (level * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def encoded(kind: str, samples: np.ndarray | None = None, rate_hz: int = 16000) -> bytes:
    format_, subtype = KINDS[kind]
    buffer = io.BytesIO()
    soundfile.write(buffer, tone() if samples is None else samples, rate_hz, format=format_, subtype=subtype)
    return buffer.getvalue()


def wav(
    data: bytes, rate_hz: int = 16000, channels: int = 1, bits: int = 16, tag: int = 1, claimed: int | None = None
) -> bytes:
    """A WAVE file as its header's numbers say it, true or not."""
    step = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * step, step, bits)
    size = len(data) if claimed is None else claimed
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(len(body), 2**32 - 1)) + body


def long_flac(seconds: int, rate_hz: int = 48000) -> bytes:
    """Silence: a second takes some hundred bytes."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate_hz, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(seconds):
            file.write(np.zeros(rate_hz, np.float32))
    return buffer.getvalue()
