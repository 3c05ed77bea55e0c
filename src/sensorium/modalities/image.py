"""Pictures: RGB arrays (H, W, 3) uint8, transparency composited on white.

Opens PNG, JPEG, WebP, GIF, BMP and TIFF through Pillow and, with the extra ``svg``, SVG. Of a picture with several
frames the first is taken. Files may come from strangers: sizes are checked before anything is unpacked, no other
format's reader is tried, and an SVG may not draw other files.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from sensorium.files import atomic_file
from sensorium.modalities.base import Modality
from sensorium.modalities.image_words import WORDS
from sensorium.types import InputError

MAX_PIXELS = 64_000_000
MAX_BYTES = 256 * 2**20
SVG_SIDE_PX = 512
RASTER = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


class Image(Modality):
    """Still pictures; see the module's text."""

    name = "image"
    extensions = (*RASTER, ".svg")
    media_types = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/svg+xml")
    viewer = "image.js"
    words = WORDS

    def open(self, source: Any) -> np.ndarray:
        """(H, W, 3) uint8 of a path, bytes, data URI, Pillow image or array.

        Arrays may be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, bool, or floats in 0..1.

        Raises:
            InputError: the picture is missing, empty, damaged, too large, or of no known kind.
        """
        if isinstance(source, np.ndarray):
            return _from_array(source)
        if isinstance(source, Pillow.Image):
            with _plain_errors("the picture"):
                return _from_pillow(source, "the picture")
        data, where = _read(source)
        if not data:
            raise InputError(f"{where} is empty (0 bytes); give a picture that has content")
        if _is_svg(data):
            data = _render_svg(data, where)
        return _decode(data, where)

    def save(self, array: np.ndarray, path: str | PathLike[str]) -> None:
        """Write an array as the kind of file that the suffix says (PNG without one), whole or not at all."""
        suffix = Path(path).suffix.lower() or ".png"
        if suffix not in RASTER:
            raise InputError(f"a picture cannot be saved as {suffix!r}; use one of {', '.join(RASTER)}")
        format_ = Pillow.registered_extensions()[suffix]
        with atomic_file(path) as temporary:
            Pillow.fromarray(_from_array(array)).save(temporary, format=format_)

    def to_bytes(self, array: np.ndarray) -> bytes:
        """The array as PNG."""
        buffer = io.BytesIO()
        Pillow.fromarray(_from_array(array)).save(buffer, format="PNG")
        return buffer.getvalue()

    def preview(self, array: np.ndarray, size_px: int = 256) -> np.ndarray:
        """The picture, shrunk if its longer side exceeds ``size_px``."""
        picture = Pillow.fromarray(_from_array(array))
        picture.thumbnail((size_px, size_px))
        return np.asarray(picture)

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """Root of the mean squared difference of values in 0..1; the second picture is fitted to the first's size."""
        a, b = _from_array(a), _from_array(b)
        if a.shape != b.shape:
            b = np.asarray(Pillow.fromarray(b).resize((a.shape[1], a.shape[0]), Pillow.Resampling.BICUBIC))
        return float(np.sqrt(np.mean((a / 255.0 - b / 255.0) ** 2)))


