"""Clips in containers (MP4, WebM, AVI, QuickTime, Matroska) through PyAV, whose wheel holds FFmpeg's libraries.

The first bytes say which container it is, and no other reader is tried: some of FFmpeg's open whatever a file names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from sensorium.modalities.base import Wish
from sensorium.modalities.shown import Shown
from sensorium.types import InputError, Signal

USUAL_HZ = 25.0
"""Where a file says nothing."""
LEAST_SHARE = 0.9
"""Of the time that a file says it has, below which it is cut short."""
ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "mp4": ("libx264", {"crf": "14"}),
    "webm": ("libvpx-vp9", {"crf": "14", "b": "0", "cpu-used": "4"}),
}


def container(data: bytes) -> str | None:
    """FFmpeg's name for the container of a file, None for another kind."""
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "mov"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    return "avi" if data[:4] == b"RIFF" and data[8:12] == b"AVI " else None


def read(data: bytes, where: str, wish: Wish) -> Signal:
    """The frames shown at the wished rate, else at the file's mean rate.

    Raises:
        InputError: PyAV is missing, or the file is damaged, too large, or without pictures.
    """
    av = _av(where)
    with _plain_errors(where), av.open(io.BytesIO(data), format=container(data)) as file:
        if not file.streams.video:
            raise InputError(f"{where} has no pictures, only sound or text; give a clip")
        stream = file.streams.video[0]
        stream.thread_type = "NONE"  # frames held by threads would take memory, too
        usual_hz = float(stream.average_rate or stream.guessed_rate or USUAL_HZ)
        shown, time_s, lasting_s = Shown(where, wish.rate_hz or usual_hz, wish), 0.0, 0.0
        for frame in file.decode(stream):
            time_s = frame.time if frame.time is not None else time_s + lasting_s
            lasting_s = float(frame.duration * frame.time_base) if frame.duration else 1 / usual_hz
            shown.show(time_s, _taker(frame))
        found, said_s = shown.finish(lasting_s), (file.duration or 0) / av.time_base
        if len(file.streams) == 1 and time_s + lasting_s < LEAST_SHARE * said_s:
            raise InputError(f"{where} is cut short: {time_s:.3g} s are left of {said_s:.3g} s; save it again")
        return found


def _taker(frame: Any) -> Any:
    """Gives the frame upright as (H, W, 3) uint8; telephones note how they were held."""
    return lambda: np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4))


def write(signal: Signal, kind: str, rate_hz: float) -> bytes:
    """A clip as ``"mp4"`` (H.264) or ``"webm"`` (VP9), in what all browsers play, of high quality.

    Raises:
        InputError: PyAV is missing.
    """
    av = _av("the clip")
    encoder, options = ENCODERS[kind]
    height, width = signal.array.shape[1:3]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as file:
        rate = Fraction(rate_hz).limit_denominator(1001)
        stream = file.add_stream(encoder, rate=rate, options=options)
        stream.width, stream.height = width, height
        # H.264 halves colours of even sides only; in full they keep any size, but not every browser plays them.
        stream.pix_fmt = "yuv444p" if kind == "mp4" and (height % 2 or width % 2) else "yuv420p"
        stream.codec_context.thread_count = 1
        for array in signal.array:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def _av(where: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError(f"{where} needs PyAV; install the extra: pip install 'sensorium[video]'") from error
    return av


@contextmanager
def _plain_errors(where: str) -> Iterator[None]:
    """One sentence for whatever FFmpeg makes of a bad file."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # of a dozen kinds, all meaning that the file is bad
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{where} is damaged or cut short ({said}); save it again") from error
