"""JPEG within a number of bits: what a codec of pictures is measured against."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

SIDES_64THS = (8, 16, 24, 32, 48, 64)
QUALITIES = (5, 10, 20, 30, 45, 60, 75, 90)


def best_jpeg(picture: np.ndarray, bits: float) -> tuple[np.ndarray, int]:
    """A picture (H, W, 3) as the best of all sizes and qualities restores it, and the bits that it takes.

    Headers and tables are not counted. A JPEG file of these few bits does not exist (its headers alone are larger),
    so this flatters JPEG.
    """
    full = Image.fromarray(picture)
    best, best_error, cost = np.full_like(picture, 255), np.inf, 0
    for side in SIDES_64THS:
        size = (max(1, picture.shape[1] * side // 64), max(1, picture.shape[0] * side // 64))
        small = full.resize(size, Image.Resampling.LANCZOS)
        for quality in QUALITIES:
            data = io.BytesIO()
            small.save(data, "JPEG", quality=quality, optimize=True)
            spent = 8 * _scan_bytes(data.getvalue())
            if spent > bits:
                break
            back = Image.open(data).convert("RGB").resize(full.size, Image.Resampling.BICUBIC)
            error = float(np.square(np.asarray(back).astype(float) - picture).mean())
            if error < best_error:
                best, best_error, cost = np.asarray(back), error, spent
    return best, cost


def _scan_bytes(jpeg: bytes) -> int:
    """Bytes of the entropy-coded data between the last header (start of scan) and the end marker."""
    start = jpeg.rindex(b"\xff\xda")
    return len(jpeg) - start - 2 - int.from_bytes(jpeg[start + 2 : start + 4], "big") - 2
