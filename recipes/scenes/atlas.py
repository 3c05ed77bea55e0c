"""How things look: masks, and coloured pictures of them, by kind, colour, material, size and angle; each made once.

All of them are cut to their ink, so that a thing's box is where its picture is put, to the pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from PIL import Image
from recipes.scenes.materials import second_tone
from recipes.scenes.palette import COLOURS, LEAST_DISTANCE, TINTS, distances, tints_for
from recipes.scenes.shapes import KINDS, OUTLINES, OVER, TURNING, large_mask

from sensorium.types import InputError

FAINTEST = 24  # of 255: what covers less of a pixel than this is left out, so that every pixel of a mask is seen
LEAST_SEEN = 0.6  # of a drawing's pixels
KEPT = 4096
STEP_DEG = 5


class Atlas:
    """The shapes, and drawings under names of their own.

    Args:
        drawings: (H, W, 4) uint8 RGBA by name, with transparent surroundings.

    Raises:
        InputError: a drawing is of another form, is empty, or bears the name of a shape.
    """

    def __init__(self, drawings: Mapping[str, np.ndarray] | None = None):
        self.drawings = {name: _cut(name, array) for name, array in (drawings or {}).items()}
        self.cut_out = lru_cache(KEPT)(self._cut_out)
        self.extent = lru_cache(16 * KEPT)(self._extent)
        self.tints = lru_cache(KEPT)(self._tints)

    @property
    def kinds(self) -> tuple[str, ...]:
        return (*KINDS, *self.drawings)

    def turns(self, kind: str) -> bool:
        """Whether one sees it turn."""
        return kind in TURNING or kind in self.drawings

    def _tints(self, kind: str, colour: str) -> frozenset[str]:
        """The tints of backgrounds on which it is seen: of a drawing, most of it."""
        if kind not in self.drawings:
            return tints_for(colour)
        drawn = np.asarray(self.drawings[kind]).reshape(-1, 4)
        inked = drawn[drawn[:, 3] >= FAINTEST, :3]
        near = {tint: np.min([distances(inked, ground) for ground in grounds], 0) for tint, grounds in TINTS.items()}
        return frozenset(tint for tint, far in near.items() if (far >= LEAST_DISTANCE).mean() >= LEAST_SEEN)

    def _extent(self, kind: str, side_px: int, angle_deg: int = 0) -> tuple[int, int]:
        """Width and height in px."""
        height, width = self.cut_out(kind, "", "", side_px, angle_deg).shape[:2]
        return width, height

    def _cut_out(self, kind: str, colour: str, material: str, side_px: int, angle_deg: int = 0) -> np.ndarray:
        """(h, w, 4) uint8, not to be written to; colour and material are "" for drawings and for the mask alone."""
        large = self._drawing(kind, side_px) if kind in self.drawings else _shape(kind, colour, material, side_px)
        if angle_deg:
            large = large.rotate(-angle_deg, Image.Resampling.BILINEAR, expand=True)
        size = tuple(max(1, -(-side // OVER)) for side in large.size)
        whole = Image.new("RGBA", (size[0] * OVER, size[1] * OVER))
        whole.paste(large, ((whole.width - large.width) // 2, (whole.height - large.height) // 2))
        found = np.array(whole.reduce(OVER))  # colours weighed by alpha: no dark rim comes from outside
        found[found[..., 3] < FAINTEST] = 0
        return _inked(found)

    def _drawing(self, name: str, side_px: int) -> Image.Image:
        drawn = self.drawings[name]
        scale = OVER * side_px / max(drawn.size)
        width, height = (max(OVER, round(scale * side)) for side in drawn.size)
        return drawn.resize((width, height), Image.Resampling.BICUBIC)


def _shape(kind: str, colour: str, material: str, side_px: int) -> Image.Image:
    if kind not in OUTLINES:
        raise InputError(f"there is no shape or drawing {kind!r}; there are {', '.join(KINDS)} and the drawings given")
    mask = large_mask(kind, side_px)
    main, second = COLOURS.get(colour, ((0, 0, 0), (0, 0, 0)))
    painted = Image.new("RGB", mask.size, main)
    if material not in ("", "plain"):
        painted.paste(second, mask=Image.fromarray(second_tone(material, side_px, (mask.height, mask.width), OVER)))
    painted.putalpha(mask)
    return painted


def _inked(array: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero(array[..., 3].any(axis)) for axis in (1, 0))
    found = np.ascontiguousarray(array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    found.flags.writeable = False
    return found


def _cut(name: str, array: np.ndarray) -> Image.Image:
    found = np.asarray(array)
    if found.ndim != 3 or found.shape[2] != 4 or found.dtype != np.uint8:
        raise InputError(f"the drawing {name!r} must be an RGBA array (H, W, 4) uint8, not {found.dtype} {found.shape}")
    if name in KINDS or not name:
        raise InputError(f"a drawing cannot be called {name!r}; that is empty or the name of a shape")
    if not (found[..., 3] >= FAINTEST).any():
        raise InputError(f"the drawing {name!r} is empty: nothing of it is opaque")
    found = np.where(found[..., 3:] >= FAINTEST, found, 0)
    return Image.fromarray(_inked(found), "RGBA")
