"""What a modality is: how to open, save, preview and compare a medium. One file per modality."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar

import numpy as np


class Modality(ABC):
    """A kind of medium. Subclasses are stateless; the registry holds one instance.

    Attributes:
        name: as written in a part, e.g. ``Part(name, data)``.
        extensions: file suffixes it opens, lower case with the dot.
        media_types: MIME types it opens, the first is the one it prefers to write.
        viewer: file name of the JavaScript module that shows it on the page, beside the class's own file; None for
            a link to download.
        words: what the page says of it, by language and key (docs/page.md lists the keys).
    """

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]
    media_types: ClassVar[tuple[str, ...]]
    viewer: ClassVar[str | None] = None
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    @abstractmethod
    def open(self, source: Any) -> np.ndarray:
        """The canonical array of a medium given as a path, bytes, data URI or array.

        Raises:
            InputError: one sentence saying what is wrong with the medium, where, and what to do.
        """

    @abstractmethod
    def save(self, array: np.ndarray, path: str | PathLike[str]) -> None:
        """Write the canonical array to a file, whole or not at all."""

    @abstractmethod
    def to_bytes(self, array: np.ndarray) -> bytes:
        """The canonical array as a file of ``media_types[0]``."""

    @abstractmethod
    def preview(self, array: np.ndarray, size_px: int = 256) -> np.ndarray:
        """An RGB picture (H, W, 3) uint8 that shows the medium, at most ``size_px`` on its longer side."""

    def preview_png(self, array: np.ndarray, size_px: int = 256) -> bytes:
        """`preview` as a PNG file, e.g. for notebooks."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(self.preview(array, size_px)).save(buffer, format="PNG")
        return buffer.getvalue()

    @abstractmethod
    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """How unlike two media are, 0 when equal (for evaluation, not for training)."""
