"""Clips: RGB frames (frames, height, width, 3) uint8 at an even rate in Hz, without sound.

Opens MP4, WebM, AVI, QuickTime and Matroska (with the extra ``video``), GIF, SVG that moves, a folder or list of
pictures in order, and arrays. Row n is what is shown n / rate_hz seconds after the first frame, however uneven the
frames of the source are (see `shown`), so that rows tell times in the source. Of a file only those frames are kept that
a codec wishes for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np
from PIL import Image as Pillow

from sensorium.modalities import containers, gif
from sensorium.modalities.base import Modality, Wish
from sensorium.modalities.image import image, psnr_db
from sensorium.modalities.shown import MAX_RATE_HZ, Shown, check_room, fitted, rows_shown, size_of
from sensorium.modalities.smil import Animated
from sensorium.modalities.svg import SIDE_PX, is_svg, to_png
from sensorium.modalities.video_words import VIDEO
from sensorium.types import InputError, Signal

SVG_HZ = 12.0
"""Of drawings that move, where no rate is wished."""
WRITTEN_HZ = 8.0
"""Of files of clips whose rate is not known."""
MOST_TILES = 16
KNOWN = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".gif", ".svg")


class Video(Modality):
    """Pictures that move; see the module's text."""

    name = "video"
    noun = "clip"
    folders = True
    extensions = KNOWN
    media_types = (
        "video/mp4",
        "video/webm",
        "video/quicktime",
        "video/x-matroska",
        "video/x-msvideo",
        "image/gif",
        "image/svg+xml",
    )
    writes: ClassVar[Mapping[str, str]] = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif"}
    viewer = "video.js"
    words = VIDEO

    def read(self, data: bytes, where: str, wish: Wish = Wish()) -> Signal:
        """At the wished rate and size; the wish decides what is kept in memory."""
        if containers.container(data):
            return containers.read(data, where, wish)
        if gif.is_gif(data):
            return gif.read(data, where, wish)
        if is_svg(data):
            return _drawn(data, where, wish)
        raise InputError(f"{where} is not a clip of a known kind, or is damaged; known are {', '.join(KNOWN)}")

    def is_risky(self, data: bytes) -> bool:
        """All of them: many decoders of native code, and files that may last for hours."""
        return True

    def check(self, signal: Signal) -> Signal:
        """Arrays are (frames, height, width, 3) of bytes; grey, alpha and floats are taken as those of pictures are."""
        array, rate = np.asarray(signal.array), signal.rate_hz
        if array.ndim != 4 or 0 in array.shape:
            raise InputError(f"a clip has the shape (frames, height, width, 3), not {array.dtype} {array.shape}")
        check_room("the clip", len(array), array.shape[1:])
        if rate is not None and not 0 < rate <= MAX_RATE_HZ:
            raise InputError(f"the clip has a rate of {rate:g} Hz; give one above 0, at most {MAX_RATE_HZ:g}")
        if array.dtype != np.uint8 or array.shape[3] != 3:
            array = np.stack([image.check(Signal(frame)).array for frame in array])
        return Signal(np.ascontiguousarray(array), rate_hz=rate)

    def adopt(self, thing: Any) -> Signal:
        """Pictures in order: a list of what pictures can be, or a folder of them by name; their rate is not known."""
        if isinstance(thing, (str, PathLike)):
            return _stacked(_pictures_in(Path(thing)), str(thing))
        if isinstance(thing, (list, tuple)):
            return _stacked(thing, "the clip")
        return super().adopt(thing)

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        """At a wished rate, where its own is known: what is shown then. A size fits every frame into a white square."""
        if wish.channels not in (None, 3):
            raise InputError(f"{wish.channels} channels are needed, but clips have 3: red, green and blue")
        array, rate = signal.array, signal.rate_hz
        if rate is not None and wish.rate_hz is not None and not np.isclose(rate, wish.rate_hz, rtol=1e-6):
            rows = rows_shown(len(array), rate, wish.rate_hz)
            check_room("the clip", len(rows), array.shape[1:])
            array, rate = array[rows], wish.rate_hz
        if wish.size is not None and array.shape[1:3] != (wish.size[0],) * 2:
            array = np.stack([fitted(frame, wish) for frame in array])
        return signal if array is signal.array else replace(signal, array=array, rate_hz=rate)

    def write(self, signal: Signal, media_type: str) -> bytes:
        rate_hz = signal.rate_hz or WRITTEN_HZ
        if media_type == "image/gif":
            rate_hz = min(rate_hz, gif.FASTEST_HZ)
            return gif.write(self.fit(signal, Wish(rate_hz=rate_hz)), rate_hz)
        return containers.write(signal, media_type.rpartition("/")[2], rate_hz)

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """Up to 16 frames, evenly spread, in reading order."""
        frames = len(signal.array)
        side = int(np.ceil(np.sqrt(min(frames, MOST_TILES, max(size_px // 8, 1) ** 2))))
        chosen = np.unique(np.linspace(0, frames - 1, min(frames, side * side)).round().astype(int))
        tiles = [_small(signal.array[row], max(1, size_px // side)) for row in chosen]
        height, width = tiles[0].shape[:2]
        page = np.full((-(-len(tiles) // side) * height, side * width, 3), 255, np.uint8)
        for number, tile in enumerate(tiles):
            y, x = number // side * height, number % side * width
            page[y : y + height, x : x + width] = tile
        return page

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Over what both have of the time: PSNR of the frames, PSNR of what changes between them, and seconds amiss."""
        one = self.fit(original, Wish(rate_hz=other.rate_hz))
        missing_s = abs(_lasting_s(original) - _lasting_s(other))
        rows, size = min(len(one.array), len(other.array)), other.array.shape[1:3]
        a, b = _alike(one.array[:rows], size).astype(np.int16), other.array[:rows].astype(np.int16)
        changes = [np.diff(x, axis=0) if rows > 1 else np.zeros_like(x) for x in (a, b)]
        return {"psnr_db": psnr_db(a, b), "change_psnr_db": psnr_db(*changes), "time_error_s": missing_s}


def _drawn(data: bytes, where: str, wish: Wish) -> Signal:
    """Frames of a drawing that moves; one that stands still is one frame."""
    to_png(data, where, 1)  # tells what is wrong with it, and that it draws no other file
    try:
        moving = Animated(data)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"{where} is an SVG that cannot be drawn ({error}); save it again") from error
    rate_hz = wish.rate_hz or SVG_HZ
    side_px = min(SIDE_PX, 2 * wish.size[0]) if wish.size else SIDE_PX
    shown = Shown(where, rate_hz, wish)
    for number in range(max(1, round(moving.lasting_s * rate_hz))):
        time_s = number / rate_hz
        shown.show(time_s, lambda time_s=time_s: _moment(moving, time_s, where, side_px))
    return shown.finish(1 / rate_hz)


def _moment(moving: Animated, time_s: float, where: str, side_px: int) -> np.ndarray:
    return image.read(to_png(moving.at(time_s), where, side_px), where).array


def _pictures_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in image.extensions)
    if not found:
        raise InputError(f"{folder} holds no pictures; give a folder of frames, or a clip")
    return found


def _stacked(pictures: Iterable[Any], where: str) -> Signal:
    frames: list[np.ndarray] = []
    for picture in pictures:
        frame = image.open(picture).array
        check_room(where, len(frames) + 1, frame.shape)
        if frames and frame.shape != frames[0].shape:
            raise InputError(
                f"frame {len(frames) + 1} of {where} is {size_of(frame)}, the first {size_of(frames[0])}; "
                "bring them to one size"
            )
        frames.append(frame)
    if not frames:
        raise InputError(f"{where} has no frames; give a list of pictures")
    return Signal(np.stack(frames))


def _small(frame: np.ndarray, side_px: int) -> np.ndarray:
    picture = Pillow.fromarray(frame)
    picture.thumbnail((side_px, side_px))
    return np.asarray(picture)


def _alike(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frames at a size (height, width); into a square they are fitted as codecs do it."""
    if frames.shape[1:3] == size:
        return frames
    if size[0] == size[1]:
        return np.stack([fitted(frame, Wish(size=size)) for frame in frames])
    return np.stack([np.asarray(Pillow.fromarray(frame).resize(size[::-1])) for frame in frames])


def _lasting_s(signal: Signal) -> float:
    """Seconds, or where no rate is known what there would be at the usual one."""
    return len(signal.array) / (signal.rate_hz or WRITTEN_HZ)


video = Video()
