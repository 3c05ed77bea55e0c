"""What modalities of labelled rows in JSON share: reading, and checking numbers, labels and the frame.

Legend: N rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensorium.modalities.base import Wish
from sensorium.types import InputError, Signal

Frame = tuple[float, float]


def parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except (RecursionError, ValueError) as error:
        raise InputError(f"{where} is not JSON ({error}); save it again") from error


def number(entry: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = entry.get(name, default)
    if not _is_number(value):
        raise InputError(f"{where} has {value!r:.40} for {name!r}, where a number is needed; mend it")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)


def numbers(value: Any, count: int, where: str) -> list[float]:
    """So many numbers of a JSON list."""
    plain = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == count
    if not plain or not all(map(_is_number, value)):
        raise InputError(f"{where} has {value!r:.60} where a list of {count} numbers is needed; mend it")
    return [float(one) for one in value]


def frame_of(value: Any, where: str) -> Frame | None:
    """(width, height) of what a file says, or None."""
    if value is None:
        return None
    width, height = numbers(value, 2, f"the frame of {where}")
    return width, height


def checked(signal: Signal, columns: tuple[str, ...], places: Sequence[tuple[int, int]], where: str) -> Signal:
    """Rows with their columns named, as float32.

    Args:
        places: pairs of columns that are (x, y) in the frame.

    Raises:
        InputError: another shape, no rows, no numbers, too few labels, or a place outside the frame.
    """
    array, frame, labels = np.asarray(signal.array), signal.frame, tuple(signal.labels)
    if array.ndim != 2 or array.shape[1] != len(columns) or array.dtype.kind not in "fiu" or not len(array):
        raise InputError(f"{where} must be rows of the numbers {', '.join(columns)}, not {array.dtype} {array.shape}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise InputError(f"{where} has {array[row, column]} for {columns[column]} in row {row + 1}; mend or drop it")
    if len(labels) not in (0, len(array)) or not all(isinstance(label, str) and label for label in labels):
        raise InputError(f"{where} has {len(array)} rows and the labels {labels!r:.60}; give a word for each, or none")
    if frame is None:
        return Signal(array, channels=columns, labels=labels)
    if not all(0 < side < np.inf for side in frame):
        raise InputError(f"{where} has the frame {frame}; give a width and a height above 0")
    for pair in places:
        outside = ((array[:, pair] < 0) | (array[:, pair] > frame)).any(1)
        if outside.any():
            row = int(np.argmax(outside))
            at = ", ".join(f"{value:g}" for value in array[row, pair])
            raise InputError(
                f"{where} has ({at}) in row {row + 1}, outside the frame of {frame[0]:g} x {frame[1]:g}; clip it, or "
                "give the size of the picture that it lies on"
            )
    return Signal(array, None, columns, (), (float(frame[0]), float(frame[1])), labels)


def fitted(signal: Signal, wish: Wish, places: Sequence[tuple[int, int]], where: str) -> Signal:
    """Places brought to a wished frame (height, width), e.g. that of the picture as a codec sees it."""
    return signal if wish.size is None else in_frame(signal, (wish.size[1], wish.size[0]), places, where)


def in_frame(signal: Signal, frame: Frame, places: Sequence[tuple[int, int]], where: str) -> Signal:
    """Places brought to another frame; InputError when their own is not known."""
    frame = (float(frame[0]), float(frame[1]))
    if signal.frame == frame:
        return signal
    if signal.frame is None:
        raise InputError(
            f"{where} must say what frame the numbers are in; give frame=(width, height), "
            'or "frame": [width, height] in the file'
        )
    array = signal.array.copy()
    for pair in places:
        array[:, pair] *= np.array(frame) / signal.frame
    return mended(Signal(array, None, signal.channels, (), frame, signal.labels), places)


def mended(signal: Signal, places: Sequence[tuple[int, int]]) -> Signal:
    """Places outside the frame brought to its edge, as a model may have written them."""
    if signal.frame is None:
        return signal
    array = signal.array.copy()
    for pair in places:
        array[:, pair] = array[:, pair].clip(0, np.array(signal.frame, np.float32))
    return signal.with_array(array)


def plain(value: float) -> float | int:
    """A number as people write it: whole ones without a point, others with the digits that float32 has."""
    return int(value) if value == int(value) else float(f"{value:.8g}")