def to_square(array: np.ndarray, size_px: int) -> np.ndarray:
    """An RGB picture fitted into a white square of ``size_px``, proportions kept, antialiased.

    Raises:
        InputError: the array is no RGB picture.
    """
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or 0 in array.shape:
        raise InputError(
            f"an RGB picture (height, width, 3) of bytes is needed, not {array.dtype} {array.shape}; "
            "open the file with its modality first"
        )
    if array.shape[:2] == (size_px, size_px):
        return array
    height, width = array.shape[:2]
    scale = size_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Pillow.Resampling.BOX if scale < 1 else Pillow.Resampling.BICUBIC
    page = Pillow.new("RGB", (size_px, size_px), "white")
    page.paste(Pillow.fromarray(array).resize(size, method), ((size_px - size[0]) // 2, (size_px - size[1]) // 2))
    return np.asarray(page)


def _read(source: Any) -> tuple[bytes, str]:
    """Bytes of a source and how to call it in messages."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "the picture"
    if isinstance(source, str) and source.startswith("data:"):
        return _from_data_uri(source), "the picture in the data URI"
    if not isinstance(source, (str, PathLike)):
        raise InputError(f"a picture is a path, bytes, a data URI or an array, not {type(source).__name__}")
    if str(source).startswith(("http://", "https://")):
        raise InputError(f"{str(source)[:200]} is not fetched from the network; save the picture and give its path")
    path = Path(source)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a picture; give one file in it")
        if not path.exists():
            raise InputError(f"there is no file {str(path)[:200]}; check the path")
        if not path.is_file():
            raise InputError(f"{path} is not an ordinary file; save the picture and give its path")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has {path.stat().st_size >> 20} MB, more than {MAX_BYTES >> 20}; make it smaller")
        return path.read_bytes(), str(path)
    except OSError as error:
        raise InputError(
            f"{str(path)[:200]} cannot be read ({error.strerror}); check the path and its rights"
        ) from error


def _from_data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise InputError("a data URI must read data:image/...;base64,... with the picture in base64")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise InputError(f"the base64 of a data URI is damaged ({error}); encode the picture again") from error


def _decode(data: bytes, where: str) -> np.ndarray:
    with _plain_errors(where):
        _check_webp_size(data, where)
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            return _from_pillow(picture, where)


@contextmanager
def _plain_errors(where: str) -> Iterator[None]:
    """One sentence for whatever a decoder makes of a bad file."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{where} is not a picture of a known kind, or is damaged; known are {', '.join((*RASTER, '.svg'))}"
        ) from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise InputError(f"{where} has far too many pixels, more than {MAX_PIXELS}; make it smaller") from error
    except Exception as error:  # Pillow's readers raise a dozen kinds, all meaning that the file is bad
        said = str(error).partition("\n")[0]
        raise InputError(f"{where} is damaged or cut short ({said}); save it again") from error


def _check_webp_size(data: bytes, where: str) -> None:
    """Pillow's WebP reader makes room for a whole canvas as soon as it opens a file; others wait until told."""
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        width, height = (int.from_bytes(data[start : start + 3], "little") + 1 for start in (24, 27))
        _check_size(width, height, where)


def _check_size(width: int, height: int, where: str) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(f"{where} has {width} x {height} pixels, more than {MAX_PIXELS}; make it smaller")
    if width * height == 0:
        raise InputError(f"{where} has no pixels; give a picture that has some")


def _from_pillow(picture: Pillow.Image, where: str) -> np.ndarray:
    _check_size(*picture.size, where)
    if getattr(picture, "is_animated", False) and picture.format != "MPO":  # a phone's JPEG with a depth map is one
        warnings.warn(f"{where} has several frames; the first is taken", stacklevel=4)
        picture.seek(0)
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_array(_deep_grey(np.asarray(upright), upright.mode))
    if "A" in upright.getbands() or "transparency" in upright.info:
        page = Pillow.new("RGBA", upright.size, "white")
        return np.asarray(Pillow.alpha_composite(page, upright.convert("RGBA")).convert("RGB"))
    return np.asarray(upright.convert("RGB"))


def _deep_grey(grey: np.ndarray, mode: str) -> np.ndarray:
    """Grey of 16 bits, 32 bits ("I", in practice 16 used) or floats (0..1, else 0..255) as floats in 0..1."""
    top = 65535.0 if mode.startswith("I") else 1.0 if grey.max() <= 1 else 255.0
    return np.clip(grey.astype(np.float64) / top, 0, 1)


def _from_array(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise InputError(f"a picture array has shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {array.shape}")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise InputError(
            f"the picture has {array.shape[1]} x {array.shape[0]} pixels, more than {MAX_PIXELS}; make it smaller"
        )
    values = _as_bytes(array)
    if values.shape[2] == 4:
        alpha = values[..., 3:].astype(np.float32) / 255
        return np.round(values[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))


def _as_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"a picture array holds bytes or floats in 0..1, not {array.dtype}; convert it first")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise InputError("a picture array of floats must lie in 0..1; scale it, or give bytes")
    return np.round(array * 255).astype(np.uint8)


def _is_svg(data: bytes) -> bool:
    head = data[:5000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!doctype")) and b"<svg" in head)


def _render_svg(data: bytes, where: str) -> bytes:
    """An SVG as PNG, its longer side ``SVG_SIDE_PX``: with one side alone a narrow drawing would fill the memory."""
    try:
        import resvg_py
    except ImportError as error:
        raise InputError(f"{where} is an SVG; install the extra to open it: pip install 'sensorium[svg]'") from error
    try:
        _check_svg_is_alone(data, where)
        drawn = resvg_py.svg_to_bytes(svg_string=data.decode("utf-8-sig"), width=SVG_SIDE_PX, height=SVG_SIDE_PX)
    except InputError:
        raise
    except Exception as error:  # the parser and resvg raise kinds of their own, all meaning that it cannot be drawn
        raise InputError(f"{where} is an SVG that cannot be drawn ({error}); save it again") from error
    return bytes(drawn)


def _check_svg_is_alone(data: bytes, where: str) -> None:
    """resvg would draw any picture file of this machine that an SVG names."""

    def look(tag: str, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            outside = name.endswith("href") and not value.strip().lower().startswith(("data:", "#"))
            if outside and tag.lower().endswith("image"):
                raise InputError(f"{where} is an SVG that draws another file, {value[:100]!r}; embed it as data")

    parser = expat.ParserCreate()
    parser.StartElementHandler = look
    parser.Parse(data, True)


image = Image()
