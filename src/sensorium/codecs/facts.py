"""What a codec says of itself. Ids, grammar, rows and shards are computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from math import prod
from typing import Annotated, Any, Literal

import numpy as np

from sensorium.checked import NAME, RATE_HZ, Range, checked
from sensorium.modalities import Wish
from sensorium.types import InputError

Use = Literal["both", "read", "write"]
Axes = tuple[int | None, ...]
Size = Annotated[int, Range(1, 2**20)]
Frames = Annotated[int, Range(0, 2**24)]
Books = Annotated[tuple[Size, ...], Range(1, 2**12)]
Head = Annotated[tuple[tuple[NAME, Size], ...], Range(0, 2**12)]
Grid = Annotated[tuple[Size | None, ...], Range(1, 8)]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a codec says of itself.

    Args:
        name: unique among the codecs of a model; names the markers, ``<|name|>`` and ``<|/name|>``.
        modality: name of the modality it encodes.
        codebook_sizes: number of codes of each codebook; codes are written frame by frame, codebook by codebook.
        header: name and size of codebooks written once, before the frames, e.g. ``(("scale", 64),)``.
        grid: frame axes in reading order, e.g. ``(8, 8)`` for a picture; the first may be free: ``(None,)`` for a
            series or sound, ``(None, 8, 8)`` for a clip, which can then only end after a whole 8 x 8.
        max_frames: most frames of one medium (for a fixed grid, its product).
        min_frames: fewest frames, for a free axis.
        frame_rate_hz: frames of the first axis a second for media in time, else None.
        hop: rows of the medium that a step of the free axis stands for; None when that is no number.
        use: ``"read"`` for media in what the user says, ``"write"`` for media the model writes, or ``"both"``.
        wish: what the codec would like to be given.
    """

    name: NAME
    modality: NAME
    codebook_sizes: Books
    header: Head = ()
    grid: Grid = (None,)
    max_frames: Frames
    min_frames: Frames = 1
    frame_rate_hz: RATE_HZ | None = None
    hop: Size | None = None
    use: Use = "both"
    wish: Wish = Wish()

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.grid or any(axis is None for axis in self.grid[1:]):
            raise InputError(f"codec {self.name!r}: only the first axis of the grid {self.grid} may be free (None)")
        whole = self.frames_per_step
        if self.grid[0] is None and (self.max_frames % whole or (self.min_frames % whole and self.min_frames != 1)):
            raise InputError(
                f"codec {self.name!r}: the most and fewest frames must be whole steps of {whole} frames, "
                f"not {self.max_frames} and {self.min_frames}"
            )
        if not 0 <= self.min_frames <= self.max_frames:
            raise InputError(f"codec {self.name!r}: fewest frames {self.min_frames}, most {self.max_frames}: swap them")
        for name, _ in self.header:
            check_name(name)
        names = [name for name, _ in self.header]
        if len(set(names)) < len(names) or any(name.isdecimal() for name in names):
            raise InputError(f"codec {self.name!r}: header names must differ and not be numbers, as books are: {names}")

    @property
    def codebooks(self) -> int:
        """Codebooks of a frame."""
        return len(self.codebook_sizes)

    @property
    def fixed_frames(self) -> int | None:
        """Frames of every medium, None when the first axis is free."""
        return None if self.grid[0] is None else prod(axis or 1 for axis in self.grid)

    @property
    def frames_per_step(self) -> int:
        """Frames that the first axis grows by."""
        return prod(axis or 1 for axis in self.grid[1:])

    @property
    def bits_per_frame(self) -> float:
        return float(np.log2(np.array(self.codebook_sizes, dtype=float)).sum())

    @property
    def header_bits(self) -> float:
        return float(sum(np.log2(size) for _, size in self.header))

    def identity(self) -> tuple[Any, ...]:
        """What ids follow from: two codecs that agree in it have the same codes at the same places."""
        return (
            self.name, self.modality, self.use, self.header, self.codebook_sizes, self.grid,
            self.min_frames, self.max_frames,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Only what differs from its default: a field that is added later changes nothing here."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                found[field.name] = value.to_json() if isinstance(value, Wish) else _listed(value)
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """The inverse of `to_json`; fields of later versions are passed over. Format 1 had null for a free grid.

        Raises:
            InputError: a fact is missing, of another type, or out of range.
        """
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in checked(data, Mapping[str, Any], "facts").items() if name in known}
        if given.get("grid", ()) is None:
            del given["grid"]
        given["wish"] = Wish.from_json(data.get("wish", {}))
        return checked(given, cls, "facts")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How good a codec was found, and by what command, so that the numbers can be had again.

    Args:
        command: what was typed.
        numbers: that it printed, by what they are.
    """

    command: Annotated[str, Range(1, 4096)]
    numbers: Annotated[dict[str, float], Range(1, 256)]

    def __post_init__(self) -> None:
        if not all(text.isprintable() for text in (self.command, *self.numbers)):
            raise InputError("what was measured is told in signs that cannot be printed")


def check_name(name: str) -> None:
    """InputError for a name of which no tokens can be made."""
    if name in ("", ".", "..") or set(name) & set("<>|/:\\ \n"):
        raise InputError(f"a codec cannot be named {name!r}; give it a name without spaces and <>|/\\:")


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value
