"""Clips as GIF, through Pillow."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

from sensorium.modalities.base import Wish
from sensorium.modalities.shown import Shown
from sensorium.types import InputError, Signal

SHORTEST_S, SHORT_S = 0.02, 0.1
"""What is shown for less than the first is shown for the second, as browsers do."""
FASTEST_HZ = 50.0
CENTISECOND_S = 0.01
NOTE = re.compile(rb"(\d+(?:\.\d+)?) frames/s")


def is_gif(data: bytes) -> bool:
    return data[:6] in (b"GIF87a", b"GIF89a")


def read(data: bytes, where: str, wish: Wish) -> Signal:
    """The frames shown at the wished rate, or at that of the file: as `write` notes it, of frames equally long, or of
    the shortest.

    Raises:
        InputError: the file is damaged or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("GIF",)) as file:
            lasting_s = [_lasting_s(file, number) for number in range(getattr(file, "n_frames", 1))]
            even = max(lasting_s) - min(lasting_s) <= 1.5 * CENTISECOND_S
            own_hz = _said_hz(file) or (len(lasting_s) / sum(lasting_s) if even else 1 / min(lasting_s))
            shown, time_s = Shown(where, wish.rate_hz or own_hz, wish, CENTISECOND_S), 0.0
            for number, one_s in enumerate(lasting_s):
                file.seek(number)
                picture = file.convert("RGBA")
                shown.show(time_s, lambda picture=picture: _on_white(picture))
                time_s += one_s
            return shown.finish(lasting_s[-1])
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise a dozen kinds, all meaning that the file is bad
        raise InputError(f"{where} is a damaged GIF, or one cut short ({error}); save it again") from error


def _said_hz(file: Image.Image) -> float | None:
    """The rate that `write` notes; frames alike are stored as one, and their lengths are rounded."""
    match = NOTE.fullmatch(bytes(file.info.get("comment", b"")))
    return float(match[1]) if match else None


def _lasting_s(file: Image.Image, number: int) -> float:
    file.seek(number)
    found = float(file.info.get("duration", 0)) / 1000
    return SHORT_S if found < SHORTEST_S else found


def _on_white(picture: Image.Image) -> np.ndarray:
    page = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(page, picture).convert("RGB"))


def write(signal: Signal, rate_hz: float) -> bytes:
    """A GIF that is played again and again; it counts time in hundredths of a second, so the rate is noted in it."""
    pictures = [Image.fromarray(array).quantize(256, dither=Image.Dither.NONE) for array in signal.array]
    ends = (np.arange(len(pictures) + 1) / rate_hz / CENTISECOND_S).astype(int)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=(np.diff(ends) * 10).tolist(),
        loop=0,
        comment=f"{rate_hz:.9g} frames/s".encode(),
        optimize=False,
    )
    return buffer.getvalue()
