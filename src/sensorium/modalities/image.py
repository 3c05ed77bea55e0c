"""Pictures: RGB arrays (H, W, 3) uint8, transparency composited on white.

Opens PNG, JPEG, WebP, GIF, BMP and TIFF through Pillow and, with the extra ``svg``, SVG. Of a picture with several
frames the first is taken. Files may come from strangers: sizes are checked before anything is unpacked, no other
format's reader is tried, and an SVG may not draw other files.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from sensorium.modalities.base import Modality, Wish
from sensorium.modalities.image_words import WORDS
from sensorium.modalities.jpeg import best_jpeg
from sensorium.modalities.svg import is_svg, to_png
from sensorium.types import InputError, Signal

MAX_PIXELS = 64_000_000
RASTER = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
TIFF = (b"II", b"MM")
"""How its files begin: the order of their bytes."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


class Image(Modality):
    """Still pictures; see the module's text."""

    name = "image"
    noun = "picture"
    extensions = (*RASTER, ".svg")
    media_types = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/svg+xml")
    viewer = "image.js"
    words = WORDS
    writes: ClassVar[Mapping[str, str]] = {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".webp": "image/webp",
        ".gif": "image/gif",
        ".bmp": "image/bmp",
        ".tif": "image/tiff",
        ".tiff": "image/tiff",
    }

    def read(self, data: bytes, where: str, wish: Wish = Wish()) -> Signal:
        """(H, W, 3) uint8 of a file.

        Raises:
            InputError: the picture is damaged, too large, or of no known kind.
        """
        return Signal(_decode(to_png(data, where) if is_svg(data) else data, where))

    def is_risky(self, data: bytes) -> bool:
        """SVG, a language in which a few bytes ask for hours, and TIFF, whose reader no browser had to harden."""
        return data[:2] in TIFF or is_svg(data)

    def check(self, signal: Signal) -> Signal:
        """Arrays may be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, bool, or floats in 0..1."""
        return Signal(_from_array(signal.array))

    def adopt(self, thing: Any) -> Signal:
        """A Pillow image."""
        if not isinstance(thing, Pillow.Image):
            return super().adopt(thing)
        with _plain_errors("the picture"):
            return Signal(_from_pillow(thing, "the picture"))

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        """A wished (side, side) fits the picture into a white square, proportions kept."""
        return signal if wish.size is None else Signal(to_square(signal.array, wish.size[0]))

    def write(self, signal: Signal, media_type: str) -> bytes:
        buffer = io.BytesIO()
        format_ = media_type.rpartition("/")[2].upper()
        Pillow.fromarray(signal.array).save(buffer, format=format_)
        return buffer.getvalue()

    def in_reply(self, parts: Sequence[Mapping[str, Any]], text: str = "") -> dict[str, Any]:
        """As LiteLLM and OpenRouter have it."""
        return {"images": [{**part, "index": index} for index, part in enumerate(parts)]}

    def from_reply(self, fields: Mapping[str, Any]) -> Sequence[Any]:
        found = fields.get("images")
        return found if isinstance(found, list) else ()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """The picture, shrunk if its longer side exceeds ``size_px``."""
        picture = Pillow.fromarray(signal.array)
        picture.thumbnail((size_px, size_px))
        return np.asarray(picture)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """PSNR and SSIM; the original is fitted to the size of the other."""
        height, width = other.array.shape[:2]
        one = original.array
        if one.shape[:2] != (height, width):
            square = height == width
            one = to_square(one, width) if square else np.asarray(Pillow.fromarray(one).resize((width, height)))
        return {"psnr_db": psnr_db(one, other.array), "ssim": ssim(one, other.array)}

    def overall(self, measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Means, and the PSNR of all pixels together (pictures of one size)."""
        errors = np.mean([10 ** (-one["psnr_db"] / 10) for one in measured])
        means = super().overall(measured)
        return {"psnr_db": means.pop("psnr_db"), "pooled_psnr_db": float(-10 * np.log10(errors)), **means}

    def baselines(self, original: Signal, bits: float) -> dict[str, tuple[Signal, float]]:
        """JPEG."""
        restored, spent = best_jpeg(original.array, bits)
        return {"jpeg": (Signal(restored), spent)}


def psnr_db(original: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio of bytes, at most 60 dB, so that one perfect picture does not decide a mean."""
    error = float(np.square(original.astype(np.float64) - other).mean())
    return min(10 * math.log10(255**2 / max(error, 1e-12)), 60.0)


def ssim(original: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of the brightness, Gaussian window of 11 pixels (Wang et al. 2004)."""
    import torch
    from torch.nn import functional as F

    weights = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
    weights = weights / weights.sum()

    def blur(x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, (5, 5, 5, 5), mode="reflect" if min(x.shape[-2:]) > 5 else "replicate")
        return F.conv2d(F.conv2d(x, weights.view(1, 1, 1, 11)), weights.view(1, 1, 11, 1))

    luma = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    x, y = (torch.from_numpy(one.astype(np.float32) @ luma)[None, None] for one in (original, other))
    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    both = blur(x * y) - mean_x * mean_y
    small, smaller = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + small) * (2 * both + smaller)
    return float((top / ((mean_x**2 + mean_y**2 + small) * (var_x + var_y + smaller))).mean())


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


image = Image()
