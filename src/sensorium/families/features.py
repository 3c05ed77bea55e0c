"""Functions that turn a medium into rows of numbers: what `kmeans` finds clusters in.

They are known by name, under the entry-point group ``sensorium.features`` or by `plugins.register`; a codec's folder
holds the name and settings only, never code. What is registered is either a plain function, signal -> (N, D) floats,
of which codes that only read can be made, or a class like `Patches`, made with its settings, that can also go back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np

from sensorium import plugins
from sensorium.checked import RATE_HZ, Range, checked_arguments
from sensorium.families.header import Header
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

FEATURES = "sensorium.features"
Side = Annotated[int, Range(1, 2**13)]
Rows = Annotated[int, Range(1, 2**24)]


class Features(ABC):
    """Media as rows of numbers, and back.

    Attributes:
        facts: fields of the codec's `Facts` that follow from the settings: grid, most frames, header, wish, rate.
        width: D, None where it is not known beforehand.
        writes: whether `invert` works.
    """

    facts: Mapping[str, Any]
    width: int | None = None
    writes: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        """Codes of the header, and (N, D) numbers: float32, or bytes, which stand for 0..1."""

    def invert(self, header: np.ndarray, rows_ND: np.ndarray) -> Signal:
        """A medium of header codes and rows (N, D) float32; InputError where they only read."""
        raise InputError("these features only read: they cannot be turned back")

    @classmethod
    def like(cls, signal: Signal) -> dict[str, Any]:
        """Settings for media like this one."""
        return {}


def features(name: str, **settings: Any) -> Features:
    """The registered features of a name.

    Raises:
        InputError: there are none, or the settings are not theirs.
    """
    try:
        known = plugins.load(FEATURES, name)
        kind = known if isinstance(known, type) else Function
        given = checked_arguments(kind, settings, "settings")
        return kind(**given) if kind is known else Function(known, **given)
    except (TypeError, ValueError) as error:
        raise InputError(f"features {name!r} cannot be made: {error}") from error


class Function(Features):
    """A plain function as features; its codes only read.

    Args:
        function: signal -> (N, D).
        most_rows: of one medium.
        rate_hz: rows a second.
    """

    writes: ClassVar[bool] = False

    def __init__(
        self, function: Callable[[Signal], np.ndarray], most_rows: Rows = 4096, rate_hz: RATE_HZ | None = None
    ):
        self.function = function
        self.facts = {"grid": (None,), "max_frames": most_rows, "frame_rate_hz": rate_hz, "hop": 1}

    def __call__(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        return [], np.asarray(self.function(signal), dtype=np.float32)


class Patches(Features):
    """Square patches of a picture of a fixed size, row by row, pixel by pixel, colour last.

    Args:
        size_px: side of the picture; others are fitted to it.
        patch_px: side of a patch.
    """

    def __init__(self, size_px: Side = 64, patch_px: Side = 8):
        if size_px % patch_px:
            raise ValueError(f"patches of {patch_px} px do not tile {size_px} px")
        self.size_px, self.patch_px, side = size_px, patch_px, size_px // patch_px
        self.width = patch_px**2 * 3
        self.facts = {"grid": (side, side), "max_frames": side * side, "wish": Wish(size=(size_px, size_px))}

    def __call__(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        side = self.size_px // self.patch_px
        if signal.array.shape != (self.size_px, self.size_px, 3) or signal.array.dtype != np.uint8:
            raise InputError(
                f"patches are cut from RGB pictures ({self.size_px}, {self.size_px}, 3) of bytes, "
                f"not {signal.array.dtype} {signal.array.shape}; choose other features"
            )
        tiles = signal.array.reshape(side, self.patch_px, side, self.patch_px, 3).transpose(0, 2, 1, 3, 4)
        return [], tiles.reshape(side * side, -1)

    def invert(self, header: np.ndarray, rows_ND: np.ndarray) -> Signal:
        side, patch = self.size_px // self.patch_px, self.patch_px
        tiles = rows_ND.reshape(side, side, patch, patch, 3).transpose(0, 2, 1, 3, 4)
        picture = tiles.reshape(self.size_px, self.size_px, 3)
        return Signal(np.round(picture.clip(0, 1) * 255).astype(np.uint8))


class Windows(Features):
    """Pieces of a medium in time, scaled (see `Header`), one after the other.

    Args:
        rows: of a piece.
        shape: of a row, channels last.
        most_rows: of the longest medium.
        floats: whether a medium holds numbers and not bytes.
        rate_hz: rows a second.
        channels, units: of the last axis, where media have names for them.
    """

    def __init__(
        self,
        rows: Rows = 8,
        shape: Annotated[tuple[Side, ...], Range(1, 8)] = (1,),
        most_rows: Rows = 4096,
        floats: bool = True,
        rate_hz: RATE_HZ | None = None,
        channels: tuple[str, ...] = (),
        units: tuple[str, ...] = (),
    ):
        self.shape, self.floats = tuple(shape), floats
        self.header = Header(hop=rows, channels=self.shape[-1], floats=floats)
        self.width = rows * prod(self.shape)
        self.signal = Signal(np.zeros(0), rate_hz=rate_hz, channels=tuple(channels), units=tuple(units))
        self.facts = {
            "grid": (None,),
            "max_frames": self.header.steps(most_rows),
            "frame_rate_hz": rate_hz / rows if rate_hz else None,
            "header": self.header.books,
            "wish": Wish(rate_hz=rate_hz, channels=self.shape[-1], size=self.shape[:-1] or None),
        }

    def __call__(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        array = signal.array
        if array.shape[1:] != self.shape or (array.dtype != np.uint8) != self.floats or not len(array):
            wanted = ", ".join(["any", *map(str, self.shape)])
            raise InputError(
                f"windows are cut from {'numbers' if self.floats else 'bytes'} ({wanted}), "
                f"not {array.dtype} {array.shape}; open the medium with its modality first"
            )
        codes, whole = self.header.take(array)
        return codes, whole.reshape(len(whole) // self.header.hop, -1)

    def invert(self, header: np.ndarray, rows_ND: np.ndarray) -> Signal:
        array = rows_ND.reshape(-1, *self.shape)
        if not self.floats:
            array = np.round(array.clip(0, 1) * 255).astype(np.uint8)
        return self.signal.with_array(self.header.give(header, array))

    @classmethod
    def like(cls, signal: Signal) -> dict[str, Any]:
        found = {"shape": signal.array.shape[1:], "floats": signal.array.dtype != np.uint8, "rate_hz": signal.rate_hz}
        return found | {"channels": signal.channels, "units": signal.units}
