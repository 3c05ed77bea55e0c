"""A soundfont of one tone, as small as the format allows (SoundFont 2.04, section 7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

RATE_HZ = 22050
ROOT = 60
ROOT_HZ = 261.63


def soundfont(presets: Sequence[tuple[int, int]], level: float = 0.5) -> bytes:
    """With presets (bank, program) that all play one looped tone, middle C at key 60."""
    period = RATE_HZ / ROOT_HZ
    samples = round(20 * period)
    tone = level * np.sin(2 * np.pi * np.arange(samples) / (samples / 20))
    pcm = np.concatenate([tone, np.zeros(46)])
    headers = b"".join(
        struct.pack("<20sHHHIII", b"tone", program, bank, number, 0, 0, 0)
        for number, (bank, program) in enumerate(presets)
    ) + struct.pack("<20sHHHIII", b"EOP", 0, 0, len(presets), 0, 0, 0)
    every = range(len(presets) + 1)
    tables = {
        "phdr": headers,
        "pbag": b"".join(struct.pack("<HH", number, 0) for number in every),
        "pmod": bytes(10),
        "pgen": b"".join(struct.pack("<HH", 41, 0) for _ in presets) + bytes(4),  # 41: plays instrument 0
        "inst": struct.pack("<20sH", b"tone", 0) + struct.pack("<20sH", b"EOI", 1),
        "ibag": struct.pack("<HHHH", 0, 0, 2, 0),
        "imod": bytes(10),
        "igen": struct.pack("<HHHH", 54, 1, 53, 0) + bytes(4),  # 54: loops; 53: sample 0
        "shdr": struct.pack("<20sIIIIIBbHH", b"tone", 0, samples, 0, samples, RATE_HZ, ROOT, 0, 0, 1)
        + struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    parts = [
        _listed("INFO", {"ifil": struct.pack("<HH", 2, 4), "isng": b"EMU8000\0", "INAM": b"tone\0\0"}),
        _listed("sdta", {"smpl": np.round(32767 * pcm).astype("<i2").tobytes()}),
        _listed("pdta", tables),
    ]
    return _chunk("RIFF", b"sfbk" + b"".join(parts))


def _listed(name: str, chunks: dict[str, bytes]) -> bytes:
    return _chunk("LIST", name.encode() + b"".join(_chunk(key, value) for key, value in chunks.items()))


def _chunk(name: str, data: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
