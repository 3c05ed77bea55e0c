"""Pictures: RGB arrays (H, W, 3) uint8, transparency composited on white.

Opens what Pillow reads (PNG, JPEG, WebP, GIF, BMP, TIFF) and, with the extra ``svg``, SVG. Of an animated
picture the first frame is taken.
"""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from sensorium.files import atomic_file
from sensorium.modalities.base import Modality
from sensorium.types import InputError

MAX_PIXELS = 64_000_000
MAX_BYTES = 256 * 2**20
SVG_SIDE_PX = 512
RASTER = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


class Image(Modality):
    """Still pictures; see the module's text."""

    name = "image"
    extensions = (*RASTER, ".svg")
    media_types = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/svg+xml")

    def open(self, source: Any) -> np.ndarray:
        """(H, W, 3) uint8 of a path, bytes, data URI, Pillow image or array.

        Arrays may be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, bool, or floats in 0..1.

        Raises:
            InputError: the picture is missing, empty, damaged, too large, or of no known kind.
        """
        if isinstance(source, np.ndarray):
            return _from_array(source)
        if isinstance(source, Pillow.Image):
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
    path = Path(source)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has {path.stat().st_size >> 20} MB, more than {MAX_BYTES >> 20}; make it smaller")
        return path.read_bytes(), str(path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder, not a picture") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)[:200]} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _from_data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InputError("a data URI must read data:image/...;base64,... with the picture in base64")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InputError(f"the base64 of a data URI is damaged ({error}); encode the picture again") from error


def _decode(data: bytes, where: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # the limit below is ours and stricter
        try:
            with Pillow.open(io.BytesIO(data)) as picture:
                return _from_pillow(picture, where)
        except UnidentifiedImageError as error:
            raise InputError(f"{where} is not a picture of a known kind ({', '.join(RASTER)})") from error
        except Pillow.DecompressionBombError as error:
            raise InputError(f"{where} has far too many pixels; the limit is {MAX_PIXELS}") from error
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{where} is damaged or cut short ({error}); save it again") from error


def _from_pillow(picture: Pillow.Image, where: str) -> np.ndarray:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(f"{where} has {width} x {height} pixels, more than {MAX_PIXELS}; make it smaller")
    if width * height == 0:
        raise InputError(f"{where} has no pixels")
    if getattr(picture, "n_frames", 1) > 1:
        warnings.warn(f"{where} is animated; its first frame is taken", stacklevel=4)
        picture.seek(0)
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_array(_sixteen_bits(np.asarray(upright)))
    if "A" in upright.getbands() or "transparency" in upright.info:
        page = Pillow.new("RGBA", upright.size, "white")
        return np.asarray(Pillow.alpha_composite(page, upright.convert("RGBA")).convert("RGB"))
    return np.asarray(upright.convert("RGB"))


def _sixteen_bits(grey: np.ndarray) -> np.ndarray:
    """Grey of 16 bits (or floats) as floats in 0..1."""
    top = 65535.0 if grey.max() > 255 else 255.0 if grey.max() > 1 else 1.0
    return np.clip(grey.astype(np.float64) / top, 0, 1)


def _from_array(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise InputError(f"a picture array has shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {array.shape}")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise InputError(f"the picture has {array.shape[1]} x {array.shape[0]} pixels, more than {MAX_PIXELS}")
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
        raise InputError(f"a picture array holds bytes or floats in 0..1, not {array.dtype}")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise InputError("a picture array of floats must lie in 0..1")
    return np.round(array * 255).astype(np.uint8)


def _is_svg(data: bytes) -> bool:
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!doctype")) and b"<svg" in data[:5000].lower())


def _render_svg(data: bytes, where: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise InputError(f"{where} is an SVG; install the extra to open it: pip install 'sensorium[svg]'") from error
    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=data.decode("utf-8"), width=SVG_SIDE_PX))
    except Exception as error:  # resvg raises its own kinds, all meaning that the SVG cannot be drawn
        raise InputError(f"{where} is an SVG that cannot be drawn ({error}); save it again") from error


image = Image()
